"""What a fitted recommender answers: what next, how likely, and how well foretold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._inputs import read_columns
from ._interactions import event_times, one_time
from ._recording import RecordingMixin, has_items
from ._retrieval import Catalogue, Excluded, query_slices, seen_items
from .data.columns import Column, is_table, table_columns
from .data.histories import Histories
from .data.queries import Queries, build_queries, past_events
from .data.roles import resolve_role
from .metrics import ndcg_at_k, target_ranks


class Asked(NamedTuple):
    """Rows that ask for recommendations, or for the score of an item."""

    users: NDArray[np.int64]  # from 0, -1 is unknown
    items: NDArray[np.int64] | None  # codes
    at: NDArray[np.float64]
    codes: Mapping[str, NDArray[Any]] = MappingProxyType({})  # what else a network reads of them


class RecommendingMixin(RecordingMixin):
    """Recommendations and scores: products of a history's vector with those of the items."""

    max_history: int
    _catalogue: Catalogue
    _fields: Any

    @abstractmethod
    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return the vectors of histories (n_queries, n_dims)."""

    @available_if(has_items)
    def recommend(
        self,
        X: Any = None,
        k: int = 10,
        *,
        histories: Any = None,
        candidates: Any = None,
        blocked: Any = None,
        filter_seen: bool = True,
        at: Any = None,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the k best items for each user, best first.

        Parameters
        ----------
        X : array-like of shape (n_users,) or DataFrame, default=None
            Users, or a table with their column and perhaps one of times, when each asks. Unknown
            users get what is popular. None takes all users of ``fit``, as in ``users_``.
        k : int, default=10
            Items wanted.
        histories : list of lists of items, default=None
            What other users did, instead of ``X``: their items from the first to the last. Nothing
            is trained anew; unknown items are skipped in scoring, not in counting events.
        candidates : array-like of items, default=None
            Items to choose from; None takes all.
        blocked : array-like of items, default=None
            Items not to recommend.
        filter_seen : bool, default=True
            Whether to leave out what is in the user's history.
        at : object, default=None
            When to recommend, a time like those of ``fit``: events after it are not looked at.
            None is the time of the last interaction in ``fit``.

        Returns
        -------
        items : ndarray of shape (n_users, k)
            Items, in the dtype of ``items_``, or objects with None where fewer are left.
        scores : ndarray of shape (n_users, k), dtype float32
            Their scores, -inf where there is no item.

        Raises
        ------
        ValueError
            If a parameter breaks a rule.
        """
        check_is_fitted(self)
        check_k(k)
        if X is not None and histories is not None:
            raise ValueError("X and histories were both passed: give one of them.")
        now = self._time_of(at)
        if histories is None:
            asked = self._askers(X, now)
            source, users, times = self._histories, asked.users, asked.at
        else:
            source = self._new_histories(histories, now)
            users = np.arange(source.n_users)
            times = np.full(source.n_users, now)
        hidden = self._hidden(build_queries(source, users, times, None, *self._sizes))
        left_out = self._excluded(source, users, times, candidates, blocked, filter_seen)
        best, scores = self._catalogue.best(hidden, int(k), left_out)
        return self._named(best), scores

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each row's item for its user, at its time.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. A row sees the events of its user in ``fit`` at or before
            its time, except itself.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            The higher, the more likely; for an unknown item, the lowest score of all items.
        """
        check_is_fitted(self)
        if not has_items(self):
            read_columns(self, X, reset=False)
            foretold: NDArray[np.float64] = self._fields.predict(X)
            return foretold
        asked = self._rows(X)
        hidden = self._row_vectors(asked)
        assert asked.items is not None
        scores = self._catalogue.pair_scores(hidden, np.maximum(asked.items - 1, 0))
        unknown = np.flatnonzero(asked.items == 0)
        for rows in query_slices(len(unknown), len(self._catalogue)):
            scores[unknown[rows]] = self._catalogue.scores(hidden[unknown[rows]]).min(axis=1)
        return scores.astype(np.float64)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each row's item for its user, as `decision_function` does.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            The higher, the more likely.
        """
        return self.decision_function(X)

    @available_if(has_items)
    def target_ranks(
        self, X: Any, *, filter_seen: bool = True
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Count the items that score higher than each row's item, and those that tie with it.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``; each is an interaction to be foretold.
        filter_seen : bool, default=True
            Whether to rank only what is new to the user, and the row's own item.

        Returns
        -------
        n_above, n_tied : ndarray of shape (n_samples,), dtype intp
            As `sk_attention.metrics.target_ranks` counts them; an unknown item ranks last.
        """
        asked = self._rows(X)
        hidden = self._row_vectors(asked)
        assert asked.items is not None
        left_out = self._excluded(self._histories, asked.users, asked.at, None, None, filter_seen)
        above, tied = np.zeros((2, len(hidden)), dtype=np.intp)
        for rows in query_slices(len(hidden), len(self._catalogue)):
            scores = self._catalogue.scores(hidden[rows])
            above[rows], tied[rows] = target_ranks(
                scores, asked.items[rows] - 1, left_out.mask(rows)
            )
        return above, tied

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return NDCG@10: how near the top of all items new to the user each row's item is.

        Without users and items it is R^2 of the relevance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions to be foretold.
        y : array-like of shape (n_samples,), default=None
            Relevance, where there are no users and items; else not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        ndcg : float
            From 0 to 1; items that nobody met in ``fit`` are misses.
        """
        check_is_fitted(self)
        if not has_items(self):
            read_columns(self, X, reset=False)
            return float(self._fields.score(X, y, sample_weight))
        n_above, n_tied = self.target_ranks(X)
        k = min(10, len(self.items_))
        return float(ndcg_at_k(n_above, n_tied, k=k, sample_weight=sample_weight))

    # ---- rows to queries -----------------------------------------------------------------------

    def _named(self, best: NDArray[np.int64]) -> NDArray[Any]:
        """Return the items at these positions, None where there is none."""
        items = self.items_[np.maximum(best, 0)]
        if (best < 0).any():
            items = items.astype(object)
            items[best < 0] = None
        return items

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.max_history, len(self.items_) + 1

    def _rows(self, X: Any) -> Asked:
        check_is_fitted(self)
        columns = read_columns(self, X, reset=False)
        user, item = (columns[position] for position in self._roles.who_and_what)
        users, items = self._user_ids.codes(user) - 1, self._item_ids.codes(item)
        return Asked(users, items, self._times(columns), self._asked_codes(columns, items))

    def _asked_codes(
        self, columns: Sequence[Column], items: NDArray[np.int64]
    ) -> dict[str, NDArray[Any]]:
        """Return what else a network reads of rows."""
        return {}

    def _queries(self, asked: Asked) -> Queries:
        own = asked.items if self._has_times else None
        queries = build_queries(self._histories, asked.users, asked.at, own, *self._sizes)
        return replace(queries, asked=asked.codes)

    def _row_vectors(self, asked: Asked) -> NDArray[np.float32]:
        return self._hidden(self._queries(asked))

    def _askers(self, X: Any, now: float) -> Asked:
        """Read users, with or without a time of their own."""
        if X is None:
            users = np.arange(len(self.users_))
            return Asked(users, None, np.full(len(users), now))
        if not is_table(X):
            users = self._user_ids.codes_of(X, "X") - 1
            return Asked(users, None, np.full(len(users), now))
        columns = table_columns(X)
        names = [column.name for column in columns]
        position = self._position(names, "user")
        if position is None:
            raise ValueError(f"X has no column of users among {names[:20]}.")
        users = self._user_ids.codes(columns[position]) - 1
        time = self._position(names, "timestamp") if self._has_times else None
        if time is None:
            return Asked(users, None, np.full(len(users), now))
        return Asked(users, None, event_times(columns[time], len(users)))

    def _position(self, names: Sequence[str], role: str) -> int | None:
        """Find a column of a table that has not all columns of ``fit``."""
        known = getattr(self, "feature_names_in_", None)
        name = None if known is None else known[getattr(self._roles, role)]
        return resolve_role(names, role, name if name in names else "auto")

    def _time_of(self, at: Any) -> float:
        if at is None:
            return self._now
        if not self._has_times:
            raise ValueError("at was passed, but fit knew of no times: X had no timestamp column.")
        try:
            return one_time(at)
        except (TypeError, ValueError) as error:
            raise ValueError(f"at must be one time like those of fit, got {at!r}.") from error

    def _new_histories(self, histories: Any, now: float) -> Histories:
        """Take lists of items as histories; their events are the usual gap apart, the last now."""
        codes = [self._item_ids.codes_of(own, "histories") for own in histories]
        lengths = np.array([len(own) for own in codes], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        items = np.concatenate([np.zeros(0, dtype=np.int64), *codes])
        behind = starts[1:].repeat(lengths) - 1 - np.arange(len(items))
        gap = self._usual_gap if self._has_times else 0.0
        times = (now - behind * gap).astype(np.float64)
        return Histories(items, times, np.ones(len(items)), starts)

    def _excluded(
        self,
        source: Histories,
        users: NDArray[np.int64],
        at: NDArray[np.float64],
        candidates: Any,
        blocked: Any,
        filter_seen: bool,
    ) -> Excluded:
        everywhere = np.zeros(len(self.items_) + 1, dtype=bool)
        if candidates is not None:
            everywhere[:] = True
            everywhere[self._item_ids.codes_of(candidates, "candidates")] = False
        if blocked is not None:
            everywhere[self._item_ids.codes_of(blocked, "blocked")] = True
        nothing = np.zeros(0, dtype=np.int64)
        query, item = nothing, nothing
        if filter_seen:
            query, item = seen_items(source, *past_events(source, users, at))
        return Excluded(everywhere[1:], query, item)


def check_k(k: Any) -> None:
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}.")
