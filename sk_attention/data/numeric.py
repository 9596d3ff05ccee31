"""Numbers -> codes: normal scores, and the bins of a piecewise-linear encoding.

A column is learned from its distinct values and their weights alone, never from the number of its
rows: a row of weight 2 and the same row twice give the same codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.special import ndtri

Numbers = NDArray[np.float64]

N_KNOTS = 256

# Ranks keep clear of 0 and 1, where the normal score is infinite.
MIN_RANK = 1e-15


class NormalScoreEncoder:
    r"""Numbers as the normal scores of their ranks.

    .. math:: z(x) = \Phi^{-1}(F(x)), \qquad F(x) = P(X < x) + P(X = x) / 2

    with the weighted shares *P* of the training rows, exact at up to 256 knots of each column and
    linear between them; values beyond the training range keep the score of its end. Outliers thus
    land a few units from the centre, and a constant column at 0.

    Attributes
    ----------
    knots_ : list of ndarray
        Increasing values of each column.
    scores_ : list of ndarray
        Their normal scores.
    """

    knots_: list[Numbers]
    scores_: list[Numbers]

    def fit(self, columns: Iterable[Numbers], weight: Numbers) -> NormalScoreEncoder:
        """Learn the knots of each column.

        Parameters
        ----------
        columns : iterable of ndarray of shape (n_rows,)
            Numbers of each column, NaN where missing.
        weight : ndarray of shape (n_rows,)
            Positive row weights.

        Returns
        -------
        self : NormalScoreEncoder
            The fitted encoder.
        """
        self.knots_, self.scores_ = [], []
        for numbers in columns:
            knots, scores = normal_scores(numbers, weight)
            self.knots_.append(knots)
            self.scores_.append(scores)
        return self

    @property
    def n_columns_(self) -> int:
        """Number of columns."""
        return len(self.knots_)

    def transform(
        self, columns: Iterable[Numbers], n_rows: int, dtype: DTypeLike
    ) -> dict[str, NDArray[Any]]:
        """Return ``value`` and ``missing``.

        Parameters
        ----------
        columns : iterable of ndarray of shape (n_rows,)
            Numbers of each column, NaN where missing.
        n_rows : int
            Their length.
        dtype : dtype
            Of the scores.

        Returns
        -------
        codes : dict
            "value": normal scores (n_rows, n_columns), 0 where missing; "missing": bool of the
            same shape.
        """
        value = np.empty((n_rows, self.n_columns_), dtype=dtype)
        for position, numbers in enumerate(columns):
            value[:, position] = _interpolate(
                numbers, self.knots_[position], self.scores_[position]
            )
        missing = np.isnan(value)
        value[missing] = 0.0
        return {"value": value, "missing": missing}


class BinEncoder:
    """Numbers as a bin and the fraction of its width, on the scale of normal scores.

    A column with few distinct values gets one bin between each two of them, so that every value
    has a parameter of its own; in others each bin holds about as many knots, and about equal
    weight where values seldom repeat.

    Parameters
    ----------
    n_bins : int
        Bins of a column, at the most.

    Attributes
    ----------
    edges_ : ndarray of shape (n_columns, n_bins + 1), dtype float64
        Edges of the bins as normal scores; columns with fewer bins repeat their last edge.
    knots_ : list of ndarray
        Increasing values of each column.
    places_ : list of ndarray
        Bin + fraction of each knot. The edges are knots, so that both are linear between knots.
    """

    edges_: Numbers
    knots_: list[Numbers]
    places_: list[Numbers]

    def __init__(self, n_bins: int) -> None:
        self.n_bins = n_bins

    def fit(self, columns: Iterable[Numbers], weight: Numbers) -> BinEncoder:
        """Learn knots and bins of each column.

        Parameters
        ----------
        columns : iterable of ndarray of shape (n_rows,)
            Numbers of each column, NaN where missing.
        weight : ndarray of shape (n_rows,)
            Positive row weights.

        Returns
        -------
        self : BinEncoder
            The fitted encoder.
        """
        edges = []
        self.knots_, self.places_ = [], []
        for numbers in columns:
            knots, scores = normal_scores(numbers, weight)
            edges.append(_bin_edges(scores, self.n_bins))
            self.knots_.append(knots)
            constant = len(knots) == 1
            bins = np.arange(len(edges[-1]))
            self.places_.append(np.zeros(1) if constant else np.interp(scores, edges[-1], bins))
        width = max((len(row) for row in edges), default=2)
        self.edges_ = np.array([np.pad(row, (0, width - len(row)), mode="edge") for row in edges])
        self._last_bin = np.array([max(len(row) - 2, 0) for row in edges], dtype=np.int16)
        return self

    @property
    def n_columns_(self) -> int:
        """Number of columns."""
        return len(self.knots_)

    def transform(
        self, columns: Iterable[Numbers], n_rows: int, dtype: DTypeLike
    ) -> dict[str, NDArray[Any]]:
        """Return ``bin`` and ``fraction``: 6 bytes a number instead of one float per bin.

        Parameters
        ----------
        columns : iterable of ndarray of shape (n_rows,)
            Numbers of each column, NaN where missing.
        n_rows : int
            Their length.
        dtype : dtype
            Of the fractions.

        Returns
        -------
        codes : dict
            "bin": int16 (n_rows, n_columns), the number of bins where missing;
            "fraction": float (n_rows, n_columns) from 0 to 1, 0 where missing.
        """
        place = np.empty((n_rows, self.n_columns_), dtype=dtype)
        for position, numbers in enumerate(columns):
            place[:, position] = _interpolate(
                numbers, self.knots_[position], self.places_[position]
            )
        missing = np.isnan(place)
        place[missing] = 0.0
        bins = np.minimum(place.astype(np.int16), self._last_bin)
        place -= bins
        bins[missing] = self.edges_.shape[1] - 1
        return {"bin": bins, "fraction": place}


def normal_scores(numbers: Numbers, weight: Numbers) -> tuple[Numbers, Numbers]:
    """Return the knots of one column and their normal scores.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows,)
        Values of the column, NaN where missing.
    weight : ndarray of shape (n_rows,)
        Positive row weights.

    Returns
    -------
    knots : ndarray of shape (n_knots,)
        Increasing values: all distinct ones, or 256 of about equal weight between them, both ends
        included. A column without any value has the knot 0.
    scores : ndarray of shape (n_knots,)
        Normal scores of the knots.
    """
    present = ~np.isnan(numbers)
    if not present.any():
        return np.zeros(1), np.zeros(1)
    knots, position = np.unique(numbers[present], return_inverse=True)
    share = np.bincount(position, weights=weight[present])
    until = np.cumsum(share)
    rank = ((until - share / 2.0) / until[-1]).clip(MIN_RANK, 1.0 - MIN_RANK)
    if len(knots) > N_KNOTS:
        chosen = np.unique(until.searchsorted(np.linspace(0.0, until[-1], N_KNOTS)))
        chosen = np.minimum(chosen, len(knots) - 1)
        knots, rank = knots[chosen], rank[chosen]
    return knots, ndtri(rank)


def _interpolate(numbers: Numbers, knots: Numbers, values: Numbers) -> Numbers:
    """Return the piecewise-linear function through the knots, NaN where a number is missing."""
    if len(knots) == 1:  # np.interp would take NaN for the knot
        return np.where(np.isnan(numbers), np.nan, values[0])
    out: Numbers = np.interp(numbers, knots, values)
    return out


def _bin_edges(scores: Numbers, n_bins: int) -> Numbers:
    """Return some of the knots' scores as edges: all, or n_bins + 1 of them evenly by rank."""
    if len(scores) == 1:
        return np.array([scores[0], scores[0]])
    if len(scores) <= n_bins + 1:
        return scores
    return scores[np.linspace(0, len(scores) - 1, n_bins + 1).round().astype(np.intp)]
