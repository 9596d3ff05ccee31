"""From predictions to one score per task and their mean."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from sk_attention._labels import LabelColumns, is_missing, label_columns
from sk_attention._warnings import warn
from sk_attention.metrics._task_scores import Task

TaskScore = Callable[[Task], float]


def score_predictions(
    score: TaskScore,
    y_true: Any,
    y_pred: Any,
    missing_label: Any,
    sample_weight: Any,
    average: str | None,
) -> Any:
    """Score labels or numbers that were predicted."""
    truth = label_columns(y_true, warn_on_column_vector=False)
    predicted = label_columns(y_pred, warn_on_column_vector=False)
    _check_n_tasks(truth, "y_pred", predicted.n_tasks)
    classes: list[Any] = [[]] * truth.n_tasks
    return _score_tasks(
        score, truth, "y_pred", predicted.columns, classes, missing_label, sample_weight, average
    )


def score_probabilities(
    score: TaskScore,
    y_true: Any,
    y_proba: Any,
    classes: Any,
    missing_label: Any,
    sample_weight: Any,
    average: str | None,
) -> Any:
    """Score probabilities that were predicted."""
    truth = label_columns(y_true, warn_on_column_vector=False)
    tables, classes = _per_task(y_proba, 2), _per_task(classes, 1)
    _check_n_tasks(truth, "y_proba", len(tables))
    _check_n_tasks(truth, "classes", len(classes))
    tables = [
        _check_table(name, table, labels)
        for name, table, labels in zip(truth.names, tables, classes, strict=True)
    ]
    classes = [labels.tolist() for labels in classes]
    return _score_tasks(
        score, truth, "y_proba", tables, classes, missing_label, sample_weight, average
    )


def _score_tasks(
    score: TaskScore,
    truth: LabelColumns,
    what: str,
    predictions: list[np.ndarray],
    classes: list[list[Any]],
    missing_label: Any,
    sample_weight: Any,
    average: str | None,
) -> Any:
    """Score every task on its observed samples and average."""
    if average not in ("mean", None):
        raise ValueError(f'average must be "mean" or None, got {average!r}.')
    weight = check_weight(sample_weight, truth.n_samples)
    scores = np.full(truth.n_tasks, np.nan)
    for j, (name, column) in enumerate(zip(truth.names, truth.columns, strict=True)):
        if len(predictions[j]) != truth.n_samples:
            raise ValueError(
                f"y_true has {truth.n_samples} samples but {what} has {len(predictions[j])}."
            )
        left_out = is_missing(column, missing_label) | (weight == 0)
        if not left_out.all():
            kept = ~left_out
            task = Task(name, column[kept], predictions[j][kept], weight[kept], classes[j])
            scores[j] = score(task)
    return average_scores(scores, average)


def average_scores(scores: np.ndarray, average: str | None) -> Any:
    """Return the mean of the scores that are defined, or all of them."""
    if average is None:
        return scores
    if np.isnan(scores).all():
        warn(
            "No task has a defined score, so that their mean is NaN: too few labels are observed.",
            UndefinedMetricWarning,
        )
        return float("nan")
    return float(np.nanmean(scores))


def _per_task(values: Any, ndim: int) -> list[np.ndarray]:
    """One array per task, from an array of `ndim` dimensions or a sequence of them."""
    if isinstance(values, (list, tuple)):
        several = len(values) > 0 and np.ndim(values[0]) == ndim
    else:
        values = np.asarray(values)
        several = values.ndim == ndim + 1
    return [np.asarray(part) for part in (values if several else [values])]


def _check_n_tasks(truth: LabelColumns, what: str, n_tasks: int) -> None:
    if n_tasks != truth.n_tasks:
        raise ValueError(f"y_true has {truth.n_tasks} tasks but {what} has {n_tasks}.")


def _check_table(name: str, table: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Probabilities of one task as floating-point numbers."""
    if table.ndim != 2 or classes.shape != table.shape[1:]:
        raise ValueError(
            f"y_proba of task {name!r} must have one column per class: got the shape "
            f"{table.shape} for {classes.size} classes."
        )
    if table.dtype.kind != "f":
        table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise ValueError(f"y_proba of task {name!r} contains NaN or infinite values.")
    return table


def check_weight(sample_weight: Any, n_samples: int) -> np.ndarray:
    if sample_weight is None:
        return np.ones(n_samples)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight must have the shape ({n_samples},), got {weight.shape}.")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("sample_weight must be finite and must not be negative.")
    return weight
