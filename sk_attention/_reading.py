"""What the tasks of a fitted estimator read, and where they look."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Bunch
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._token_reading import check_level, sparse_attention, token_attention
from .data.batches import Rows
from .data.columns import Column


class ReadingMixin(TransformerMixin):
    """Attention of each row, and representations as new features."""

    net_: Any
    task_names_: list[str]
    n_features_in_: int
    _table_encoder: Any

    @abstractmethod
    def _read_rows(self, X: Any) -> tuple[Rows, list[Column]]:
        """Check rows to predict for, encode them, and return their columns too."""

    def attend(self, X: Any, level: str = "feature") -> NDArray[np.float64] | Bunch:
        """Return where each task looks in each row.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.
        level : {"feature", "token"}, default="feature"
            "token" tells words of a text apart.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_tasks, n_features), or Bunch
            Attention weights: not negative, they sum to 1 over the features; over none for a row
            of a sparse matrix that stores nothing, or of steps that are all missing. Where the
            task looks is not by itself what decides its prediction.

            With ``level="token"`` a Bunch of arrays with one entry per token: ``row`` and
            ``feature``, its position in ``X``; ``token``, the word, or the name of a feature that
            is a single token; ``weights`` (n_all_tokens, n_tasks), which sum to 1 over the tokens
            of a row. What is about several words, such as a pair of them, counts equally for each.

        Raises
        ------
        ValueError
            If ``level`` is neither of the two.
        """
        check_level(level)
        rows, columns = self._read_rows(X)
        if level == "token":
            return token_attention(self, columns, rows)
        if self._table_encoder.is_sparse_:
            return sparse_attention(self, rows)
        return self._by_feature(
            self.net_.forward_rows(lambda inputs: self.net_.module_.read(inputs).weights, rows)
        )

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return what each task read in each row: its representation z_i.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        representation : ndarray of shape (n_samples, n_tasks * embedding_dim)
            The tasks' representations side by side.
        """
        rows, _ = self._read_rows(X)
        read = self.net_.forward_rows(
            lambda inputs: self.net_.module_.read(inputs).representation.flatten(1), rows
        )
        return read.astype(np.float64)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of ``transform``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; only compared with those of ``fit``.

        Returns
        -------
        names : ndarray of str
            ``"<task>_0"``, ``"<task>_1"``, ...
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        dim = self.net_.module_.like.reading.query.shape[1]
        names = [f"{task}_{d}" for task in self.task_names_ for d in range(dim)]
        return np.array(names, dtype=object)

    def _by_feature(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Sum attention over the tokens of each feature, along the last axis."""
        features = self._table_encoder.field_features_
        out = np.zeros((*weights.shape[:-1], self.n_features_in_))
        if len(features) == self.n_features_in_:  # one token each
            out[..., features] = weights
        else:
            for token, feature in enumerate(features):
                out[..., feature] += weights[..., token]
        return out
