"""The baseline of every recommender: what is popular, or was lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
)

from ._inputs import read_columns
from ._interactions import check_relevance, find_roles
from ._recommending import RecommendingMixin
from ._recording import has_items
from ._retrieval import Catalogue
from ._validation import POPULAR_CONSTRAINTS, all_or_nothing
from .data.columns import Column
from .data.popularity import item_weights
from .data.queries import Queries


class PopularRecommender(RecommendingMixin, BaseEstimator):
    """Recommend to everyone what most interactions are with.

    Compare with it before you trust a recommender: where tastes are alike or fashions change, it is
    hard to beat. It has the methods of `AttentionRecommender`, and leaves out what a user has
    already had, unless told otherwise. Where there are neither users nor items it foretells the
    mean of ``y``.

    Parameters
    ----------
    user : "auto", str or int, default="auto"
        Name or position of the column of users. "auto" takes the column called "user" or "user_id".
    item : "auto", str or int, default="auto"
        Name or position of the column of items. "auto" takes the column called "item" or "item_id".
    timestamp : "auto", str, int or None, default="auto"
        Name or position of the column of times: numbers, datetimes or strings of these; needed for
        ``half_life``.
    half_life : float or None, default=None
        Share of the interactions over which the weight of one halves: for 0.1 it counts half as
        much as one that came a tenth of all interactions later, and what is popular lately comes
        first. None counts all alike.

    Attributes
    ----------
    items_ : ndarray of shape (n_items,)
        The items known, sorted.
    item_reach_ : ndarray of shape (n_items,), dtype float64
        Share of the users who met each item.
    users_ : ndarray of shape (n_users,)
        The users known, sorted.
    popularity_ : ndarray of shape (n_items,), dtype float64
        Weight of each item's interactions, less the older they are: their scores.
    n_features_in_ : int
        Number of columns in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are all strings.

    See Also
    --------
    AttentionRecommender : Ranks by what the user did.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_attention import PopularRecommender
    >>> X = pd.DataFrame(
    ...     {"user": ["Ann", "Bob", "Cy", "Cy"], "item": ["tea", "tea", "tea", "jam"]}
    ... )
    >>> items, scores = PopularRecommender().fit(X).recommend(["Ann", "Di"], k=2)
    >>> items.tolist()
    [['jam', None], ['tea', 'jam']]
    """

    _parameter_constraints: dict[str, Any] = POPULAR_CONSTRAINTS
    max_history = 1
    task = "ranking"

    def __init__(
        self,
        *,
        user: Any = "auto",
        item: Any = "auto",
        timestamp: Any = "auto",
        half_life: float | None = None,
    ) -> None:
        self.user = user
        self.item = item
        self.timestamp = timestamp
        self.half_life = half_life

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> PopularRecommender:
        """Count interactions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            One interaction per row, in any order.
        y : array-like of shape (n_samples,), default=None
            How much each interaction counts; with 0 or less the item was turned down, counts
            nothing and is recommended to that user no more. Without users and items, the number to
            foretell.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; multiplied by ``y``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y breaks a rule.
        """
        with all_or_nothing(self):
            self._validate_params()
            self._forget()
            columns = read_columns(self, X, reset=True)
            self._roles = find_roles(self, columns)
            if self._roles.user is None:
                return self._fit_fields(X, y, sample_weight, columns)
            if self.half_life is not None and self._roles.timestamp is None:
                raise ValueError(
                    f"half_life={self.half_life} counts the latest interactions more, but X has no "
                    "column of times: call it 'timestamp', or give its name or position as "
                    "timestamp=."
                )
            self._record(columns, y, sample_weight)
            self._count()
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> PopularRecommender:
        """Count more interactions; users and items may be new.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions that were not passed before.
        y : array-like of shape (n_samples,), default=None
            As in `fit`; but for the first call, all items may have been turned down.
        sample_weight : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The estimator, as if it had been fitted on all rows.

        Raises
        ------
        ValueError
            If a parameter, X or y breaks a rule. The estimator is then as it was.
        """
        if not hasattr(self, "_roles"):
            return self.fit(X, y, sample_weight)
        with all_or_nothing(self):
            self._validate_params()
            columns = read_columns(self, X, reset=False)
            if not has_items(self):
                return self._fit_fields(X, y, sample_weight, columns)
            columns, weight = self._further_rows(columns, y, sample_weight)
            item = columns[self._roles.who_and_what[1]]
            self._learn_items(item)
            self._add(columns, weight, self._item_ids.codes(item), {})
            self._count()
        return self

    def _fit_fields(
        self, X: Any, y: Any, sample_weight: Any, columns: Sequence[Column]
    ) -> PopularRecommender:
        """Without users and items, foretell the mean of ``y``."""
        check_relevance(self, y, columns)
        for column in columns:
            if isinstance(column.values, np.ndarray):  # an array holds numbers
                column.as_numbers()
        y = column_or_1d(y, warn=True)
        check_consistent_length(columns[0].values, y)
        weight = _check_sample_weight(sample_weight, columns[0].values, dtype=np.float64)
        mean, total = getattr(self, "_counted", (0.0, 0.0))  # of partial fits before
        total += weight.sum()
        mean += (weight * (y.astype(np.float64) - mean)).sum() / total
        self._counted = mean, total
        self._fields = DummyRegressor(strategy="constant", constant=mean).fit(X, y)
        return self

    def _count(self) -> None:
        """Weigh the interactions of each item."""
        half_life = np.inf if self.half_life is None else self.half_life
        self.popularity_ = item_weights(self._histories, len(self.items_), half_life)
        nothing = np.zeros((len(self.items_), 1), dtype=np.float32)
        scores = self.popularity_.astype(np.float32)
        self._catalogue = Catalogue(nothing, scores)
        self._keep_popular(scores, 0.0)

    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return what all histories have in common: nothing."""
        return np.zeros((len(queries), 1), dtype=np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
