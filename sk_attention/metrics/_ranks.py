"""From ranks to one score per query and their mean."""

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from sk_attention._warnings import warn
from sk_attention.metrics._averaging import check_weight


class Ranks(NamedTuple):
    """Ranks of the targets, and the queries they belong to, numbered from 0."""

    n_above: np.ndarray
    n_tied: np.ndarray
    query: np.ndarray
    n_targets: np.ndarray  # of each query


def score_ranks(
    per_query: Callable[[Ranks], np.ndarray],
    n_above: Any,
    n_tied: Any,
    k: int,
    queries: Any,
    sample_weight: Any,
    average: str | None,
) -> Any:
    """Check everything, score each query and average."""
    if average not in ("mean", None):
        raise ValueError(f'average must be "mean" or None, got {average!r}.')
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}.")
    ranks = _check_ranks(n_above, n_tied, k, queries)
    weight = check_weight(sample_weight, len(ranks.query))
    scores = per_query(ranks)
    if average is None:
        return scores
    query_weight = np.bincount(ranks.query, weight) / ranks.n_targets
    if not query_weight.any():
        warn(
            "The mean score is NaN: there is no query of positive weight.",
            UndefinedMetricWarning,
        )
        return float("nan")
    return float(np.average(scores, weights=query_weight))


def summed_gains(ranks: Ranks, gains: np.ndarray) -> np.ndarray:
    """Sum, over the targets of each query, of the gain at the target's position."""
    return np.bincount(ranks.query, _expected_gain(gains, ranks.n_above, ranks.n_tied))


def gain_of_best(ranks: Ranks, gains: np.ndarray) -> np.ndarray:
    """Gain at the position of the foremost target of each query."""
    n_queries = len(ranks.n_targets)
    n_above = np.full(n_queries, np.iinfo(np.intp).max)
    np.minimum.at(n_above, ranks.query, ranks.n_above)
    foremost = ranks.n_above == n_above[ranks.query]
    n_tied = np.zeros(n_queries, dtype=np.intp)
    n_tied[ranks.query[foremost]] = ranks.n_tied[foremost]
    n_foremost = np.bincount(ranks.query[foremost], minlength=n_queries)
    expected = _expected_gain(gains, n_above, n_tied)
    shared = (n_foremost > 1) & (n_above < len(gains))  # targets that tie with each other
    if shared.any():
        expected[shared] = _expected_gain_of_first(
            gains, n_above[shared], n_tied[shared], n_foremost[shared]
        )
    return expected


def _expected_gain(gains: np.ndarray, n_above: np.ndarray, n_tied: np.ndarray) -> np.ndarray:
    """Mean of the gains of the positions that a target may take among those it ties with."""
    summed = np.concatenate([[0.0], np.cumsum(gains)])
    start = np.minimum(n_above, len(gains))
    stop = np.minimum(n_above + n_tied + 1, len(gains))
    return (summed[stop] - summed[start]) / (n_tied + 1)


def _expected_gain_of_first(
    gains: np.ndarray, n_above: np.ndarray, n_tied: np.ndarray, n_targets: np.ndarray
) -> np.ndarray:
    """Mean, over all orders of the tied items, of the gain of the first of several targets."""
    expected = np.zeros(len(n_above))
    waiting = np.ones(len(n_above))  # chance that none of them has come yet
    for before, gain in enumerate(gains):
        left = n_above + n_tied + 1 - before  # tied items that have not come yet
        may_come = (before >= n_above) & (left > 0)
        comes = np.where(may_come, waiting * n_targets / np.maximum(left, 1), 0.0)
        expected += gain * comes
        waiting -= comes
    return expected


def check_scores(scores: Any) -> np.ndarray:
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] == 0 or scores.dtype.kind not in "fiu":
        raise ValueError(
            "scores must be numbers of shape (n_queries, n_items) with at least one item, got "
            f"the shape {scores.shape} and dtype {scores.dtype}."
        )
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        row = int(np.isnan(scores).any(axis=1).argmax())
        raise ValueError(f"scores must not contain NaN, found some in row {row}.")
    return scores


def check_targets(targets: Any, shape: tuple[int, ...]) -> np.ndarray:
    targets = np.asarray(targets)
    n_queries, n_items = shape
    if targets.shape != (n_queries,) or (targets.size and targets.dtype.kind not in "iu"):
        raise ValueError(
            f"targets must be integers of shape ({n_queries},), one per row of scores; got the "
            f"shape {targets.shape} and dtype {targets.dtype}."
        )
    outside = targets[(targets < -1) | (targets >= n_items)]
    if outside.size:
        raise ValueError(
            f"targets must be -1 or a column of scores, 0 to {n_items - 1}; got {outside[0]}."
        )
    return targets.astype(np.intp)


def check_excluded(excluded: Any, shape: tuple[int, ...]) -> np.ndarray:
    excluded = np.asarray(excluded)
    if excluded.shape != shape or excluded.dtype.kind != "b":
        raise ValueError(
            f"excluded must be booleans of the shape of scores, {shape}; got the shape "
            f"{excluded.shape} and dtype {excluded.dtype}."
        )
    return excluded


def _check_ranks(n_above: Any, n_tied: Any, k: int, queries: Any) -> Ranks:
    n_above = _check_counts("n_above", n_above)
    n_tied = _check_counts("n_tied", n_tied)
    if n_tied.shape != n_above.shape:
        raise ValueError(f"n_above has {len(n_above)} targets but n_tied has {len(n_tied)}.")
    if queries is None:
        ones = np.ones(len(n_above), dtype=np.intp)
        return Ranks(n_above, n_tied, np.arange(len(n_above)), ones)
    queries = np.asarray(queries)
    if queries.shape != n_above.shape:
        raise ValueError(
            f"queries must have the shape {n_above.shape}, one label per target; got the shape "
            f"{queries.shape}."
        )
    labels, query, n_targets = np.unique(queries, return_inverse=True, return_counts=True)
    ranks = Ranks(n_above, n_tied, query, n_targets)
    _check_places(ranks, k, labels)
    return ranks


def _check_counts(name: str, counts: Any) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} must be integers of shape (n_targets,), got the shape {counts.shape} and "
            f"dtype {counts.dtype}."
        )
    if (counts < 0).any():
        raise ValueError(f"{name} must not be negative, got {counts.min()}.")
    return counts.astype(np.intp)


def _check_places(ranks: Ranks, k: int, labels: np.ndarray) -> None:
    """Refuse more targets of a query at a rank than there are places for."""
    within = np.flatnonzero(ranks.n_above < k)
    place = ranks.query[within] * k + ranks.n_above[within]
    _, where, n_there = np.unique(place, return_inverse=True, return_counts=True)
    crowded = within[n_there[where] > ranks.n_tied[within] + 1]
    if crowded.size:
        first = crowded[0]
        label = labels.tolist()[ranks.query[first]]
        raise ValueError(
            f"Two targets of query {label!r} take the same place, with "
            f"{ranks.n_above[first]} items above: the targets of a query must be distinct items of "
            f"one ranking, and k={k} at most the number of items."
        )
