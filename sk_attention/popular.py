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
from ._retrieval import Catalogue
from ._validation import POPULAR_CONSTRAINTS, all_or_nothing
from .data.columns import Column
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
        Name or position of the column of times, numbers or datetimes; needed for ``recent`` below
        1.0.
    recent : float, default=1.0
        Share of the interactions to count, the latest ones; 1.0 counts all, 0.1 what was popular
        lately. Items without one among them follow in the order of all.

    Attributes
    ----------
    items_ : ndarray of shape (n_items,)
        The items known, sorted.
    users_ : ndarray of shape (n_users,)
        The users known, sorted.
    popularity_ : ndarray of shape (n_items,), dtype float64
        Weight of the interactions counted, by item.
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

    def __init__(
        self,
        *,
        user: Any = "auto",
        item: Any = "auto",
        timestamp: Any = "auto",
        recent: float = 1.0,
    ) -> None:
        self.user = user
        self.item = item
        self.timestamp = timestamp
        self.recent = recent

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> PopularRecommender:
        """Count interactions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            One interaction per row, in any order.
        y : array-like of shape (n_samples,), default=None
            How much each interaction counts; rows of 0 or less are left out. Without users and
            items, the number to foretell.
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
            if self.recent < 1 and self._roles.timestamp is None:
                raise ValueError(
                    f"recent={self.recent} counts the latest interactions, but X has no column of "
                    "times: call it 'timestamp', or give its name or position as timestamp=."
                )
            columns, weight = self._counted(columns, y, sample_weight)
            self._learn_ids(columns)
            self._sort_events(columns, weight)
            self.popularity_ = self._count(self.recent)
            everything = self._count(1.0)
            scores = self.popularity_ + everything / (2 * everything.sum())  # breaks ties
            nothing = np.zeros((len(self.items_), 1), dtype=np.float32)
            self._catalogue = Catalogue(nothing, scores.astype(np.float32))
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
        self._fields = DummyRegressor().fit(X, y.astype(np.float64), weight)
        return self

    def _count(self, recent: float) -> NDArray[np.float64]:
        """Weigh the interactions of each item, the latest share of them."""
        histories = self._histories
        n_counted = max(round(recent * len(histories)), 1)
        order = np.argsort(histories.times, kind="stable")[-n_counted:]
        counts = np.zeros(len(self.items_))
        np.add.at(counts, histories.items[order] - 1, histories.weight[order])
        return counts

    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return what all histories have in common: nothing."""
        return np.zeros((len(queries), 1), dtype=np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
