"""The best of the items that were scored, and of those that are scored anew by reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def best_items(
    scores: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best items of each query, best first.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_items)
        Scores, -inf for what is left out.
    k : int
        Items wanted.

    Returns
    -------
    items : ndarray of shape (n_queries, k), dtype int64
        Positions of the items, -1 where there is none left.
    scores : ndarray of shape (n_queries, k), dtype float32
        Their scores, not rising; -inf where there is no item.
    """
    n_queries, n_items = scores.shape
    n_found = min(k, n_items)
    items = np.full((n_queries, k), -1)
    found = np.full((n_queries, k), -np.inf, dtype=np.float32)
    top = torch.as_tensor(scores).topk(n_found, dim=1)
    found[:, :n_found] = top.values.numpy()
    items[:, :n_found] = top.indices.numpy()
    items[np.isneginf(found)] = -1
    return items, found


def rank_anew(
    scores: NDArray[np.float32], n_best: int, read: Callable[[Any], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Add to the scores of the best items what these read of the history; the rest stays behind.

    Parameters
    ----------
    scores : ndarray of shape (n_queries, n_items)
        Scores, -inf for what is left out.
    n_best : int
        How many items of each query read.
    read : callable
        Positions of items (n_queries, n_best), or None for all items -> what they add.

    Returns
    -------
    scores : ndarray of shape (n_queries, n_items)
        Those of the rest are lowered together where one would come before the best.
    """
    if n_best >= scores.shape[1]:
        return scores + read(None)
    top = torch.as_tensor(scores).topk(n_best + 1, dim=1)
    best, first = top.indices[:, :-1].numpy(), top.values.numpy()
    anew, highest_left = first[:, :-1] + read(best), first[:, -1]
    lowest = np.where(np.isneginf(anew), np.inf, anew).min(axis=1)
    scores = scores + np.minimum(lowest - highest_left - 1.0, 0.0)[:, None]
    np.put_along_axis(scores, best, anew, axis=1)
    return scores


def list_anew(
    items: NDArray[np.int64],
    scores: NDArray[np.float32],
    n_best: int,
    read: Callable[[Any], NDArray[np.float32]],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Do as `rank_anew` does with lists of the best items.

    Parameters
    ----------
    items : ndarray of shape (n_queries, n), dtype int64
        Positions of items, best first, -1 where there is none.
    scores : ndarray of shape (n_queries, n)
        Their scores, -inf where there is no item.
    n_best : int
        How many items of each query read, the first ones; less than n or all of them.
    read : callable
        Positions of items (n_queries, n_best) -> what they add.

    Returns
    -------
    items : ndarray of shape (n_queries, n), dtype int64
        The first ones in their new order, then the rest.
    scores : ndarray of shape (n_queries, n), dtype float32
        Not rising.
    """
    best, rest = items[:, :n_best], scores[:, n_best:]
    anew = scores[:, :n_best] + read(best)
    order = np.argsort(-anew, axis=1, kind="stable")
    anew = np.take_along_axis(anew, order, axis=1)
    if rest.shape[1]:
        lowest = np.where(np.isneginf(anew), np.inf, anew).min(axis=1)
        first = np.where(np.isneginf(rest[:, 0]), 0.0, rest[:, 0])
        rest = rest + np.minimum(lowest - first - 1.0, 0.0)[:, None]
    best = np.take_along_axis(best, order, axis=1)
    return np.hstack([best, items[:, n_best:]]), np.hstack([anew, rest]).astype(np.float32)
