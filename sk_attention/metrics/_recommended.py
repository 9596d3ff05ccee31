"""What lists of recommendations hold, whether or not they hit."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from sk_attention._warnings import warn


def coverage_at_k(items: Any, n_items: int) -> float:
    r"""Share of the items that are recommended to anyone at all.

    With :math:`L_q` the k items recommended to query q and I all items, the coverage is
    :math:`|\bigcup_q L_q| \,/\, |I|`: 1/n_items if everyone is recommended the same item.

    Parameters
    ----------
    items : array-like of shape (n_queries, k) and dtype int
        Recommended items, numbered from 0; -1 where a list has ended.
    n_items : int
        Number of items there are, at least 1.

    Returns
    -------
    coverage : float
        From 0 to 1.

    Raises
    ------
    ValueError
        If `items` is not two-dimensional, or holds something else than -1 and items.

    Examples
    --------
    >>> from sk_attention.metrics import coverage_at_k
    >>> coverage_at_k([[0, 3], [0, -1]], n_items=4)
    0.5
    """
    if not isinstance(n_items, Integral) or n_items < 1:
        raise ValueError(f"n_items must be an integer of at least 1, got {n_items!r}.")
    items = _check_items(items, int(n_items))
    return len(np.unique(items[items >= 0])) / int(n_items)


def novelty_at_k(items: Any, popularity: Any) -> float:
    r"""Mean self-information, in bits, of the items recommended.

    With :math:`s_i` the share of the users who know item i, and :math:`L_q` the k items
    recommended to query q, the novelty is the mean over the queries of

    .. math:: -\frac{1}{|L_q|} \sum_{i \in L_q} \log_2 s_i ,

    the surprise of a random user at meeting the item [1]_, [2]_: 1 bit for an item that half of
    the users know, one more each time that this number halves. Queries without recommendations
    are left out.

    Parameters
    ----------
    items : array-like of shape (n_queries, k) and dtype int
        Recommended items, numbered from 0; -1 where a list has ended.
    popularity : array-like of shape (n_items,)
        The share :math:`s_i` of each item, above 0 and at most 1 for each item recommended. The
        share of all interactions will do as well; values then compare only among themselves. For
        an item that nobody knows yet, give the share of half a user.

    Returns
    -------
    novelty : float
        From 0, if everyone knows everything that is recommended.

    Raises
    ------
    ValueError
        If `items` is not two-dimensional, holds something else than -1 and items, or recommends
        an item whose share is not in (0, 1].

    Warns
    -----
    UndefinedMetricWarning
        If the novelty is NaN because nothing is recommended.

    References
    ----------
    .. [1] Zhou, Kuscsik, Liu, Medo, Wakeling and Zhang, "Solving the apparent diversity-accuracy
       dilemma of recommender systems", PNAS, 2010.
    .. [2] Castells, Vargas and Wang, "Novelty and diversity metrics for recommender systems:
       choice, discovery and relevance", DDR workshop at ECIR 2011.

    Examples
    --------
    >>> from sk_attention.metrics import novelty_at_k
    >>> novelty_at_k([[0, 1], [2, -1]], popularity=[1.0, 0.5, 0.25])
    1.25
    """
    popularity = np.asarray(popularity, dtype=np.float64)
    if popularity.ndim != 1:
        raise ValueError(f"popularity must have the shape (n_items,), got {popularity.shape}.")
    items = _check_items(items, len(popularity))
    recommended = items >= 0
    share = np.ones(items.shape)
    share[recommended] = popularity[items[recommended]]
    odd = ~((share > 0) & (share <= 1))
    if odd.any():
        raise ValueError(
            "popularity must be above 0 and at most 1 for each item that is recommended; got "
            f"{share[odd][0]} for item {items[odd][0]}."
        )
    lengths = recommended.sum(axis=1)
    if not lengths.any():
        warn("The novelty is NaN: nothing is recommended.", UndefinedMetricWarning)
        return float("nan")
    surprise = np.log2(1 / share).sum(axis=1)
    return float(np.mean(surprise[lengths > 0] / lengths[lengths > 0]))


def _check_items(items: Any, n_items: int) -> np.ndarray:
    items = np.asarray(items)
    if items.ndim != 2 or (items.size and items.dtype.kind not in "iu"):
        raise ValueError(
            f"items must be integers of shape (n_queries, k), got the shape {items.shape} and "
            f"dtype {items.dtype}."
        )
    outside = items[(items < -1) | (items >= n_items)]
    if outside.size:
        raise ValueError(f"items must be -1 or an item, 0 to {n_items - 1}; got {outside.flat[0]}.")
    return items.astype(np.intp)
