"""Scores of one task on its observed labels."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import r2_score, roc_auc_score

from sk_attention._labels import is_collection


class Task(NamedTuple):
    """What one task is scored on: its observed samples of positive weight, at least one."""

    name: str
    labels: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray
    classes: list[Any]


def accuracy(task: Task) -> float:
    return float(np.average(_hits(task), weights=task.weight))


def balanced_accuracy(task: Task) -> float:
    hits = _hits(task)
    first_seen: dict[Any, int] = {}
    codes = [first_seen.setdefault(label, len(first_seen)) for label in task.labels.tolist()]
    right = np.bincount(codes, weights=task.weight * hits)
    return float(np.mean(right / np.bincount(codes, weights=task.weight)))


def roc_auc(task: Task) -> float:
    codes = _codes(task)
    if (codes < 0).all():
        raise ValueError(
            f"None of the labels of task {task.name!r}, such as {task.labels.tolist()[0]!r}, is "
            f"among its classes {_shown(task.classes)}."
        )
    areas = [
        roc_auc_score(codes == k, task.predicted[:, k], sample_weight=task.weight)
        for k in ([1] if len(task.classes) == 2 else range(len(task.classes)))
        if 0 < np.count_nonzero(codes == k) < len(codes)
    ]
    return float(np.mean(areas)) if areas else float("nan")


def log_loss(task: Task) -> float:
    codes = _codes(task)
    if (codes < 0).any():
        label = task.labels[codes < 0].tolist()[0]
        raise ValueError(
            f"y_true of task {task.name!r} contains the label {label!r}, which is not among its "
            f"classes {_shown(task.classes)}."
        )
    if task.predicted.min() < 0 or task.predicted.max() > 1:
        raise ValueError(f"y_proba of task {task.name!r} contains values outside [0, 1].")
    eps = np.finfo(task.predicted.dtype).eps
    likelihood = np.clip(task.predicted[np.arange(len(codes)), codes], eps, 1 - eps)
    return float(np.average(-np.log(likelihood), weights=task.weight))


def r2(task: Task) -> float:
    if len(task.labels) < 2:
        return float("nan")
    y_true = _numbers(task.labels, "y_true", task.name)
    y_pred = _numbers(task.predicted, "y_pred", task.name)
    return float(r2_score(y_true, y_pred, sample_weight=task.weight))


def jaccard(task: Task) -> float:
    pairs = zip(task.labels.tolist(), task.predicted.tolist(), strict=True)
    shares = [_shared(_as_set(true, task), _as_set(own, task)) for true, own in pairs]
    return float(np.average(shares, weights=task.weight))


def _as_set(labels: Any, task: Task) -> set[Any]:
    if not is_collection(labels):
        raise ValueError(f"Task {task.name!r} must hold sets of labels, got {labels!r}.")
    return set(labels)


def _shared(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


def _hits(task: Task) -> np.ndarray:
    """Where the predicted label is the true one."""
    _refuse_sets(task)
    if _is_text(task.labels) != _is_text(task.predicted):
        kinds = ("strings", "numbers") if _is_text(task.labels) else ("numbers", "strings")
        raise ValueError(
            f"The labels of task {task.name!r} are {kinds[0]} in y_true but {kinds[1]} in y_pred."
        )
    return np.asarray(task.labels == task.predicted, dtype=bool)


def _refuse_sets(task: Task) -> None:
    if is_collection(task.labels[0]):
        raise ValueError(
            f"y is ragged: task {task.name!r} holds collections such as {task.labels[0]!r}, and "
            "this score is about single labels. Sets are scored by multi_task_jaccard_score."
        )


def _is_text(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "US" or isinstance(labels[0], (str, bytes))


def _codes(task: Task) -> np.ndarray:
    """Position of each label among the classes, -1 for one that is not there."""
    _refuse_sets(task)
    position = {label: k for k, label in enumerate(task.classes)}
    return np.array([position.get(label, -1) for label in task.labels.tolist()])


def _shown(classes: list[Any]) -> str:
    return repr(classes) if len(classes) <= 10 else f"{repr(classes[:10])[:-1]}, ...]"


def _numbers(values: np.ndarray, what: str, name: str) -> np.ndarray:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} of task {name!r} must hold finite numbers only.")
    return numbers
