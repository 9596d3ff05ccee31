"""What each feature of each row has to do with each prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sk_attention._token_reading import check_level, named_tokens
from sk_attention.nn.encoders import SelfAttentionEncoder

from ._answers import check_multi_task, per_task
from ._integrated_gradients import by_field, by_token
from ._token_model import TokenModel, feature_names

# What says which token is which, and the attributions of each task.
Explained = tuple[Mapping[str, Any], list[NDArray[np.float64]]]


def attribute(
    estimator: Any, X: Any, method: str = "contribution", *, level: str = "feature"
) -> Bunch:
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
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows to explain. Of a sparse matrix there are contributions and attention alone.
    method : str, default="contribution"
        One of those above.
    level : {"feature", "token"}, default="feature"
        "token" tells words of a text apart, items of a list, and what a sparse matrix stores; for
        all methods but "rollout". Those of a feature sum to what the feature has.

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

        With ``level="token"`` there are also ``row``, ``feature`` and ``token``, as ``attend``
        returns them, and ``attributions`` have an entry per token instead of axes of samples and
        features: shape (n_all_tokens,) or (n_all_tokens, n_classes).

    Raises
    ------
    TypeError
        If the estimator is of another kind.
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
    check_level(level)
    check_multi_task(estimator, "attribute")
    named, attributions = METHODS[method](estimator, X, level)
    return Bunch(
        **named,
        attributions=attributions,
        method=method,
        task_names=list(estimator.task_names_),
        feature_names=feature_names(estimator, estimator.n_features_in_),
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


def _contributions(estimator: Any, X: Any, level: str) -> Explained:
    if not hasattr(estimator, "contributions"):
        raise ValueError(
            'method="contribution" needs an estimator fitted with explainable=True, and this '
            f"{type(estimator).__name__} was not."
        )
    explained = estimator.contributions(X, level=level)
    return _names(explained), per_task(estimator, explained.contributions)


def _attention(estimator: Any, X: Any, level: str) -> Explained:
    if level == "feature":
        return {}, list(np.moveaxis(estimator.attend(X), 1, 0))
    seen = estimator.attend(X, level=level)
    return _names(seen), list(seen.weights.T)


def _rollout(estimator: Any, X: Any, level: str) -> Explained:
    if level == "token":
        raise ValueError('method="rollout" follows attention between features: it has no tokens.')
    model = TokenModel(estimator, X)
    network = model.network.like
    if network.encoder is None:
        raise ValueError(
            'method="rollout" needs self attention, that is attention="self" or "double"; with '
            f'{estimator.attention!r} it is the same as method="attention".'
        )
    if network.pooling is not None or model.tokens.ndim == 4:
        raise ValueError(
            'method="rollout" follows attention from feature to feature, which '
            f"{type(estimator).__name__} has not with attention='hierarchical', nor with "
            'columns of several tokens. Take method="integrated_gradients".'
        )
    if not isinstance(network.encoder, SelfAttentionEncoder):
        raise ValueError(
            'method="rollout" follows attention from feature to feature; steps of an array of '
            'three dimensions look at each other as wholes. Take method="integrated_gradients".'
        )
    traced = model.of_tokens(model.network.rollout, model.tokens)
    by_feature = model.by_feature(traced)
    return {}, list(np.moveaxis(by_feature, 1, 0))


def _integrated_gradients(estimator: Any, X: Any, level: str) -> Explained:
    model = TokenModel(estimator, X)
    model.network.eval()
    fields = by_field(model)  # n K C T
    if level == "feature":
        return {}, estimator._effects(model.by_feature(fields))
    n_rows, *sizes, n_fields = fields.shape
    flat = fields.reshape(n_rows, int(np.prod(sizes)), n_fields)
    within = None
    if estimator._table_encoder.n_bags_:
        within = by_token(model).reshape(-1, flat.shape[1])
    named, values = named_tokens(estimator, model.columns, model.rows, flat, within)
    return named, estimator._effects(values.reshape(-1, *sizes))


def _names(explained: Bunch) -> dict[str, Any]:
    """Return what says which token is which, where there are tokens."""
    return {name: explained[name] for name in ("row", "feature", "token") if name in explained}


METHODS: dict[str, Callable[[Any, Any, str], Explained]] = {
    "attention": _attention,
    "contribution": _contributions,
    "integrated_gradients": _integrated_gradients,
    "rollout": _rollout,
}
