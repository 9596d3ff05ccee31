"""Interactions with a label each: what it takes to learn from them, and to foretell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length
from torch import Tensor, nn

from ._labels import LabelColumns, label_columns
from .data.columns import Column
from .data.groups import ColumnGroup
from .data.targets import ClassEncoder, NumberEncoder
from .nn.losses import (
    ensemble_log_probability,
    ensemble_mean,
    task_cross_entropy,
    task_squared_error,
)

LabelEncoder = ClassEncoder | NumberEncoder


class OutcomeLoss(nn.Module):
    """The loss of one label, as a share of what it is without looking at anything.

    Parameters
    ----------
    classes : bool
        Whether labels are classes, or else numbers.
    null_loss : float
        The loss of the same answer for all.
    """

    def __init__(self, classes: bool, null_loss: float) -> None:
        super().__init__()
        self.loss = task_cross_entropy if classes else task_squared_error
        self.ensemble = ensemble_log_probability if classes else ensemble_mean
        self.null_loss = null_loss

    def forward(self, outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss (1,): of the members in training, else of the ensemble."""
        if not self.training:
            outputs = self.ensemble(outputs)
        loss: Tensor = self.loss(outputs, target.unsqueeze(1), weight.unsqueeze(1))
        return loss / self.null_loss


def one_label(estimator: Any, y: Any, columns: Sequence[Column]) -> LabelColumns:
    """Take the labels of interactions apart.

    Parameters
    ----------
    estimator : object
        Who is fitted.
    y : array-like of shape (n_samples,)
        Labels, of which some may be missing.
    columns : sequence of Column
        The columns of X.

    Returns
    -------
    labels : LabelColumns
        One task.

    Raises
    ------
    ValueError
        If there are none, not as many as rows, or several for each.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} with task={estimator.task!r} requires y to be passed, "
            "but the target y is None: it is the label of each interaction."
        )
    labels = label_columns(y)
    check_consistent_length(columns[0].values, labels.columns[0])
    if labels.n_tasks != 1:
        raise ValueError(
            f"y must hold one label for each interaction, (n_samples,); got {labels.n_tasks} "
            f"columns: {labels.names[:20]}."
        )
    return labels


def fit_labels(
    task: str, labels: LabelColumns, weight: NDArray[np.float64], classes: Any = None
) -> LabelEncoder:
    """Learn what labels there are.

    Parameters
    ----------
    task : {"classification", "regression"}
        What labels are.
    labels : LabelColumns
        One task.
    weight : ndarray of shape (n_rows,)
        Positive weights.
    classes : array-like of shape (n_classes,), default=None
        All classes; None takes those of the labels.

    Returns
    -------
    encoder : ClassEncoder or NumberEncoder
        The fitted encoder.
    """
    if task == "regression":
        return NumberEncoder().fit(labels, weight)
    return ClassEncoder().fit(labels, weight, None if classes is None else [classes])


def encode_labels(
    encoder: LabelEncoder, labels: LabelColumns
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels as codes.

    Parameters
    ----------
    encoder : ClassEncoder or NumberEncoder
        A fitted encoder.
    labels : LabelColumns
        One task.

    Returns
    -------
    values : ndarray of shape (n_rows,)
        Class codes or standardised numbers.
    observed : ndarray of shape (n_rows,), dtype bool
        Where there is a label.
    """
    targets = encoder.transform(labels)
    return targets.values[:, 0], targets.observed[:, 0]


def outcome_column(values: NDArray[Any], observed: NDArray[np.bool_]) -> Column:
    """Return labels as a column of what is known of past events.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Class codes or numbers.
    observed : ndarray of shape (n_rows,), dtype bool
        Where there is a label.

    Returns
    -------
    column : Column
        Numbers, NaN where there is none.
    """
    return Column("y", np.where(observed, values.astype(np.float64), np.nan))


def event_group(
    positions: Sequence[int], n_columns: int, task: str, texts: Sequence[int] = ()
) -> ColumnGroup:
    """Return what is read of past events: columns, and what became of them.

    Parameters
    ----------
    positions : sequence of int
        Columns that are read.
    n_columns : int
        Columns of X; the label stands behind them.
    task : {"classification", "regression"}
        What labels are.
    texts : sequence of int, default=()
        Which of the columns are texts.

    Returns
    -------
    group : ColumnGroup
        Not fitted.
    """
    categories = [n_columns] if task == "classification" else []
    return ColumnGroup("event", [*positions, n_columns], categories, texts)
