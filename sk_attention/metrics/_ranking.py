"""Where targets stand in full rankings, and the scores that follow; ties win nothing."""

from typing import Any

import numpy as np

from sk_attention.metrics._ranks import (
    Ranks,
    check_excluded,
    check_scores,
    check_targets,
    gain_of_best,
    score_ranks,
    summed_gains,
)


def target_ranks(scores: Any, targets: Any, excluded: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Count the items that are ranked above and beside the target of each query.

    All items are ranked, not a sample of them: what samples say about recommenders can be the
    opposite of the truth [1]_. The counts describe a rank completely, so that scores for any k
    follow from them, and can be computed in slices of the queries.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_items)
        The higher, the better; infinite scores are fine.
    targets : array-like of shape (n_queries,) and dtype int
        Column of each query's target, -1 for a target that is none of the items. A query with
        several targets takes one row for each.
    excluded : array-like of shape (n_queries, n_items) and dtype bool, default=None
        True for items to leave out of the ranking, such as those a user has already had. The
        target of a row stays in, even if marked; of a query with several targets, no row may
        mark any.

    Returns
    -------
    n_above : ndarray of shape (n_queries,) and dtype intp
        Number of other items whose score is strictly higher. For a target of -1 it is n_items:
        a miss for every k up to n_items.
    n_tied : ndarray of shape (n_queries,) and dtype intp
        Number of other items with exactly the target's score; 0 for a target of -1.

    Raises
    ------
    ValueError
        If the shapes disagree, a score is NaN, or a target is not an item.

    References
    ----------
    .. [1] Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020.

    Examples
    --------
    >>> from sk_attention.metrics import target_ranks
    >>> scores = [[0.9, 0.5, 0.5, 0.1], [0.2, 0.2, 0.2, 0.2], [0.4, 0.3, 0.2, 0.1]]
    >>> n_above, n_tied = target_ranks(scores, [1, 0, -1])
    >>> n_above
    array([1, 0, 4])
    >>> n_tied
    array([1, 3, 0])
    """
    scores = check_scores(scores)
    targets = check_targets(targets, scores.shape)
    rows = np.arange(len(scores))
    own = scores[rows, targets][:, None]
    above, tied = scores > own, scores == own
    tied[rows, targets] = False
    if excluded is not None:
        ranked = ~check_excluded(excluded, scores.shape)
        above &= ranked
        tied &= ranked
    unknown = targets < 0
    n_above = np.where(unknown, scores.shape[1], np.count_nonzero(above, axis=1))
    return n_above, np.where(unknown, 0, np.count_nonzero(tied, axis=1))


def ndcg_at_k(
    n_above: Any,
    n_tied: Any,
    *,
    k: int = 10,
    queries: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Normalised discounted cumulative gain of the first k positions.

    With :math:`p_t` the position of target t, counted from 1, the score of a query with the
    targets T is

    .. math:: \sum_{t \in T,\, p_t \le k} \frac{1}{\log_2(1 + p_t)} \;\Big/
              \sum_{p=1}^{\min(|T|,\, k)} \frac{1}{\log_2(1 + p)},

    which is 1 if the targets lead the ranking [1]_. Where items tie it is the exact mean over all
    orders of the tied [2]_.

    Parameters
    ----------
    n_above : array-like of shape (n_targets,) and dtype int
        Number of items ranked above each target, from `target_ranks`.
    n_tied : array-like of shape (n_targets,) and dtype int
        Number of other items that tie with each target, from `target_ranks`.
    k : int, default=10
        Positions that count, at least 1 and at most the number of items.
    queries : array-like of shape (n_targets,), default=None
        Which query each target belongs to, by any label. A query's targets must be distinct
        items of one ranking. None makes each target a query of its own.
    sample_weight : array-like of shape (n_targets,), default=None
        Weights, not negative. A query has the mean weight of its targets. None gives each query
        the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the weighted mean over the queries, or the score of each query.

    Returns
    -------
    score : float or ndarray of shape (n_queries,) and dtype float64
        The mean, or one score per query, sorted by the query's label. From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes disagree, counts are negative, k is below 1, two targets of a query take
        the same place, a weight is negative or not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because there is no query of positive weight.

    References
    ----------
    .. [1] Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM
       Transactions on Information Systems, 2002.
    .. [2] McSherry and Najork, "Computing information retrieval performance measures efficiently
       in the presence of tied scores", ECIR 2008.

    Examples
    --------
    >>> from sk_attention.metrics import ndcg_at_k, target_ranks
    >>> ranks = target_ranks([[0.9, 0.5, 0.1], [0.3, 0.3, 0.1]], [0, 0])
    >>> ndcg_at_k(*ranks, k=2, average=None).round(3)
    array([1.   , 0.815])
    >>> round(ndcg_at_k(*ranks, k=1), 3)
    0.75
    """

    def per_query(ranks: Ranks) -> np.ndarray:
        discounts = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(discounts)[np.minimum(ranks.n_targets, k) - 1]
        return summed_gains(ranks, discounts) / ideal

    return score_ranks(per_query, n_above, n_tied, k, queries, sample_weight, average)


