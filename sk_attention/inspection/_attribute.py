"""What each feature of each row has to do with each prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Bunch
from torch import Tensor

from ._token_model import TokenModel, feature_names

# Nodes of the Gauss-Legendre rule along the path from baseline to row.
N_NODES = 24


def attribute(estimator: Any, X: Any, method: str = "contribution") -> Bunch:
    r"""Say, row by row, what each feature has to do with each task's prediction.

    - ``"contribution"``: what the feature adds to the logit, exactly; for estimators with
      ``explainable=True``.
    - ``"attention"``: how much attention the task pays to the feature. Without sign, and not by
      itself what decides.
    - ``"rollout"``: the attention, traced through the layers of self attention to the features
      that the keys come from [1]_; for ``attention="self"`` and ``"double"``.
    - ``"integrated_gradients"``: the gradient of the logit, integrated along the straight line
      from the mean token :math:`\bar x_j` of the rows of ``X`` to the row's own [2]_,
      :math:`(x_j - \bar x_j) \cdot \int_0^1 \partial o / \partial x_j \, dt`. The attributions of
      a row sum to its logit less that of the mean tokens.

    Parameters
    ----------
    estimator : object
        A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
        `MultiTaskAttentionEstimator`.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows to explain.
    method : str, default="contribution"
        One of those above.

    Returns
    -------
    explained : Bunch
        attributions : list of ndarray of shape (n_samples, n_features)
            One array per task. Contributions and integrated gradients of a task of more than two
            classes have the shape (n_samples, n_classes, n_features). Those of two classes are
            about the log odds of the second, those of regression in the units of ``y``, those of
            a set of labels (n_samples, n_labels, n_features) about the log odds of each label.
        method : str
            The method.
        task_names : list of str
            Names of the tasks.
        feature_names : list of str
            Names of the features.

    Raises
    ------
    ValueError
        If there is no such method, or not for this estimator.

    References
    ----------
    .. [1] Abnar and Zuidema, "Quantifying attention flow in transformers", ACL 2020.
    .. [2] Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017.

    Examples
    --------
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import attribute
    >>> data = make_planted_tasks(n_samples=100, n_features=6, n_tasks=2, random_state=0)
    >>> model = MultiTaskAttentionClassifier(explainable=True, max_epochs=5, random_state=0)
    >>> explained = attribute(model.fit(data.data, data.target), data.data)
    >>> [own.shape for own in explained.attributions]
    [(100, 6), (100, 6)]
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {sorted(METHODS)}, got {method!r}.")
    model = TokenModel(estimator, X)
    return Bunch(
        attributions=METHODS[method](model, X),
        method=method,
        task_names=list(estimator.task_names_),
        feature_names=feature_names(estimator, model.n_features),
    )


def importance(attributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how large attributions are, over the classes if there are several.

    Parameters
    ----------
    attributions : ndarray of shape (n_samples, n_features) or (n_samples, n_classes, n_features)
        Attributions of one task.

    Returns
    -------
    size : ndarray of shape (n_samples, n_features)
        Absolute values; of several classes their root mean square.
    """
    if attributions.ndim == 2:
        return np.abs(attributions)
    size: NDArray[np.float64] = np.sqrt(np.square(attributions).mean(axis=1))
    return size


def _contributions(model: TokenModel, X: Any) -> list[NDArray[np.float64]]:
    estimator = model.estimator
    if not hasattr(estimator, "contributions"):
        raise ValueError(
            'method="contribution" needs an estimator fitted with explainable=True, and this '
            f"{type(estimator).__name__} was not."
        )
    return _per_task(model, estimator.contributions(X).contributions)


def _per_task(model: TokenModel, contributions: Any) -> list[NDArray[np.float64]]:
    """Return what `contributions` gives as one array per task."""
    if model.estimator._one_dimensional:
        return [contributions]
    return contributions if isinstance(contributions, list) else list(contributions.swapaxes(0, 1))


def _attention(model: TokenModel, X: Any) -> list[NDArray[np.float64]]:
    return list(np.moveaxis(model.estimator.attend(X), 1, 0))


def _rollout(model: TokenModel, X: Any) -> list[NDArray[np.float64]]:
    network = model.network
    if network.encoder is None:
        raise ValueError(
            'method="rollout" needs self attention, that is attention="self" or "double"; with '
            f'{model.estimator.attention!r} it is the same as method="attention".'
        )
    if network.pooling is not None or model.tokens.ndim == 4:
        raise ValueError(
            'method="rollout" follows attention from feature to feature, which '
            f"{type(model.estimator).__name__} has not with attention='hierarchical', nor with "
            'columns of several tokens. Take method="integrated_gradients".'
        )

    def traced(tokens: Tensor) -> Tensor:
        weights: Tensor = network.read_tokens(tokens).weights
        traced: Tensor = weights @ network.encoder.rollout(tokens).to(weights.dtype)
        return traced

    by_feature = model.by_feature(model.of_tokens(traced, model.tokens))
    return list(np.moveaxis(by_feature, 1, 0))


def _integrated_gradients(model: TokenModel, X: Any) -> list[NDArray[np.float64]]:
    model.network.eval()
    baseline = model.tokens.mean(dim=0)
    size = model.network.rows_at_a_time()
    parts = [
        _path_integral(model, tokens, baseline).cpu().double().numpy()
        for tokens in model.tokens.split(size)
    ]
    effects: list[NDArray[np.float64]] = model.estimator._effects(
        model.by_feature(np.concatenate(parts))
    )
    return effects


def _path_integral(model: TokenModel, tokens: Tensor, baseline: Tensor) -> Tensor:
    """Return integrated gradients of each output by each token (B, K, C, T)."""
    baseline = baseline.to(tokens)
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)  # on [-1, 1]
    total = tokens.new_zeros(())
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = (baseline + node * (tokens - baseline)).requires_grad_()
        total = total + weight * _gradients(model, point)
    effects = (total * (tokens - baseline)).sum(-1)  # K C B T, or K C B Q T
    if tokens.ndim == 4:  # a feature's tokens of all queries together
        effects = effects.sum(-2)
    return effects.movedim(2, 0)


def _gradients(model: TokenModel, point: Tensor) -> Tensor:
    """Return the gradient of each output, zero where a task has no such class (K, C, B, ...)."""
    outputs = model.outputs(point)
    gradients = point.new_zeros(*outputs.shape[1:], *point.shape)
    for task, n_classes in enumerate(model.estimator._n_outputs()):
        for c in range(n_classes):
            own = outputs[:, task, c].sum()
            (gradients[task, c],) = torch.autograd.grad(own, point, retain_graph=True)
    return gradients


METHODS: dict[str, Callable[[TokenModel, Any], list[NDArray[np.float64]]]] = {
    "attention": _attention,
    "contribution": _contributions,
    "integrated_gradients": _integrated_gradients,
    "rollout": _rollout,
}
