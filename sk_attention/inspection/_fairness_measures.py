"""What is compared between groups: of each task a few means over its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, mean_absolute_error

from ._answers import Answers
from ._skill import Floats, shared


@dataclass(frozen=True)
class Measure:
    """Something that is compared between groups: of each, a mean over its rows.

    Attributes
    ----------
    task, name : str
        What is measured of which task.
    metric : callable
        The same as a function of ``y_true`` and ``y_pred``.
    rows : ndarray of shape (n_rows,), dtype bool
        Which rows count.
    y_true, y_pred, values : ndarray of shape (n_counting,)
        What the metric takes, and the numbers whose mean it is.
    """

    task: str
    name: str
    metric: Callable[..., Any]
    rows: NDArray[np.bool_]
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    values: Floats


def measures_of(own: Answers, metrics: Any) -> list[Measure]:
    """Return what is measured of a task, on the rows that have a label of it.

    Parameters
    ----------
    own : Answers
        The task.
    metrics : module
        fairlearn's metrics.

    Returns
    -------
    measures : list of Measure
        By the kind of the task; none without labels.
    """
    return list(MEASURES[own.kind](own, metrics)) if own.seen.any() else []


def attention_paid(task: str, weights: Floats, metrics: Any) -> Measure:
    """Return the attention that a task pays to protected columns, which needs no label.

    Parameters
    ----------
    task : str
        The task.
    weights : ndarray of shape (n_rows,)
        Attention to these columns together.
    metrics : module
        fairlearn's metrics.

    Returns
    -------
    measure : Measure
        Of all rows.
    """
    everyone = np.ones(len(weights), dtype=bool)
    return _mean(task, "attention to protected columns", everyone, weights, metrics)


def _of_numbers(own: Answers, metrics: Any) -> Iterator[Measure]:
    labels, predicted = own.observed[own.seen], own.predicted[own.seen]
    error, each = np.abs(labels - predicted), (own.seen, labels, predicted)
    yield Measure(own.name, "mean absolute error", mean_absolute_error, *each, error)
    yield Measure(own.name, "mean prediction", metrics.mean_prediction, *each, predicted)


def _of_classes(own: Answers, metrics: Any) -> Iterator[Measure]:
    labels, predicted = own.observed[own.seen], own.predicted[own.seen]
    hits = (labels == predicted).astype(np.float64)
    yield Measure(own.name, "accuracy", accuracy_score, own.seen, labels, predicted, hits)
    for code, label in enumerate(own.class_names):
        if code or len(own.class_names) != 2:
            yield from _rates(own, label, own.observed == code, own.predicted == code, metrics)


def _of_sets(own: Answers, metrics: Any) -> Iterator[Measure]:
    index = shared(own.observed[own.seen], own.predicted[own.seen])
    yield _mean(own.name, "Jaccard index", own.seen, index, metrics)
    for code, label in enumerate(own.class_names):
        have, chosen = own.observed[:, code] == 1, own.predicted[:, code] == 1
        yield from _rates(own, label, have, chosen, metrics)


MEASURES: dict[str, Callable[[Answers, Any], Iterator[Measure]]] = {
    "classification": _of_classes,
    "multilabel": _of_sets,
    "regression": _of_numbers,
}


def _rates(
    own: Answers, label: str, have: NDArray[np.bool_], chosen: NDArray[np.bool_], metrics: Any
) -> Iterator[Measure]:
    """Yield how often a class or label is predicted: for all rows, and for those that have it."""
    for name, rows in (("selection", own.seen), ("true positive", own.seen & have)):
        if rows.any():
            true, taken = have[rows].astype(int), chosen[rows].astype(int)
            each = (metrics.selection_rate, rows, true, taken, taken * 1.0)
            yield Measure(own.name, f"{name} rate: {label}", *each)


def _mean(task: str, name: str, rows: NDArray[np.bool_], values: Floats, metrics: Any) -> Measure:
    """Return a measure that is the mean of numbers which are known already."""
    return Measure(task, name, metrics.mean_prediction, rows, values, values, values)