def recall_at_k(
    n_above: Any,
    n_tied: Any,
    *,
    k: int = 10,
    queries: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Share of a query's targets that are among the first k positions.

    The score of a query with the targets T at the positions :math:`p_t` is
    :math:`|\{t \in T: p_t \le k\}| \,/\, |T|`. Where items tie it is the exact mean over all orders
    of the tied. With more targets than k it cannot reach 1.

    Parameters
    ----------
    n_above : array-like of shape (n_targets,) and dtype int
        Number of items ranked above each target, from `target_ranks`.
    n_tied : array-like of shape (n_targets,) and dtype int
        Number of other items that tie with each target, from `target_ranks`.
    k : int, default=10
        Positions that count, at least 1 and at most the number of items.
    queries : array-like of shape (n_targets,), default=None
        Which query each target belongs to, by any label. A query's targets must be distinct
        items of one ranking. None makes each target a query of its own.
    sample_weight : array-like of shape (n_targets,), default=None
        Weights, not negative. A query has the mean weight of its targets. None gives each query
        the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the weighted mean over the queries, or the score of each query.

    Returns
    -------
    score : float or ndarray of shape (n_queries,) and dtype float64
        The mean, or one score per query, sorted by the query's label. From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes disagree, counts are negative, k is below 1, two targets of a query take
        the same place, a weight is negative or not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because there is no query of positive weight.

    Examples
    --------
    Ann has two targets, at the first and the fifth position, Bob has one, at the second.

    >>> from sk_attention.metrics import recall_at_k
    >>> recall_at_k([0, 4, 1], [0, 0, 0], k=3, queries=["Ann", "Ann", "Bob"], average=None)
    array([0.5, 1. ])
    """

    def per_query(ranks: Ranks) -> np.ndarray:
        return summed_gains(ranks, np.ones(k)) / ranks.n_targets

    return score_ranks(per_query, n_above, n_tied, k, queries, sample_weight, average)


def hit_rate_at_k(
    n_above: Any,
    n_tied: Any,
    *,
    k: int = 10,
    queries: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    """Share of the queries that have a target among the first k positions.

    The score of a query is 1 if one of its targets stands at position k or before, else 0. Where
    items tie it is the exact mean over all orders of the tied. With one target per query it
    equals `recall_at_k`.

    Parameters
    ----------
    n_above : array-like of shape (n_targets,) and dtype int
        Number of items ranked above each target, from `target_ranks`.
    n_tied : array-like of shape (n_targets,) and dtype int
        Number of other items that tie with each target, from `target_ranks`.
    k : int, default=10
        Positions that count, at least 1 and at most the number of items.
    queries : array-like of shape (n_targets,), default=None
        Which query each target belongs to, by any label. A query's targets must be distinct
        items of one ranking. None makes each target a query of its own.
    sample_weight : array-like of shape (n_targets,), default=None
        Weights, not negative. A query has the mean weight of its targets. None gives each query
        the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the weighted mean over the queries, or the score of each query.

    Returns
    -------
    score : float or ndarray of shape (n_queries,) and dtype float64
        The mean, or one score per query, sorted by the query's label. From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes disagree, counts are negative, k is below 1, two targets of a query take
        the same place, a weight is negative or not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because there is no query of positive weight.

    Examples
    --------
    Ann has two targets, at the first and the fifth position, Bob has one, at the second.

    >>> from sk_attention.metrics import hit_rate_at_k
    >>> hit_rate_at_k([0, 4, 1], [0, 0, 0], k=1, queries=["Ann", "Ann", "Bob"], average=None)
    array([1., 0.])
    """

    def per_query(ranks: Ranks) -> np.ndarray:
        return gain_of_best(ranks, np.ones(k))

    return score_ranks(per_query, n_above, n_tied, k, queries, sample_weight, average)


def mrr_at_k(
    n_above: Any,
    n_tied: Any,
    *,
    k: int = 10,
    queries: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Mean reciprocal rank of the best target, 0 beyond position k.

    With p the position of a query's best target, counted from 1, the score is :math:`1/p` for
    :math:`p \le k` and else 0 [1]_. Where items tie it is the exact mean over all orders of the
    tied.

    Parameters
    ----------
    n_above : array-like of shape (n_targets,) and dtype int
        Number of items ranked above each target, from `target_ranks`.
    n_tied : array-like of shape (n_targets,) and dtype int
        Number of other items that tie with each target, from `target_ranks`.
    k : int, default=10
        Positions that count, at least 1 and at most the number of items.
    queries : array-like of shape (n_targets,), default=None
        Which query each target belongs to, by any label. A query's targets must be distinct
        items of one ranking. None makes each target a query of its own.
    sample_weight : array-like of shape (n_targets,), default=None
        Weights, not negative. A query has the mean weight of its targets. None gives each query
        the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the weighted mean over the queries, or the score of each query.

    Returns
    -------
    score : float or ndarray of shape (n_queries,) and dtype float64
        The mean, or one score per query, sorted by the query's label. From 0 to 1.

    Raises
    ------
    ValueError
        If the shapes disagree, counts are negative, k is below 1, two targets of a query take
        the same place, a weight is negative or not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because there is no query of positive weight.

    References
    ----------
    .. [1] Voorhees, "The TREC-8 question answering track report", TREC 1999.

    Examples
    --------
    >>> from sk_attention.metrics import mrr_at_k
    >>> mrr_at_k([1, 3, 0], [0, 0, 1], k=3, average=None)
    array([0.5 , 0.  , 0.75])
    """

    def per_query(ranks: Ranks) -> np.ndarray:
        return gain_of_best(ranks, 1 / np.arange(1, k + 1))

    return score_ranks(per_query, n_above, n_tied, k, queries, sample_weight, average)
