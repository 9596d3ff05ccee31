"""What a fitted recommender with attention lets one look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Bunch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._recommending import Asked, RecommendingMixin, check_k
from ._recording import has_items
from ._retrieval import Catalogue, Excluded
from .data.queries import Queries


class HistoryReadingMixin(RecommendingMixin, TransformerMixin):
    """Vectors of users and items, and where the attention of each row goes."""

    net_: Any
    _fields: Any

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
        vectors : ndarray of shape (n_samples, n_dims), dtype float32
            Where items are ranked: (n_samples, embedding_dim), and their products with the items'
            vectors, and the items' biases, are the scores. Else what was read of the history.
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
        n_dims = self.net_.module_.representation_dim
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
        if not has_items(self):
            weights: NDArray[np.float32] = self._fields.attend(X)[:, 0].astype(np.float32)
            return weights
        return self._attention(self._rows(X))

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
            the same shape, as `attend` returns them.
        """
        asked = self._rows(X)
        queries = self._queries(asked)
        codes = queries.by_lag(queries.item, self.max_history)
        known = (codes > 0) & (codes <= len(self.items_))
        items = np.full(codes.shape, None, dtype=object)
        items[known] = self.items_[codes[known] - 1]
        return Bunch(history=items, weights=self._attention(asked))

    def _hidden(self, queries: Queries) -> NDArray[np.float32]:
        """Return the vectors of histories (n_queries, embedding_dim)."""
        net = self.net_
        if not len(queries):
            return np.zeros((0, net.module_.representation_dim), dtype=np.float32)
        batches = queries.batches(net.module_.rows_at_a_time(), net.device)
        hidden = net.forward_batches(net.module_.representation, batches)
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
