"""What a fitted recommender answers: what next, how likely, and how well foretold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._answers import Asked, FieldAnswers
from ._inputs import read_columns
from ._interactions import TIME_KINDS, event_times, id_column, one_time
from ._ranking_answers import RankingAnswers
from ._recording import RecordingMixin, has_items, ranks_items
from ._retrieval import Catalogue, Excluded, row_slices, seen_items
from ._warnings import warn_of_leak
from .data.columns import Column, is_table, table_columns
from .data.histories import Histories
from .data.queries import (
    Queries,
    build_queries,
    count_own,
    have_later_events,
    past_events,
)
from .data.roles import resolve_role
from .data.sessions import sessions_by_gap


class RecommendingMixin(RecordingMixin):
    """Questions are read here, and answered by the room that belongs to what was fitted."""

    max_history: int
    n_features_in_: int
    _catalogue: Catalogue
    _fields: Any

    @property
    def _answers(self) -> Any:
        """The room that answers: it has the methods that this class passes on to it."""
        check_is_fitted(self)
        return RankingAnswers(self) if has_items(self) else FieldAnswers(self)

    @abstractmethod
    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return the vectors of histories (n_queries, n_dims)."""

    @property
    def _n_reading(self) -> int:
        """How many of the best items read the history before they are ranked; most often none."""
        return 0

    def _read_scores(
        self, queries: Queries, candidates: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        """Return what candidates (n_queries, n_candidates) score by reading; None takes all."""
        n_candidates = len(self.items_) if candidates is None else candidates.shape[1]
        return np.zeros((len(queries), n_candidates), dtype=np.float32)

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
            Users, or a table with their column and perhaps one of times, when each asks; an array
            of two dimensions has the columns of ``fit``. Unknown users get what is popular, or what
            is foretold of an unknown user. None takes all users of ``fit``, as in ``users_``. Where
            labels are foretold, a table may tell more of the moment, by the columns that ``fit``
            had; what is not there is unknown.
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
            Their scores, -inf where there is no item. Where labels are foretold it is the label
            itself: the number; the probability of the second of two classes; the mean, weighted
            with the probabilities, of more classes that are numbers.

        Raises
        ------
        ValueError
            If a parameter breaks a rule, or there are more than two classes that are no numbers,
            of which nobody knows which is wanted.
        """
        answers = self._answers
        check_k(k)
        if X is not None and histories is not None:
            raise ValueError("X and histories were both passed: give one of them.")
        now = self._time_of(at)
        if histories is None:
            source, asked = self._histories, self._askers(X, now)
        else:
            source, asked = self._strangers(histories, now)
        nobody = self._nobodys(candidates, blocked)
        best = np.full((len(asked.users), int(k)), -1)
        scores = np.full(best.shape, -np.inf, dtype=np.float32)
        for rows in row_slices(len(asked.users)):
            some = asked.take(rows)
            queries = build_queries(source, some.users, some.at, None, *self._sizes)
            left_out = Excluded(nobody, *self._seen(source, some.users, some.at, filter_seen))
            queries = replace(queries, asked=some.codes)
            best[rows], scores[rows] = answers.best(queries, int(k), left_out)
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
        scores: NDArray[np.float64] = self._answers.decision_function(X)
        return scores

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
        scores: NDArray[np.float64] = self._answers.predict(X)
        return scores

    @available_if(ranks_items)
    def target_ranks(
        self, X: Any, *, filter_seen: bool = True, queries: Any = None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Count the items that score higher than each row's item, and those that tie with it.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``; each is an interaction to be foretold.
        filter_seen : bool, default=True
            Whether to rank only what is new to the user, and what is to be foretold.
        queries : array-like of shape (n_samples,), default=None
            Which rows ask together, by any label: rows of one user and time. Their items are ranked
            in one list, and none of these rows is seen, should it be one of ``fit``. None asks row
            by row.

        Returns
        -------
        n_above, n_tied : ndarray of shape (n_samples,), dtype intp
            As `sk_attention.metrics.target_ranks` counts them; an unknown item ranks last.

        Raises
        ------
        ValueError
            If rows that ask together are of several users or times.

        Warns
        -----
        LeakageWarning
            If a row that was not in ``fit`` is older than what its user did there.
        """
        rows = self._rows(X)
        query, asked = self._together(rows, queries)
        assert rows.items is not None
        above, tied = np.zeros((2, len(query)), dtype=np.intp)
        order = np.argsort(query, kind="stable")
        for part in row_slices(len(asked.users)):
            asking = order[slice(*np.searchsorted(query[order], [part.start, part.stop]))]
            own = query[asking] - part.start
            above[asking], tied[asking] = self._answers.ranks(
                asked.take(part), own, rows.items[asking] - 1, filter_seen
            )
        return above, tied

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return NDCG@10: how near the top of all items new to the user those of the rows are.

        The rows of one user and time are one question, and its items are to lead one list; the
        score is the mean over the questions. Without users and items it is R^2 of the relevance.

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

        Warns
        -----
        LeakageWarning
            If a row that was not in ``fit`` is older than what its user did there.
        """
        return float(self._answers.score(X, y, sample_weight))

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

    def _together(self, rows: Asked, queries: Any) -> tuple[NDArray[np.intp], Asked]:
        """Return the number of each row's question, and the questions: none sees its own rows."""
        assert rows.items is not None
        n_own = np.zeros(len(rows.users), dtype=np.int64)
        if self._has_times:
            n_own = count_own(self._histories, rows.users, rows.at, rows.items)
            if (have_later_events(self._histories, rows.users, rows.at) & (n_own == 0)).any():
                warn_of_leak(self)
        if queries is None:
            return np.arange(len(rows.users)), rows
        _, first, query, n_rows = np.unique(
            np.asarray(queries), return_index=True, return_inverse=True, return_counts=True
        )
        users, items, at = rows.users[first], rows.items[first], rows.at[first]
        if (
            len(query) != len(rows.users)
            or (users[query] != rows.users).any()
            or (at[query] != rows.at).any()
        ):
            raise ValueError(
                "queries must hold one label per row of X, the same only for rows of one user and "
                "time."
            )
        known = np.bincount(query, n_own) > 0
        # nothing of that moment is seen where several rows of it are to be foretold
        at = np.where(known & (n_rows > 1), np.nextafter(at, -np.inf), at)
        return query, Asked(users, items, at)

    def _queries(self, asked: Asked) -> Queries:
        own = asked.items if self._has_times else None
        queries = build_queries(self._histories, asked.users, asked.at, own, *self._sizes)
        return replace(queries, asked=asked.codes)

    def _askers(self, X: Any, now: float) -> Asked:
        """Read users, with or without a time of their own and what else is known of the moment."""
        if isinstance(X, np.ndarray) and X.shape[1:] == (self.n_features_in_,):
            return self._rows(X)._replace(items=None)
        known: dict[str, Column] = {}
        time = None
        if X is None:
            who = Column("users_", self.users_)
        elif not is_table(X):
            who = id_column(X, "X")
        else:
            columns = table_columns(X)
            names = [column.name for column in columns]
            position = self._position(names, "user")
            if position is None:
                raise ValueError(f"X has no column of users among {names[:20]}.")
            who, known = columns[position], {column.name: column for column in columns}
            time = self._position(names, "timestamp") if self._has_times else None
        users = self._user_ids.codes(who) - 1
        at = np.full(len(users), now)
        if time is not None:
            at = event_times(columns[time], len(users), self._dated)
        return Asked(users, None, at, self._asker_codes(who, known))

    def _asker_codes(self, who: Column, known: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
        """Return what else a network reads of users who ask, from the columns that are known."""
        return {}

    def _strangers(self, histories: Any, now: float) -> tuple[Histories, Asked]:
        """Take lists of items as histories of users whom nobody knows, and who ask now."""
        source = self._new_histories(histories, now)
        nobody = np.full(source.n_users, None, dtype=object)
        codes = self._asker_codes(Column("histories", nobody), {})
        return source, Asked(np.arange(source.n_users), None, np.full(source.n_users, now), codes)

    def _unknown_events(self, n_events: int) -> dict[str, NDArray[Any]]:
        """Return what else a network reads of events of which nothing else is known."""
        return {}

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
            return one_time(at, self._dated)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"at must be one time like those of fit, got {at!r}: those are "
                f"{TIME_KINDS[self._dated]}."
            ) from error

    def _new_histories(self, histories: Any, now: float) -> Histories:
        """Take lists of items as histories; their events are the usual gap apart, the last now."""
        lists = [self._item_ids.codes_of(own, "histories") for own in histories]
        lengths = np.array([len(own) for own in lists], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        items = np.concatenate([np.zeros(0, dtype=np.int64), *lists])
        behind = starts[1:].repeat(lengths) - 1 - np.arange(len(items))
        gap = self._usual_gap if self._has_times else 0.0
        times = (now - behind * gap).astype(np.float64)
        users = np.arange(len(lengths)).repeat(lengths)
        nearer = np.inf if self._session_gap is None else self._session_gap
        sessions = sessions_by_gap(users, times, nearer)
        codes = self._unknown_events(max(len(items), 1))  # one at least, for padding to point to
        return Histories(items, times, np.ones(len(items)), starts, sessions, codes)

    def _nobodys(self, candidates: Any, blocked: Any) -> NDArray[np.bool_]:
        """Return which items nobody is to get (n_items,)."""
        out = np.zeros(len(self.items_) + 1, dtype=bool)
        if candidates is not None:
            out[:] = True
            out[self._item_ids.codes_of(candidates, "candidates")] = False
        if blocked is not None:
            out[self._item_ids.codes_of(blocked, "blocked")] = True
        return out[1:]

    def _seen(
        self,
        source: Histories,
        users: NDArray[np.int64],
        at: NDArray[np.float64],
        filter_seen: bool,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs of a query and an item that its user is not to get, by query."""
        if not filter_seen:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing
        return seen_items(source, *past_events(source, users, at))


def check_k(k: Any) -> None:
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}.")
