"""What a fitted recommender answers: what next, how likely, and how well foretold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Set
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._answers import FieldAnswers
from ._asking import Asked, AskingMixin
from ._ranking_answers import RankingAnswers
from ._recording import has_items, ranks_items
from ._retrieval import Catalogue, Excluded, Known, Unmet, row_slices, seen_items
from ._warnings import warn_of_leak
from .data.histories import Histories
from .data.popularity import first_times
from .data.queries import Queries, have_later_events, own_events, past_events
from .data.ragged import equal_rows


class RecommendingMixin(AskingMixin):
    """Questions are read here, and answered by the room that belongs to what was fitted."""

    _catalogue: Catalogue
    _fields: Any
    _met_since: NDArray[np.float64]
    _popular_excess: NDArray[np.float32]

    @property
    def _answers(self) -> Any:
        """The room that answers: it has the methods that this class passes on to it."""
        check_is_fitted(self)
        return RankingAnswers(self) if has_items(self) else FieldAnswers(self)

    @abstractmethod
    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return the vectors of histories (n_queries, n_dims)."""

    def _known(self, queries: Queries) -> Known:
        """Return what the items are scored by."""
        return Known(self._hidden(queries), unmet=self._unmet(queries))

    def _unmet(self, queries: Queries) -> Unmet | None:
        """Return what items score too much where they are asked about before anybody met them."""
        by_popularity = self._without_history(queries) if self._has_times else np.zeros(0, bool)
        if not by_popularity.any():
            return None
        at = np.where(by_popularity, queries.at, np.inf)
        if queries.own is not None:  # what is met at that moment alone is met by who asks
            at = np.where(np.diff(queries.own.indptr) > 0, np.nextafter(at, -np.inf), at)
        unmet = Unmet(self._met_since, self._popular_excess, at)
        return unmet if unmet.any.any() else None

    def _without_history(self, queries: Queries) -> NDArray[np.bool_]:
        """Return which queries are answered by what is popular (n_queries,)."""
        return np.ones(len(queries), dtype=bool)

    def _keep_popular(self, scores: NDArray[np.float32], least: np.float32 | float) -> None:
        """Remember since when popular items could be so, and by how much they exceed the least."""
        self._met_since = first_times(self._histories, len(self.items_))
        self._popular_excess = (scores - least).astype(np.float32)

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
        user_features: Any = None,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the k best items for each user, best first.

        Parameters
        ----------
        X : array-like of shape (n_users,) or DataFrame, default=None
            Users, or a table with their column, perhaps one of times, when each asks, and columns
            of the context, which is unknown otherwise; an array of two dimensions has the columns
            of ``fit``. Unknown users get what is popular, or what is foretold of an unknown user.
            None takes all users of ``fit``, as in ``users_``. Where labels are foretold, all
            columns of ``fit`` may tell of the moment.
        k : int, default=10
            Items wanted.
        histories : list of lists of items, default=None
            What other users did, instead of ``X``: their items from the first to the last. Nothing
            is trained anew; unknown items are skipped in scoring, not in counting events. Where
            anything is known of users or of the moment, ``X`` may tell it, row by row.
        candidates : array-like or set of items, default=None
            Items to choose from; None takes all.
        blocked : array-like or set of items, default=None
            Items not to recommend.
        filter_seen : bool, default=True
            Whether to leave out what is in the user's history, and what the user turned down: rows
            of ``fit`` with a ``y`` of 0 or less.
        at : object, default=None
            When to recommend, a time like those of ``fit``: events after it are not looked at, and
            where it is popularity that counts, items met only later count as met by nobody. None is
            the time of the last interaction in ``fit``.
        user_features : DataFrame, default=None
            A table like that of ``fit`` which tells of further users, or of the same ones anew.

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
        asked, source = self._asking(X, histories, self._time_of(at), user_features)
        nobody = self._nobodys(candidates, blocked)
        best = np.full((len(asked.users), int(k)), -1)
        scores = np.full(best.shape, -np.inf, dtype=np.float32)
        for rows in row_slices(len(asked.users)):
            some = asked.take(rows)
            left_out = Excluded(nobody, *self._seen(source, some.users, some.at, filter_seen))
            best[rows], scores[rows] = answers.best(self._queries(some, source), int(k), left_out)
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
            Which rows ask together, by any label: rows of one user, time and context. Their items
            are ranked in one list, and none of these rows is seen, should it be one of ``fit``.
            None asks row by row.

        Returns
        -------
        n_above, n_tied : ndarray of shape (n_samples,), dtype intp
            As `sk_attention.metrics.target_ranks` counts them; an unknown item ranks last.

        Raises
        ------
        ValueError
            If rows that ask together are of several users, times or contexts.

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

        The rows of one user, time and context are one question, and its items are to lead one
        list; the score is the mean over the questions. Without users and items it is R^2 of the
        relevance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions to be foretold.
        y : array-like of shape (n_samples,), default=None
            Relevance. Rows of 0 or less were turned down, and are not to be foretold. Without users
            and items, what is to be foretold.
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

    # ---- what is asked, and what may not be answered -------------------------------------------

    def _named(self, best: NDArray[np.int64]) -> NDArray[Any]:
        """Return the items at these positions, None where there is none."""
        items = self.items_[np.maximum(best, 0)]
        if (best < 0).any():
            items = items.astype(object)
            items[best < 0] = None
        return items

    def _together(self, rows: Asked, queries: Any) -> tuple[NDArray[np.intp], Asked]:
        """Return the number of each row's question, and the questions: none sees its own rows."""
        assert rows.items is not None
        own = self._own_events(rows)
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
            or not all(equal_rows(own[first][query], own) for own in rows.contexts())
        ):
            raise ValueError(
                "queries must hold one label per row of X, the same only for rows of one user, "
                "time and context."
            )
        asking = np.ones(len(query), dtype=bool), (query, np.arange(len(query)))
        own = sp.csr_array(asking, shape=(len(first), len(query))) @ own
        known = np.diff(own.indptr) > 0
        # nothing of that moment is seen where several rows of it are to be foretold
        at = np.where(known & (n_rows > 1), np.nextafter(at, -np.inf), at)
        codes = {name: values[first] for name, values in rows.codes.items()}
        return query, Asked(users, items, at, codes, own)

    def _own_events(self, rows: Asked) -> sp.csr_array:
        """Return which events the rows are (n_rows, n_events); warn of rows that have leaked."""
        if not self._has_times:
            return sp.csr_array((len(rows.users), len(self._histories)), dtype=bool)
        assert rows.items is not None
        own = own_events(self._histories, rows.users, rows.at, rows.items)
        later = have_later_events(self._histories, rows.users, rows.at)
        if (later & (np.diff(own.indptr) == 0)).any():
            warn_of_leak(self)
        return own

    def _nobodys(self, candidates: Any, blocked: Any) -> NDArray[np.bool_]:
        """Return which items nobody is to get (n_items,)."""
        out = np.zeros(len(self.items_) + 1, dtype=bool)
        if candidates is not None:
            out[:] = True
            out[self._item_ids.codes_of(_in_any_order(candidates), "candidates")] = False
        if blocked is not None:
            out[self._item_ids.codes_of(_in_any_order(blocked), "blocked")] = True
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
        seen = seen_items(source, *past_events(source, users, at))
        if source is not self._histories or not len(self._disliked):
            return seen
        events = self._disliked.events
        disliked = seen_items(events, *past_events(events, users, at))
        query, item = np.hstack([seen, disliked])
        order = np.argsort(query, kind="stable")
        return query[order], item[order]


def _in_any_order(items: Any) -> Any:
    return list(items) if isinstance(items, Set) else items


def check_k(k: Any) -> None:
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}.")
