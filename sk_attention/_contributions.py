"""What each feature adds to the predictions of an explainable estimator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from ._token_contributions import (
    field_contributions,
    mean_sparse_sizes,
    sparse_contributions,
    token_contributions,
)
from ._token_reading import check_level
from ._validation import check_unchanged
from .data.batches import Rows
from .data.columns import Column


def _is_explainable(estimator: Any) -> bool:
    """Whether contributions are there; else say what to do, in the error that this becomes."""
    if not estimator.explainable:
        raise AttributeError(
            "Contributions add up only where towers are linear: this "
            f"{type(estimator).__name__} has explainable=False. Set explainable=True and fit."
        )
    return True


class ContributionsMixin:
    """Contributions of the features, and importances made of them."""

    explainable: bool
    net_: Any
    _table_encoder: Any
    _built_with: dict[str, Any]
    _mean_contributions: NDArray[np.float64]

    @abstractmethod
    def _read_rows(self, X: Any) -> tuple[Rows, list[Column]]:
        """Check rows to predict for, encode them, and return their columns too."""

    @abstractmethod
    def _by_feature(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Sum over the tokens of each feature, along the last axis."""

    @abstractmethod
    def _effects(self, values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return parts of the network's outputs (n, K, C, ...) as parts of each task's logits."""

    @abstractmethod
    def _logits(self, outputs: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the network's outputs (n, K, C) as the logits of each task."""

    @abstractmethod
    def _as_predicted(self, per_task: list[NDArray[np.float64]]) -> Any:
        """Return one array per task in the form in which predictions come."""

    @available_if(_is_explainable)
    def contributions(self, X: Any, level: str = "feature") -> Bunch:
        r"""Return what each feature adds to each prediction; only with ``explainable=True``.

        The logit of a task is a sum over features,

        .. math:: o(x) = \bar o + \sum_j c_j(x), \qquad
                  c_j(x) = \frac1R \sum_r T \alpha_{rj}(x)\, u_{rj} \cdot v_j(x_j) - \bar c_j,

        with :math:`\alpha_{rj}` the attention of reading *r*, one of *R* = ``n_members``,
        :math:`v_j` the value of feature *j* alone, *T* the number of tokens and :math:`\bar o`,
        :math:`\bar c_j` means over the training rows. The sum is exact; how much a feature adds
        depends on the others by way of the attention alone.

        A text, or another feature of several tokens, has as its value the mean of theirs by the
        attention :math:`\alpha_{k|j}` within it; so what it adds is a sum over its tokens,

        .. math:: c_j = \sum_k \alpha_{k|j} \Big(s_k - \sum_l \alpha_{l|j} s_l + c_j\Big),

        with :math:`s_k` what the feature would add if token *k* were all of it. What does not
        occur in a row adds exactly 0.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.
        level : {"feature", "token"}, default="feature"
            "token" tells words of a text apart, items of a list, and what a sparse matrix stores.

        Returns
        -------
        explained : Bunch
            contributions : ndarray of shape (n_samples, ..., n_features), or list of these
                What each feature adds to ``logits``, whose shape is all but the last axis. Mean 0
                over the training rows. Those of the columns of a sparse matrix have that mean in
                sum; what a row does not store adds 0, and if it stores nothing, what that means is
                shared among the columns as ``attention_weights_`` are.
            intercept : ndarray of shape (...), or list of these
                The mean of ``logits`` over the training rows.
            logits : ndarray of shape (n_samples, ...), or list of these
                What is added up to: ``contributions.sum(axis=-1) + intercept``. A classifier has
                the log odds of the second class (n_samples,) of two, and for more classes
                (n_samples, n_classes) numbers of mean 0 whose softmax are the probabilities; a
                list with one entry per task if ``y`` had two dimensions. A regressor has what
                `predict` returns; a set of labels has the log odds of each (n_samples, n_labels).

            With ``level="token"`` there are also ``row``, ``feature`` and ``token``, as `attend`
            returns them, and ``contributions`` is of shape (n_all_tokens, ...): what is added up
            over the tokens of a row.

        Raises
        ------
        ValueError
            If ``level`` is neither of the two.
        """
        check_level(level)
        rows, columns = self._read_rows(X)
        check_unchanged(self, {"explainable": self._built_with["explainable"]})
        explained = Bunch()
        if level == "token":
            explained, values = token_contributions(self, columns, rows)
        elif self._table_encoder.is_sparse_:
            values = sparse_contributions(self, rows)
        else:
            values = self._by_feature(field_contributions(self, rows))
        bias = self.net_.module_.towers.bias.detach().cpu().double().numpy()  # K C
        intercept = bias + self._mean_contributions.sum(axis=-1)
        outputs = self.net_.ensemble_outputs(rows).astype(np.float64)
        return Bunch(
            **explained,
            contributions=self._as_predicted(self._effects(values)),
            intercept=_without_samples(self._as_predicted(self._logits(intercept[None]))),
            logits=self._as_predicted(self._logits(outputs)),
        )

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Mean over the tasks of ``contribution_weights_``; only with ``explainable=True``.

        Returns
        -------
        importances : ndarray of shape (n_features,)
            Not negative; they sum to 1.
        """
        _is_explainable(self)
        importances: NDArray[np.float64] = self.contribution_weights_.mean(axis=0)
        return importances

    def _weigh_contributions(self, rows: Rows, weight: NDArray[np.float64]) -> None:
        """Set what is told of the training rows: mean contributions, and how large they are."""
        network = self.net_.module_

        def by_field(inputs: Mapping[str, Tensor]) -> Tensor:
            added: Tensor = network.contributions(network.tokens(inputs))
            return added

        mean = self.net_.mean_of(by_field, rows)
        self._mean_contributions = mean

        def sizes(inputs: Mapping[str, Tensor]) -> Tensor:
            values = by_field(inputs).cpu().double().numpy() - mean
            return torch.as_tensor(self._sizes(self._by_feature(values)))

        weights = (
            mean_sparse_sizes(self, rows, weight, self._sizes)
            if self._table_encoder.is_sparse_
            else self.net_.mean_of(sizes, rows)
        )  # K F
        total = weights.sum(axis=1, keepdims=True)
        self.contribution_weights_ = weights / np.where(total > 0, total, 1.0)

    def _sizes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how large contributions (n, K, C, ...) are, over all classes (n, K, ...)."""
        effects = [np.abs(own) for own in self._effects(values)]
        n_axes = values.ndim - 1
        per_task = [own.sum(axis=1) if own.ndim == n_axes else own for own in effects]
        return np.stack(per_task, axis=1)


def _without_samples(values: Any) -> Any:
    """Return the only row of each array."""
    return [own[0] for own in values] if isinstance(values, list) else values[0]
