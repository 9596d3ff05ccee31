"""What a fitted recommender with attention lets one look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Bunch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._asking import Asked
from ._best_items import best_items
from ._recommending import RecommendingMixin, check_k
from ._recording import has_items, ranks_items
from ._retrieval import Follows, Known, query_slices, row_slices
from .data.queries import Queries
from .data.transitions import REACH, Transitions


class HistoryReadingMixin(RecommendingMixin, TransformerMixin):
    """Vectors of users and items, and where the attention of each row goes."""

    net_: Any
    transition_weight_: float
    _fields: Any
    _transitions: Transitions

    @available_if(has_items)
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
        check_k(k)
        codes = self._item_ids.codes_of(items, "items")
        if (codes == 0).any():
            raise ValueError(
                f"items holds {list(items)[int((codes == 0).argmax())]!r}, which is not among the "
                "items of fit."
            )
        with torch.inference_mode():
            vectors = self.net_.module_.eval().items.all().float().cpu().numpy()
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        best = np.full((len(codes), int(k)), -1)
        similarities = np.full(best.shape, -np.inf, dtype=np.float32)
        for rows in query_slices(len(codes), len(vectors)):
            own = codes[rows] - 1
            cosines = vectors[own] @ vectors.T
            cosines[np.arange(len(own)), own] = -np.inf
            best[rows], similarities[rows] = best_items(cosines, int(k))
        return self._named(best), similarities

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the vector of each row's user, at its time.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        vectors : ndarray of shape (n_samples, n_dims), dtype float32
            Where items are ranked, n_dims is ``embedding_dim``, and products with the items'
            vectors, and the items' biases, are the scores of users with a history, but for what
            ``transition_weight_`` adds; with ``attention="double"`` those that choose which items
            are ranked anew. With "cross" they are what an item reads of which nothing is known.
            Where labels are foretold, what was read of the history.
        """
        check_is_fitted(self)
        if not has_items(self):
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
        if not has_items(self):
            names: NDArray[np.object_] = self._fields.get_feature_names_out()
            return names
        n_dims = self.net_.module_.hidden_dim
        return np.array([f"history{j}" for j in range(n_dims)], dtype=object)

    def attend(self, X: Any) -> NDArray[np.float32]:
        """Return where each row looks, by lag.

        With ``attention`` "cross" or "double" it is where the row's item looks, else where the last
        block does.

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
        if not has_items(self):
            weights: NDArray[np.float32] = self._fields.attend(X)[:, 0].astype(np.float32)
            return weights
        return np.concatenate(list(self._attention(self._rows(X))))

    @available_if(has_items)
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
            the same shape, as `attend` returns them. With ``attention`` "cross" or "double" also
            ``contributions`` of that shape, what the row's item scores by reading each event, and
            ``base`` of shape (n_samples,), what it scores otherwise: the sum of them all is what
            `decision_function` returns. Rankings have ``transitions`` of shape (n_samples,), what
            the row's item scores because it followed the latest events before, which ``base``
            includes; and, where they read the context or features of users, ``context`` and
            ``user`` of that shape: by how much more than the mean of all items the row's item
            scores than if they were unknown. All three are NaN for an unknown item.
        """
        asked = self._rows(X)
        queries = self._queries(asked)
        codes = queries.by_lag(queries.item, self.max_history)
        known = (codes > 0) & (codes <= len(self.items_))
        items = np.full(codes.shape, None, dtype=object)
        items[known] = self.items_[codes[known] - 1]
        explained = Bunch(history=items, weights=np.concatenate(list(self._attention(asked))))
        if not ranks_items(self):
            return explained
        assert asked.items is not None
        gains = self._follows(queries).pair_gains(np.maximum(asked.items - 1, 0))
        explained.update(transitions=np.where(asked.items > 0, gains, np.nan))
        explained.update(self._said_of_askers(queries, asked.items - 1))
        if self._n_reading:
            contributions = self._contributions(queries, asked.items - 1)
            scores = self._answers.pair_scores(queries, asked.items - 1)
            explained.update(contributions=contributions, base=scores - contributions.sum(axis=1))
        return explained

    def _said_of_askers(
        self, queries: Queries, items: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float32]]:
        """Return what one item each scores for what is known of who asks, and in which context."""
        return {}

    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return what scores the items: vectors of histories, and 1 where there is none.

        Where there is none, what is popular is corrected by how the vector differs from that of one
        of whom nothing is known: not at all, if nothing is.
        """
        nobody, module = self._without_history(queries), self.net_.module_
        n_dims = self._catalogue.items.shape[1] - 1
        vectors = np.zeros((len(queries), n_dims), dtype=np.float32)
        if module.encoder is not None or module.reads_askers:
            vectors = self._forward(module.first_vector, queries, (n_dims,))
        unknown = self._stranger if module.reads_askers else vectors[nobody]
        vectors[nobody] -= unknown
        return np.column_stack([vectors, nobody]).astype(np.float32)

    def _known(self, queries: Queries) -> Known:
        """Return what the items are scored by: vectors, and what followed the latest events."""
        hidden, unmet = self._hidden(queries), self._unmet(queries)
        follows = None if self.transition_weight_ == 0 else self._follows(queries)
        return Known(hidden, follows, unmet)

    def _follows(self, queries: Queries) -> Follows:
        latest = queries.by_lag(queries.item, min(REACH, self.max_history))
        own = queries.own
        if own is not None:
            own = self._transitions.counted_of(self._histories, own)
        return Follows(self._transitions, self.transition_weight_, latest, own)

    def _without_history(self, queries: Queries) -> NDArray[np.bool_]:
        return (queries.n_tokens == 1) & (queries.item[:, 0] == len(self.items_) + 1)

    def _vectors(self, queries: Queries) -> NDArray[np.float32]:
        module = self.net_.module_
        return self._forward(module.hidden, queries, (module.hidden_dim,))

    def _row_vectors(self, asked: Asked) -> NDArray[np.float32]:
        parts = [
            self._vectors(self._queries(asked.take(rows))) for rows in row_slices(len(asked.users))
        ]
        return np.concatenate(parts)

    @property
    def _n_reading(self) -> int:
        n_candidates: int = self.net_.module_.n_candidates
        return n_candidates

    def _read_scores(
        self, queries: Queries, candidates: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        module = self.net_.module_
        if module.reader is None:
            return super()._read_scores(queries, candidates)
        n_read = len(self.items_) if candidates is None else candidates.shape[1]
        size = module.rows_at_a_time(n_read)
        read = self._forward(module.candidate_scores, queries, (n_read,), candidates, size)
        return read * ~self._without_history(queries)[:, None]

    def _contributions(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what one item each scores by reading each event, by lag."""

        def added(inputs: Any) -> torch.Tensor:
            weights, worth = self.net_.module_.read_candidates(inputs)
            return (weights * worth).sum(1).squeeze(1)

        return self._by_lag(self._forward_tokens(added, queries, items[:, None]), queries)

    def _attention(self, asked: Asked) -> Iterator[NDArray[np.float32]]:
        """Yield the attention by lag (n, max_history) of one slice of the rows after the other."""
        for rows in row_slices(len(asked.users)):
            some = asked.take(rows)
            queries = self._queries(some)
            candidates = None if some.items is None else some.items[:, None] - 1
            weights = self._forward_tokens(self.net_.module_.attention, queries, candidates)
            weights = self._by_lag(weights, queries)
            total = weights.sum(axis=1, keepdims=True)
            yield (weights / np.where(total > 0, total, 1.0)).astype(np.float32)

    def _by_lag(self, values: NDArray[np.float32], queries: Queries) -> NDArray[np.float32]:
        """Turn what goes with tokens to lags; the start is no event."""
        values = np.where(queries.item == len(self.items_) + 1, 0.0, values)
        return queries.by_lag(values, self.max_history)

    def _forward_tokens(
        self,
        function: Callable[[Any], torch.Tensor],
        queries: Queries,
        candidates: NDArray[np.int64] | None,
    ) -> NDArray[np.float32]:
        """Return what goes with the tokens of queries (n_queries, length)."""
        width = queries.item.shape[1]

        def padded(inputs: Any) -> torch.Tensor:
            values = function(inputs)
            return torch.nn.functional.pad(values, (0, width - values.shape[1]))

        return self._forward(padded, queries, (width,), candidates)

    def _forward(
        self,
        function: Callable[[Any], torch.Tensor],
        queries: Queries,
        shape: tuple[int, ...],
        candidates: NDArray[np.int64] | None = None,
        size: int | None = None,
    ) -> NDArray[np.float32]:
        """Return ``function`` of the queries (n_queries, *shape), ``size`` of them at once."""
        if not len(queries):
            return np.zeros((0, *shape), dtype=np.float32)
        net = self.net_
        batches = queries.batches(size or net.module_.rows_at_a_time(), net.device, candidates)
        return net.forward_batches(function, batches).astype(np.float32)
