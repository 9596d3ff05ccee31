"""How popular items are, by events and by their age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .histories import Histories

# Half-lives after which events are all as old: their weights are still more than 0 in float32.
OLD = 100.0


def item_weights(histories: Histories, n_items: int, half_life: float) -> NDArray[np.float64]:
    r"""Weigh the events of each item, the less the older they are.

    .. math:: p_i = \sum_{n : i_n = i} w_n \, 2^{-a_n / h}

    with w_n the weight of event n, h the half-life, and a_n the share of all weight that is of
    later events: 0 for the last one, near 1 for the first.

    Parameters
    ----------
    histories : Histories
        All events.
    n_items : int
        Number of items.
    half_life : float
        h; infinite where age is not to matter.

    Returns
    -------
    weights : ndarray of shape (n_items,), dtype float64
        p.
    """
    order = np.argsort(histories.times, kind="stable")
    until = np.cumsum(histories.weight[order])
    last = np.searchsorted(histories.times[order], histories.times, side="right") - 1
    age = 1.0 - until[last] / until[-1]
    weight = histories.weight * np.exp2(-np.minimum(age / half_life, OLD))
    weights: NDArray[np.float64] = np.zeros(n_items + 1)
    np.add.at(weights, histories.items, weight)
    return weights[1:]


def first_times(histories: Histories, n_items: int) -> NDArray[np.float64]:
    """Return when each item was met first.

    Parameters
    ----------
    histories : Histories
        All events.
    n_items : int
        Number of items.

    Returns
    -------
    times : ndarray of shape (n_items,), dtype float64
        -inf for an item that nobody met.
    """
    times = np.full(n_items + 1, np.inf)
    np.minimum.at(times, histories.items, histories.times)
    return np.where(np.isinf(times), -np.inf, times)[1:]
