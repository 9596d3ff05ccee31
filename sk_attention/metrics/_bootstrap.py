"""How far a mean could be off."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sk_attention._random import draw_seed


def bootstrap_interval(
    values: Any,
    *,
    groups: Any = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = None,
) -> tuple[float, float]:
    r"""Confidence interval of a mean, by the percentile bootstrap.

    The mean is taken anew of as many values, drawn with replacement, `n_resamples` times. The
    interval reaches from the :math:`(1 - c)/2` quantile of these means to the
    :math:`(1 + c)/2` quantile, with c the confidence [1]_. It tells what other queries, or other
    users, might have given; not what another training would.

    Parameters
    ----------
    values : array-like of shape (n_queries,)
        Scores, as the metrics return them for ``average=None``.
    groups : array-like of shape (n_queries,), default=None
        Groups to draw as a whole, by any label: pass the users where a user has several queries,
        which resemble each other. None draws values one by one.
    confidence : float, default=0.95
        Probability that the interval should hold the true mean, between 0 and 1.
    n_resamples : int, default=1000
        Number of means, at least 1.
    random_state : int, RandomState or None, default=None
        Seed of the draws. None draws differently each time.

    Returns
    -------
    low : float
        Lower end.
    high : float
        Upper end.

    Raises
    ------
    ValueError
        If there is no value, one is not finite, the shapes disagree, or a parameter is out of
        range.

    References
    ----------
    .. [1] Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> from sk_attention.metrics import bootstrap_interval
    >>> low, high = bootstrap_interval([0, 0, 1, 1, 1, 0, 1, 1], random_state=0)
    >>> 0 <= low < 5 / 8 < high <= 1
    True
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(
            f"values must have the shape (n_queries,) with at least one query, got {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("values must be finite.")
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}.")
    if not isinstance(n_resamples, Integral) or n_resamples < 1:
        raise ValueError(f"n_resamples must be an integer of at least 1, got {n_resamples!r}.")
    check_random_state(random_state)
    sums, sizes = _grouped(values, groups)
    rng = np.random.default_rng(draw_seed(random_state))
    means = np.empty(int(n_resamples))
    for resample in range(len(means)):
        drawn = rng.integers(len(sums), size=len(sums))
        means[resample] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _grouped(values: np.ndarray, groups: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sum and size of each group of values."""
    if groups is None:
        return values, np.ones(len(values))
    groups = np.asarray(groups)
    if groups.shape != values.shape:
        raise ValueError(
            f"groups must have the shape of values, {values.shape}; got the shape {groups.shape}."
        )
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.bincount(group, values), sizes
