"""From the network's outputs to what an estimator answers."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray


def classes_per_task(classes: Any) -> list[Any]:
    """Return one array of classes per task: an array of two dimensions holds one per row.

    Parameters
    ----------
    classes : array-like of shape (n_classes,), or sequence of these or None
        Classes of the only task, or of each; None for a task of numbers.

    Returns
    -------
    classes : list of array-like or None
        One entry per task.
    """
    several = isinstance(classes, (list, tuple, np.ndarray)) and all(
        own is None or (np.ndim(own) == 1 and not isinstance(own, str)) for own in classes
    )
    return list(classes) if several else [classes]


def class_effects(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return parts of the outputs of one task (n, C, ...) as parts of its logits.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_classes, ...)
        Outputs, or what parts of a row add to them.

    Returns
    -------
    effects : ndarray of shape (n_rows, ...) or (n_rows, n_classes, ...)
        Of two classes the second's less the first's; of more, less their mean.
    """
    if values.shape[1] == 2:
        return values[:, 1] - values[:, 0]
    return values - values.mean(axis=1, keepdims=True)


def sum_to_one(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms of probabilities that sum to 1 exactly in float64, along the last axis.

    Parameters
    ----------
    log_probabilities : ndarray of shape (..., n_classes)
        Of probabilities that sum to 1 up to single precision.

    Returns
    -------
    log_probabilities : ndarray of shape (..., n_classes)
        Less the logarithm of their sum.
    """
    total = np.logaddexp.reduce(log_probabilities, axis=-1, keepdims=True)
    return log_probabilities - total


def side_by_side(labels: list[NDArray[Any]]) -> NDArray[Any]:
    """Return (n_rows, n_tasks), of objects if the tasks' labels differ in kind.

    Parameters
    ----------
    labels : list of ndarray of shape (n_rows,)
        Labels of each task.

    Returns
    -------
    table : ndarray of shape (n_rows, n_tasks)
        The labels.
    """
    kinds = {own.dtype.kind for own in labels}
    if len(kinds) == 1 or kinds <= set("iufb") - {"b"}:
        return np.column_stack(labels)
    table = np.empty((len(labels[0]), len(labels)), dtype=object)
    for task, own in enumerate(labels):
        table[:, task] = own
    return table


def as_frame(labels: list[NDArray[Any]], names: list[str], library: str, X: Any) -> Any:
    """Return labels as a DataFrame.

    Parameters
    ----------
    labels : list of ndarray of shape (n_rows,)
        Labels of each task.
    names : list of str
        Names of the tasks.
    library : str
        Whose DataFrame, such as "pandas".
    X : object
        The rows; if both are of pandas, the labels have their index.

    Returns
    -------
    frame : DataFrame
        One column per task, in the task's own dtype.
    """
    columns = {
        name: own.tolist() if own.dtype == object else own
        for name, own in zip(names, labels, strict=True)
    }
    frame = nw.from_dict(columns, backend=library).to_native()  # type: ignore[arg-type]
    if library == "pandas" and nw.dependencies.is_pandas_dataframe(X):
        frame.index = X.index
    return frame
