"""Where a fitted estimator looks in some rows, whatever estimator it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_attention.recommender import AttentionRecommender

from ._skill import Floats
from ._token_model import feature_names


@dataclass(frozen=True)
class Looks:
    """Attention weights, and what they are about.

    Attributes
    ----------
    weights : ndarray of shape (n_rows, n_tasks, n_features)
        Attention weights of each row.
    task_names, feature_names : list of str
        Names of the tasks and features; of a recommender its ``task``, and lags.
    """

    weights: Floats
    task_names: list[str]
    feature_names: list[str]

    @property
    def somewhere(self) -> Any:
        """Which rows hold anything to look at: an empty history and an empty bag hold nothing."""
        return (self.weights.sum(axis=-1) > 0).all(axis=1)


def looks(estimator: Any, X: Any, function: str) -> Looks:
    """Return where an estimator looks.

    Parameters
    ----------
    estimator : object
        A fitted estimator with ``attend``.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows.
    function : str
        Who asks.

    Returns
    -------
    looks : Looks
        Attention and names.

    Raises
    ------
    TypeError
        If the estimator has no ``attend``.
    """
    _check_attends(estimator, function)
    return _named(estimator, estimator.attend(X))


def mean_looks(estimator: Any, function: str) -> Looks:
    """Return where an estimator looks on average over the training rows, as if that were a row.

    Parameters
    ----------
    estimator : object
        A fitted estimator with ``attend`` and ``attention_weights_``.
    function : str
        Who asks.

    Returns
    -------
    looks : Looks
        Attention and names.

    Raises
    ------
    TypeError
        If the estimator has no ``attend``.
    """
    _check_attends(estimator, function)
    check_is_fitted(estimator)
    return _named(estimator, estimator.attention_weights_[None])


def look_alike(fits: list[Looks]) -> Floats:
    """Return the weights of several fits (n_fits, n_rows, n_tasks, n_features).

    Parameters
    ----------
    fits : list of Looks
        Of the same rows.

    Returns
    -------
    weights : ndarray of shape (n_fits, n_rows, n_tasks, n_features)
        Of the rows that hold anything to look at.

    Raises
    ------
    ValueError
        If the fits differ in tasks or features, or no row holds anything.
    """
    first = fits[0]
    for other in fits[1:]:
        if (other.task_names, other.weights.shape) != (first.task_names, first.weights.shape):
            raise ValueError(
                "estimator must hold fits with the same tasks and features, got "
                f"{first.task_names} and {other.task_names} over {first.weights.shape[-1]} and "
                f"{other.weights.shape[-1]} features."
            )
    there = np.all([own.somewhere for own in fits], axis=0)
    if not there.any():
        raise ValueError("No row of X holds anything to look at.")
    return np.stack([own.weights[there] for own in fits])


def _check_attends(estimator: Any, function: str) -> None:
    if not hasattr(estimator, "attend"):
        raise TypeError(
            f"{function} takes a fitted estimator with attend, got {type(estimator).__name__}."
        )


def _named(estimator: Any, weights: Any) -> Looks:
    weights = np.asarray(weights, dtype=np.float64)
    n_features = weights.shape[-1]
    if not isinstance(estimator, AttentionRecommender):
        names = feature_names(estimator, n_features)
        return Looks(weights, list(estimator.task_names_), names)
    by_lag = hasattr(estimator, "recommend")
    lags = [f"lag {lag + 1}" for lag in range(n_features)]
    names = lags if by_lag else feature_names(estimator, n_features)
    return Looks(weights.reshape(len(weights), 1, n_features), [estimator.task], names)
