"""Entropies and Jensen-Shannon divergences in bits, and the permutation test on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

Floats = NDArray[np.float64]

# Two divergences that differ by rounding alone are one.
ROUNDING = 1e-12


def entropy_bits(weights: Floats) -> Floats:
    """Return the entropy of distributions along the last axis, in bits.

    Parameters
    ----------
    weights : ndarray of shape (..., n_features)
        Rows sum to 1.

    Returns
    -------
    entropy : ndarray of shape (...)
        From 0 to log2(n_features).
    """
    entropy: Floats = entr(weights).sum(axis=-1) / np.log(2.0)
    return entropy


def divergence_bits(weights: Floats, shares: Floats | None = None) -> Floats:
    r"""Return the Jensen-Shannon divergence of distributions, in bits.

    .. math:: H\Big(\sum_i s_i w_i\Big) - \sum_i s_i H(w_i)

    Parameters
    ----------
    weights : ndarray of shape (..., n_distributions, n_features)
        Rows sum to 1.
    shares : ndarray of shape (n_distributions,), default=None
        Share of each distribution; sums to 1. None weighs all alike.

    Returns
    -------
    divergence : ndarray of shape (...)
        From 0 to log2(n_distributions).
    """
    if shares is None:
        shares = np.full(weights.shape[-2], 1.0 / weights.shape[-2])
    mixed = entropy_bits(np.einsum("...gf,g->...f", weights, shares))
    return np.maximum(mixed - entropy_bits(weights) @ shares, 0.0)


def pairwise_bits(weights: Floats) -> Floats:
    """Return the Jensen-Shannon divergence of each two distributions, in bits.

    Parameters
    ----------
    weights : ndarray of shape (..., n_distributions, n_features)
        Rows sum to 1.

    Returns
    -------
    pairwise : ndarray of shape (..., n_distributions, n_distributions)
        Symmetric, from 0 to 1.
    """
    n_groups = weights.shape[-2]
    pairwise = np.zeros((*weights.shape[:-2], n_groups, n_groups))
    for one in range(n_groups):
        for other in range(one):
            between = divergence_bits(weights[..., [one, other], :])
            pairwise[..., one, other] = pairwise[..., other, one] = between
    return pairwise


def p_value(found: float, null: Floats) -> float:
    """Return how often chance gives at least what was found.

    Parameters
    ----------
    found : float
        The statistic.
    null : ndarray of shape (n_permutations,)
        Statistics of permuted data.

    Returns
    -------
    p : float
        Share of the values at least as large, the one that was found among them.
    """
    return float((1 + np.sum(null >= found - ROUNDING)) / (1 + len(null)))


def swap_test(one: Floats, other: Floats, n_permutations: int, rng: np.random.Generator) -> float:
    """Return the p-value of the divergence between two means, against swapping them unit by unit.

    Parameters
    ----------
    one, other : ndarray of shape (n_units, n_features)
        Two distributions of each unit, which could as well have been the other way round.
    n_permutations : int
        Draws of who is swapped.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    p : float
        Small where the two differ consistently.
    """
    swapped = rng.random((n_permutations, len(one))) < 0.5
    moved = swapped @ (other - one) / len(one)
    means = np.stack([one.mean(axis=0) + moved, other.mean(axis=0) - moved], axis=1).clip(0.0)
    found = divergence_bits(np.stack([one.mean(axis=0), other.mean(axis=0)]))
    return p_value(float(found), divergence_bits(means))


def shuffle_test(units: Floats, n_permutations: int, rng: np.random.Generator) -> float:
    """Return the p-value of the divergence among several means, against shuffling within units.

    Parameters
    ----------
    units : ndarray of shape (n_units, n_distributions, n_features)
        Distributions of each unit, which could as well have come in any order.
    n_permutations : int
        Draws of the orders.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    p : float
        Small where they differ consistently.
    """
    n_units, n_distributions, _ = units.shape
    order = np.tile(np.arange(n_distributions), (n_units, 1))
    null = [
        divergence_bits(
            np.take_along_axis(units, rng.permuted(order, axis=1)[..., None], 1).mean(axis=0)
        )
        for _ in range(n_permutations)
    ]
    return p_value(float(divergence_bits(units.mean(axis=0))), np.array(null))
