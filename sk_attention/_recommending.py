"""What a fitted recommender answers: what next, how likely, like what, and because of what."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Bunch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._interactions import Ids, Roles, event_times, one_time
from ._retrieval import Catalogue, Excluded, query_slices, seen_items
from .data.columns import Column, is_table, table_columns
from .data.histories import Histories, Queries, build_histories, build_queries, past_events
from .data.roles import resolve_role
from .metrics import ndcg_at_k, target_ranks


class Asked(NamedTuple):
    """Rows that ask for recommendations, or for the score of an item."""

    users: NDArray[np.int64]  # from 0, -1 is unknown
    items: NDArray[np.int64] | None  # codes
    at: NDArray[np.float64]


def _has_items(estimator: Any) -> bool:
    """Whether there is a catalogue: not after a fit without users and items."""
    return "_fields" not in vars(estimator)


class RecommendingMixin(TransformerMixin):
    """Recommendations, scores and explanations from histories and vectors of items."""

    max_history: int
    net_: Any
    users_: NDArray[Any]
    items_: NDArray[Any]
    _roles: Roles
    _user_ids: Ids
    _item_ids: Ids
    _histories: Histories
    _has_times: bool
    _now: float
    _usual_gap: float
    _catalogue: Catalogue
    _fields: Any

    @abstractmethod
    def _columns(self, X: Any, *, reset: bool) -> list[Column]:
        """Check X and take it apart."""

    @abstractmethod
    def _times(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """Return when each row was."""

    @available_if(_has_items)
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
        _check_k(k)
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
        if not _has_items(self):
            return self._fields.predict(X)
        asked = self._rows(X)
        hidden = self._row_vectors(asked)
        assert asked.items is not None
        known = asked.items > 0
        scores = self._catalogue.pair_scores(hidden, np.maximum(asked.items - 1, 0))
        for rows in query_slices(len(hidden), len(self._catalogue)) if not known.all() else ():
            unknown = np.flatnonzero(~known[rows]) + rows.start
            if len(unknown):
                scores[unknown] = self._catalogue.scores(hidden[unknown]).min(axis=1)
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

    @available_if(_has_items)
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
        if not _has_items(self):
            return float(self._fields.score(X, y, sample_weight))
        n_above, n_tied = self.target_ranks(X)
        k = min(10, len(self.items_))
        return float(ndcg_at_k(n_above, n_tied, k=k, sample_weight=sample_weight))

    @available_if(_has_items)
    def similar_items(self, items: Any, k: int = 10) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the items whose vectors point most nearly the same way.

        Parameters
        ----------
        items : array-like of shape (n,)
            Items of ``fit``.
        k : int, default=10
            Neighbours wanted of each, itself not among them.

        Returns
        -------
        neighbours : ndarray of shape (n, k)
            Items, the most similar first.
        similarities : ndarray of shape (n, k), dtype float32
            Cosines.

        Raises
        ------
        ValueError
            If an item is unknown, or k less than 1.
        """
        check_is_fitted(self)
        _check_k(k)
        codes = self._item_ids.codes_of(items, "items")
        if (codes == 0).any():
            raise ValueError(
                f"items holds {list(items)[int((codes == 0).argmax())]!r}, which is not among the "
                "items of fit."
            )
        vectors = self._catalogue.items.numpy()
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        nothing = np.zeros(len(vectors), dtype=bool)
        left_out = Excluded(nothing, np.arange(len(codes)), codes - 1)
        catalogue = Catalogue(vectors, np.zeros(len(vectors), dtype=np.float32))
        best, similarities = catalogue.best(vectors[codes - 1], int(k), left_out)
        return self._named(best), similarities

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the vector of each row's user, at its time.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        vectors : ndarray of shape (n_samples, embedding_dim), dtype float32
            Their products with the items' vectors, and the items' biases, are the scores.
        """
        check_is_fitted(self)
        if not _has_items(self):
            vectors: NDArray[Any] = self._fields.transform(X)
            return vectors
        return self._row_vectors(self._rows(X))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return names for the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, but for a check that they are the features of ``fit``.

        Returns
        -------
        names : ndarray of shape (n_features_out,), dtype object
            "history0", "history1", ...
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        if not _has_items(self):
            names: NDArray[np.object_] = self._fields.get_feature_names_out()
            return names
        n_dims = self._catalogue.items.shape[1]
        return np.array([f"history{j}" for j in range(n_dims)], dtype=object)

    def attend(self, X: Any) -> NDArray[np.float32]:
        """Return where the last block looks for each row, by lag.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        weights : ndarray of shape (n_samples, max_history), dtype float32
            Mean over the heads; first the latest event. Rows sum to 1, and to 0 where there is no
            event.
        """
        check_is_fitted(self)
        if not _has_items(self):
            weights: NDArray[np.float32] = self._fields.attend(X)[:, 0].astype(np.float32)
            return weights
        return self._attention(self._rows(X))

    @available_if(_has_items)
    def explain(self, X: Any) -> Bunch:
        """Return the history that each row's recommendation looks at, with its weights.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        explained : Bunch
            ``history``, ndarray of objects of shape (n_samples, max_history): items, first that of
            the latest event, None where there is no event or the item is unknown; ``weights`` of
            the same shape, as `attend` returns them.
        """
        asked = self._rows(X)
        queries = self._queries(asked)
        codes = queries.by_lag(queries.item, self.max_history)
        known = (codes > 0) & (codes <= len(self.items_))
        items = np.full(codes.shape, None, dtype=object)
        items[known] = self.items_[codes[known] - 1]
        return Bunch(history=items, weights=self._attention(asked))

    @available_if(_has_items)
    def update_history(self, X: Any) -> RecommendingMixin:
        """Add interactions to the histories, without training.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. Users may be new, items are those known.

        Returns
        -------
        self : object
            The estimator, which looks at them from now on.
        """
        check_is_fitted(self)
        user, item = (
            self._columns(X, reset=False)[position] for position in self._roles.who_and_what
        )
        old, added = self._histories, Ids(user).values_.astype(object)
        known = self.users_.astype(object)
        ids = Ids(Column(user.name, np.concatenate([known, added])))
        codes = ids.codes(Column(user.name, known))[old.users]
        times = np.concatenate([old.times, self._times(self._columns(X, reset=False))])
        items = np.concatenate([old.items, self._item_ids.codes(item)])
        self._histories = build_histories(
            np.concatenate([codes, ids.codes(user)]) - 1,
            items,
            times if self._has_times else None,
            np.ones(len(items)),
            len(ids),
        )
        self._user_ids, self.users_ = ids, ids.values_
        self._now = max(self._now, float(times.max()))
        return self

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
        columns = self._columns(X, reset=False)
        user, item = (columns[position] for position in self._roles.who_and_what)
        users = self._user_ids.codes(user) - 1
        return Asked(users, self._item_ids.codes(item), self._times(columns))

    def _queries(self, asked: Asked) -> Queries:
        own = asked.items if self._has_times else None
        return build_queries(self._histories, asked.users, asked.at, own, *self._sizes)

    def _row_vectors(self, asked: Asked) -> NDArray[np.float32]:
        return self._hidden(self._queries(asked))

    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return the vectors of histories (n_queries, embedding_dim)."""
        net = self.net_
        if not len(queries):
            return np.zeros((0, net.module_.embedding.shape[1]), dtype=np.float32)
        batches = queries.batches(net.module_.rows_at_a_time(), net.device)
        hidden = net.forward_batches(lambda inputs: net.module_(inputs).hidden, batches)
        return hidden.astype(np.float32)

    def _attention(self, asked: Asked) -> NDArray[np.float32]:
        net, queries = self.net_, self._queries(asked)
        size = net.module_.rows_at_a_time()
        width = queries.item.shape[1]

        def padded(inputs: Any) -> torch.Tensor:
            weights = net.module_.attention(inputs)
            return torch.nn.functional.pad(weights, (0, width - weights.shape[1]))

        weights = net.forward_batches(padded, queries.batches(size, net.device)).copy()
        weights[queries.item == len(self.items_) + 1] = 0.0  # the start is no event
        weights = queries.by_lag(weights, self.max_history)
        total = weights.sum(axis=1, keepdims=True)
        return (weights / np.where(total > 0, total, 1.0)).astype(np.float32)

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


def _check_k(k: Any) -> None:
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}.")
