"""What the tasks of a fitted estimator read, and where they look."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .data.batches import Rows


class ReadingMixin(TransformerMixin):
    """Attention of each row, and representations as new features."""

    net_: Any
    task_names_: list[str]
    n_features_in_: int
    _table_encoder: Any

    @abstractmethod
    def _encoded(self, X: Any) -> Rows:
        """Check and encode rows to predict for."""

    def attend(self, X: Any) -> NDArray[np.float64]:
        """Return where each task looks in each row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_tasks, n_features)
            Attention weights: not negative, they sum to 1 over the features. Where the task looks
            is not by itself what decides its prediction.
        """
        rows = self._encoded(X)
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
        rows = self._encoded(X)
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
        dim = self.net_.module_.reading.query.shape[1]
        names = [f"{task}_{d}" for task in self.task_names_ for d in range(dim)]
        return np.array(names, dtype=object)

    def _by_feature(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Sum attention over the tokens of each feature, along the last axis."""
        features = self._table_encoder.token_features_
        out = np.zeros((*weights.shape[:-1], self.n_features_in_))
        if len(features) == self.n_features_in_:  # one token each
            out[..., features] = weights
        else:
            for token, feature in enumerate(features):
                out[..., feature] += weights[..., token]
        return out
