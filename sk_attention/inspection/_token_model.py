"""A fitted estimator as a function of the tokens of some rows.

Whatever the columns hold, the network reads tokens: so what is disturbed or integrated over is
tokens, and a feature is all of its tokens together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sk_attention.data.batches import Rows

# The logit of a class that a task has not: as good as minus infinity.
ABSENT = -1e30


def feature_names(estimator: Any, n_features: int) -> list[str]:
    """Return the names of the features: x0, x1, ... where X had none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return [f"x{j}" for j in range(n_features)]
    return [str(name) for name in names]


def check_columns_stay(estimator: Any) -> None:
    """Refuse an estimator that knows no columns."""
    if estimator._table_encoder.is_sparse_:
        raise ValueError(
            f"{type(estimator).__name__} was fitted on a sparse matrix, whose rows have no "
            "fixed features to take away or to exchange. Explain dense columns, or see where "
            'it looks with attend(X, level="token") and, with explainable=True, what adds up '
            'with contributions(X, level="token").'
        )


class TokenModel:
    """Tokens of some rows, and what an estimator predicts from tokens.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted estimator.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows.

    Attributes
    ----------
    rows : Rows
        The rows, encoded.
    columns : list of Column
        The rows as they were given.
    tokens : Tensor of shape (n_samples, n_tokens, embedding_dim)
        Tokens of the rows; (n_samples, n_queries, n_tokens, embedding_dim) where tasks make tokens
        of their own.
    features : ndarray of shape (n_tokens,)
        The feature that each token belongs to.
    """

    def __init__(self, estimator: Any, X: Any) -> None:
        check_is_fitted(estimator)
        check_columns_stay(estimator)
        self.estimator = estimator
        self.network = estimator.net_.module_
        self.rows, self.columns = estimator._read_rows(X)
        self.tokens = self._run(self.network.tokens, self.rows).to(estimator.net_.device)
        self.features: NDArray[np.intp] = estimator._table_encoder.field_features_
        self.n_features: int = estimator.n_features_in_

    def __len__(self) -> int:
        return len(self.tokens)

    def of_tokens(self, function: Callable[[Tensor], Tensor], tokens: Tensor) -> NDArray[Any]:
        """Return ``function`` of the tokens, some rows at a time, without gradients."""
        rows = Rows({"tokens": tokens})
        out: NDArray[Any] = self._run(lambda inputs: function(inputs["tokens"]), rows).numpy()
        return out

    def outputs(self, tokens: Tensor) -> Tensor:
        """Return the ensemble's outputs (B, K, C), as gradients may pass through."""
        # minus infinity, of classes that a task has not, would make gradients NaN
        answers = self.network.answer(tokens).nan_to_num(neginf=ABSENT)
        outputs: Tensor = self.estimator.net_.criterion_.ensemble(answers)
        return outputs.squeeze(2)

    def logits(self, tokens: Tensor) -> list[NDArray[np.float64]]:
        """Return the logits of each task, (n,) or (n, n_classes); numbers in regression."""
        outputs = self.of_tokens(self.outputs, tokens).astype(np.float64)
        logits: list[NDArray[np.float64]] = self.estimator._logits(outputs)
        return logits

    def replaced(self, chosen: NDArray[np.bool_], donors: NDArray[np.intp]) -> Tensor:
        """Return tokens in which some features of some rows come from other rows.

        Parameters
        ----------
        chosen : ndarray of shape (n_samples, n_features), dtype bool
            What to replace.
        donors : ndarray of shape (n_samples, n_features)
            The row that each feature comes from.
        """
        own = self.tokens.movedim(-2, 1)
        others = own[donors[:, self.features], np.arange(len(self.features))]
        where = torch.as_tensor(chosen[:, self.features], device=others.device)
        where = where.view(*where.shape, *[1] * (own.ndim - 2))
        return torch.where(where, others, own).movedim(1, -2)

    def by_feature(self, by_token: NDArray[Any]) -> NDArray[np.float64]:
        """Sum over the tokens of each feature, along the last axis."""
        summed: NDArray[np.float64] = self.estimator._by_feature(by_token)
        return summed

    def _run(self, function: Callable[..., Tensor], rows: Rows) -> Tensor:
        return torch.as_tensor(self.estimator.net_.forward_rows(function, rows))
