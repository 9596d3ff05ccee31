"""What labels weigh: as shares of the loss without looking, and by their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoded import EncodedTargets, check_n_tasks


def label_weights(
    observed: NDArray[np.bool_], row_weight: NDArray[np.float64], null_loss: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""Return the weight of every label, scaled so that tasks count alike.

    .. math:: W_{bi} = \frac{w_b\,[b \text{ observed for } i]}{L^0_i} \cdot
              \frac{n}{\sum_c w_c\,[c \text{ observed for } i]}

    A task's loss is then the share of its null loss :math:`L^0_i`, the loss without looking at the
    features: 1 where nothing is learned, however rare a class is and however many labels are
    missing.

    Parameters
    ----------
    observed : ndarray of shape (n_rows, n_tasks), dtype bool
        Where there is a label.
    row_weight : ndarray of shape (n_rows,) or (n_rows, n_tasks)
        Sample weights, multiplied by class weights if there are any.
    null_loss : ndarray of shape (n_tasks,)
        Null loss of each task, positive.

    Returns
    -------
    weight : ndarray of shape (n_rows, n_tasks)
        W; zeros for a task without labels.
    """
    weight = observed * (row_weight if row_weight.ndim == 2 else row_weight[:, None])
    total = weight.sum(axis=0) * null_loss
    scaled: NDArray[np.float64] = weight * (len(weight) / np.where(total > 0, total, 1.0))
    return scaled


def class_weight_factors(
    class_weight: Any,
    targets: EncodedTargets,
    classes: Sequence[NDArray[Any]],
    row_weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the factor by which ``class_weight`` scales the weight of each label.

    Parameters
    ----------
    class_weight : dict, "balanced", or list of these or None
        One for all tasks, or one per task.
    targets : EncodedTargets
        Class codes.
    classes : sequence of ndarray
        Classes of each task.
    row_weight : ndarray of shape (n_rows,)
        Sample weights: "balanced" counts with them.

    Returns
    -------
    factors : ndarray of shape (n_rows, n_tasks)
        1 where the task has no class weight.

    Raises
    ------
    ValueError
        If a list has another length than there are tasks, a dictionary has a key that is no class
        or a negative weight, or an entry is something else.
    """
    per_task = class_weight if isinstance(class_weight, list) else [class_weight] * len(classes)
    check_n_tasks("class_weight", len(per_task), len(classes))
    every_class = {label for own in classes for label in own.tolist()}
    factors = np.ones(targets.values.shape)
    for task, (own, task_classes) in enumerate(zip(per_task, classes, strict=True)):
        own_classes = set(task_classes.tolist()) if per_task is class_weight else every_class
        _check_class_weight(own, own_classes)
        if own is None:
            continue
        seen = targets.observed[:, task]
        codes = targets.values[seen, task]
        if isinstance(own, Mapping):
            by_class = np.array([own.get(label, 1.0) for label in task_classes.tolist()])
        else:
            by_class = _balanced(codes, row_weight[seen], len(task_classes))
        factors[seen, task] = by_class[codes]
    return factors


def _check_class_weight(class_weight: Any, classes: set[Any]) -> None:
    if not isinstance(class_weight, Mapping):
        if class_weight is None or class_weight == "balanced":
            return
        raise ValueError(
            f"class_weight of a task must be a dict, 'balanced' or None, got {class_weight!r}."
        )
    unknown = [label for label in class_weight if label not in classes]
    # as scikit-learn: keys for classes that a fold lacks are welcome, a mistyped one is not
    if unknown and not classes <= set(class_weight):
        raise ValueError(f"class_weight has the key {unknown[0]!r}, which is no class of y.")
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                "class_weight must be a number that is not negative or infinite, got "
                f"{weight!r} for {label!r}."
            )
    if class_weight and not any(class_weight.get(label, 1.0) for label in classes):
        raise ValueError("class_weight is zero for every class: at least one must count.")


def _balanced(codes: NDArray[Any], weight: NDArray[np.float64], n_classes: int) -> Any:
    """Return n / (n_classes x class total), in weights instead of rows."""
    total = np.bincount(codes, weights=weight, minlength=n_classes)
    return total.sum() / (n_classes * np.where(total > 0, total, 1.0))


def class_null_loss(targets: EncodedTargets, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each task's weighted classes, in nats.

    Parameters
    ----------
    targets : EncodedTargets
        Class codes.
    weight : ndarray of shape (n_rows, 1) or (n_rows, n_tasks)
        Weight of each label.

    Returns
    -------
    null_loss : ndarray of shape (n_tasks,)
        Positive: 1 for a task with a single class.
    """
    weight = np.broadcast_to(weight, targets.values.shape)
    losses = []
    for codes, seen, own in zip(targets.values.T, targets.observed.T, weight.T, strict=True):
        total = np.bincount(codes[seen], weights=own[seen])
        share = total[total > 0] / max(total.sum(), 1e-300)
        entropy = -float(np.sum(share * np.log(share)))
        losses.append(entropy if entropy > 0.0 else 1.0)
    return np.array(losses)
