"""How well logits tell labels, for many weightings of the rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Floats = NDArray[np.float64]


def skill(labels: NDArray[Any], logits: Floats, weights: Floats) -> Floats:
    """Return how well logits tell labels: ROC AUC for classes, correlation for numbers.

    Both ask for the right order only, so that a disturbed model is not punished for being sure.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Class codes (integers), numbers (floats), or which labels are in a set (integers).
    logits : ndarray of shape (n_rows,), (n_rows, n_classes) or (n_rows, n_labels)
        Log odds of the second class, or a number per class, of which each class's probability
        among the others is taken; predicted numbers; or log odds of each label.
    weights : ndarray of shape (n_weightings, n_rows)
        Weights of the rows, not negative.

    Returns
    -------
    skill : ndarray of shape (n_weightings,)
        The mean over the classes, or labels of a set, of the AUC of each against the others, where
        it is defined; NaN where nothing is.
    """
    if labels.dtype.kind == "f":
        return correlation(labels, logits, weights)
    if logits.ndim == 1:
        return weighted_auc(labels == 1, logits, weights)
    if labels.ndim == 2:
        pairs = zip(labels.T == 1, logits.T, strict=True)
    else:
        scores = log_softmax(logits, axis=1)
        pairs = zip(labels == np.arange(scores.shape[1])[:, None], scores.T, strict=True)
    each = np.stack([weighted_auc(positive, score, weights) for positive, score in pairs])
    defined = np.isfinite(each)
    n_defined = defined.sum(axis=0)
    total = np.where(defined, each, 0.0).sum(axis=0)
    return np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan)


def chance(labels: NDArray[Any]) -> float:
    """Return the skill of a guess."""
    return 0.0 if labels.dtype.kind == "f" else 0.5


def weighted_auc(positive: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """Return the weighted share of pairs in the right order; ties count half.

    Parameters
    ----------
    positive : ndarray of shape (n_rows,), dtype bool
        Which rows should score higher.
    score : ndarray of shape (n_rows,)
        Scores.
    weights : ndarray of shape (n_weightings, n_rows)
        Weights of the rows.

    Returns
    -------
    auc : ndarray of shape (n_weightings,)
        NaN without pairs.
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    ordered = weights[:, order]
    ups, downs = ordered * positive[order], ordered * ~positive[order]
    if len(starts) < len(order):  # ties
        ups, downs = (np.add.reduceat(own, starts, axis=1) for own in (ups, downs))
    below = np.cumsum(downs, axis=1) - downs / 2
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    right = (ups * below).sum(axis=1)
    return np.where(pairs > 0, right / np.where(pairs > 0, pairs, 1.0), np.nan)


def correlation(labels: Floats, predicted: Floats, weights: Floats) -> Floats:
    """Return Pearson's correlation, NaN where one of the two does not vary.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,)
        Numbers.
    predicted : ndarray of shape (n_rows,)
        Predictions.
    weights : ndarray of shape (n_weightings, n_rows)
        Weights of the rows.

    Returns
    -------
    correlation : ndarray of shape (n_weightings,)
        From -1 to 1.
    """
    share = weights / weights.sum(axis=1, keepdims=True)
    one = labels - (share @ labels)[:, None]
    other = predicted - (share @ predicted)[:, None]
    both = (share * one * other).sum(axis=1)
    spread = np.sqrt((share * one**2).sum(axis=1) * (share * other**2).sum(axis=1))
    return np.where(spread > 0, both / np.where(spread > 0, spread, 1.0), np.nan)


def shared(ones: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    """Return the Jaccard index of two sets of labels, row by row; 1 of two empty ones.

    Parameters
    ----------
    ones, others : ndarray of shape (n_rows, n_labels)
        Zeros and ones: which labels are in the set.

    Returns
    -------
    index : ndarray of shape (n_rows,)
        From 0 to 1.
    """
    both, either = (ones & others).sum(axis=1), (ones | others).sum(axis=1)
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def bootstrap_weights(n_rows: int, n_draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each row is drawn: once each in the first line, then with replacement.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    n_draws : int
        Number of draws.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    weights : ndarray of shape (1 + n_draws, n_rows)
        Counts.
    """
    drawn = rng.multinomial(n_rows, np.full(n_rows, 1.0 / n_rows), size=n_draws)
    return np.concatenate([np.ones((1, n_rows)), drawn])


def interval(draws: Floats) -> Floats:
    """Return value, lower and upper end of the 95 % interval from bootstrap draws.

    Parameters
    ----------
    draws : ndarray of shape (1 + n_draws, ...)
        The value itself, then what the draws gave.

    Returns
    -------
    interval : ndarray of shape (..., 3)
        Value, 2.5th and 97.5th percentile of the draws that are defined; NaN where none is.
    """
    defined = np.isfinite(draws[1:]).any(axis=0)
    low, high = np.nanpercentile(np.where(defined, draws[1:], 0.0), [2.5, 97.5], axis=0)
    ends = (np.where(defined, end, np.nan) for end in (low, high))
    return np.stack([draws[0], *ends], axis=-1)
