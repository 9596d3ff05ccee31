"""The best items for each history: exact, a slice of the users at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .data.histories import Histories

# Scores held at once.
SCORES_AT_A_TIME = 2**24


class Catalogue:
    """The vectors of all items; an item scores its product with a history's, and a bias.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_dims), dtype float32
        Vectors of the items.
    bias : ndarray of shape (n_items,), dtype float32
        What an item scores whatever the history.
    """

    def __init__(self, items: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self.items = torch.as_tensor(items)
        self.bias = torch.as_tensor(bias)

    def __len__(self) -> int:
        return len(self.items)

    def scores(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores (n_queries, n_items) of histories (n_queries, n_dims)."""
        with torch.inference_mode():
            scores: NDArray[np.float32] = torch.addmm(
                self.bias, torch.as_tensor(hidden), self.items.T
            ).numpy()
        return scores

    def pair_scores(
        self, hidden: NDArray[np.float32], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the scores (n_queries,) of one item each, by its position."""
        vectors, bias = self.items.numpy()[items], self.bias.numpy()[items]
        scores: NDArray[np.float32] = np.einsum("qd,qd->q", hidden, vectors) + bias
        return scores


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


class Excluded:
    """Items that are not to be recommended: to anyone, or to the user of a query.

    Parameters
    ----------
    everywhere : ndarray of shape (n_items,), dtype bool
        Items that nobody is to get.
    query, item : ndarray of shape (n_pairs,), dtype int64
        Items that single queries are not to get, sorted by query.
    """

    def __init__(
        self,
        everywhere: NDArray[np.bool_],
        query: NDArray[np.int64],
        item: NDArray[np.int64],
    ) -> None:
        self.everywhere, self.query, self.item = everywhere, query, item

    def but_for(self, query: NDArray[np.int64], item: NDArray[np.int64]) -> Excluded:
        """Return the same without some pairs of a query and an item, whatever is in them."""
        n_items = len(self.everywhere)
        kept = ~np.isin(self.query * n_items + self.item, query * n_items + item)
        return Excluded(self.everywhere, self.query[kept], self.item[kept])

    def mask(self, rows: slice) -> NDArray[np.bool_]:
        """Return True for what is left out (n_queries, n_items) of a slice of the queries."""
        out = np.tile(self.everywhere, (rows.stop - rows.start, 1))
        out[self._pairs(rows)] = True
        return out

    def apply(self, scores: NDArray[np.float32], rows: slice) -> None:
        """Write -inf over the scores of what is left out."""
        scores[:, self.everywhere] = -np.inf
        scores[self._pairs(rows)] = -np.inf

    def _pairs(self, rows: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low, high = np.searchsorted(self.query, [rows.start, rows.stop])
        return self.query[low:high] - rows.start, self.item[low:high]


def seen_items(
    histories: Histories, first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what was in the histories of queries.

    Parameters
    ----------
    histories : Histories
        All events.
    first, last : ndarray of shape (n_queries,), dtype int64
        Positions of the events of each query.

    Returns
    -------
    query, item : ndarray of shape (n_pairs,), dtype int64
        Queries, ascending, and positions of known items.
    """
    lengths = last - first
    query = np.repeat(np.arange(len(first)), lengths)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    item = histories.items[np.repeat(first, lengths) + step] - 1
    return query[item >= 0], item[item >= 0]


def query_slices(n_queries: int, n_items: int) -> Iterator[slice]:
    """Yield slices of the queries, so small that their scores of all items can be held.

    Parameters
    ----------
    n_queries : int
        Queries.
    n_items : int
        Items.

    Yields
    ------
    rows : slice
        Consecutive queries.
    """
    size = max(SCORES_AT_A_TIME // max(n_items, 1), 1)
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))
