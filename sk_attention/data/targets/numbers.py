"""Numbers <-> numbers of mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import LabelColumns, is_missing

from .encoded import EncodedTargets, all_missing, infinite, refuse_collections


class NumberEncoder:
    """Numbers of each task <-> numbers of mean 0 and variance 1.

    Attributes
    ----------
    mean_ : ndarray of shape (n_tasks,)
        Weighted mean of the observed numbers.
    scale_ : ndarray of shape (n_tasks,)
        Their weighted standard deviation, 1 where they do not vary.
    null_loss_ : ndarray of shape (n_tasks,)
        Squared error of each task if every row gets the mean: 1 after standardisation.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    null_loss_: NDArray[np.float64]

    def fit(self, labels: LabelColumns, weight: NDArray[np.float64]) -> NumberEncoder:
        """Learn mean and scale of each task.

        Parameters
        ----------
        labels : LabelColumns
            The numbers.
        weight : ndarray of shape (n_rows,)
            Row weights, positive.

        Returns
        -------
        self : NumberEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a task has no number at all, or one that is infinite or not a number.
        """
        means, scales = [], []
        for name, column in zip(labels.names, labels.columns, strict=True):
            numbers, there = _numbers(name, column)
            if not there.any():
                raise ValueError(all_missing(name))
            mean = np.average(numbers[there], weights=weight[there])
            variance = np.average((numbers[there] - mean) ** 2, weights=weight[there])
            varies = variance > 1e-24 * mean**2
            means.append(mean)
            scales.append(np.sqrt(variance) if varies else 1.0)
        self.mean_, self.scale_ = np.array(means), np.array(scales)
        self.null_loss_ = np.ones(labels.n_tasks)
        return self

    def transform(self, labels: LabelColumns) -> EncodedTargets:
        """Return standardised numbers.

        Parameters
        ----------
        labels : LabelColumns
            The numbers.

        Returns
        -------
        targets : EncodedTargets
            Values of dtype float64.
        """
        pairs = [
            _numbers(name, column)
            for name, column in zip(labels.names, labels.columns, strict=True)
        ]
        observed = np.column_stack([there for _, there in pairs])
        numbers = np.column_stack([own for own, _ in pairs])
        return EncodedTargets(
            np.where(observed, (numbers - self.mean_) / self.scale_, 0.0), observed
        )

    def by_task(self, targets: EncodedTargets) -> list[NDArray[Any]]:
        """Return the targets task by task.

        Parameters
        ----------
        targets : EncodedTargets
            What `transform` returned.

        Returns
        -------
        values : list of ndarray of shape (n_rows,)
            Standardised numbers of each task.
        """
        return list(targets.values.T)

    def inverse_transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers on the scale of the labels.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_tasks)
            Standardised numbers.

        Returns
        -------
        numbers : ndarray of shape (n_rows, n_tasks), dtype float64
            Predictions.
        """
        numbers: NDArray[np.float64] = values * self.scale_ + self.mean_
        return numbers


def _numbers(name: str, column: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    missing = is_missing(column)
    refuse_collections(name, column[~missing])
    numbers = np.zeros(len(column))
    try:
        numbers[~missing] = column[~missing].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Task {name!r} of y must hold numbers: {error}.") from error
    if not np.isfinite(numbers).all():
        raise ValueError(infinite(name))
    return numbers, ~missing
