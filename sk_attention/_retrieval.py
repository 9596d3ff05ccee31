"""The best items for each history, a slice of the users at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from ._best_items import best_items
from .data.histories import Histories
from .data.transitions import N_FOLLOWERS, REACH, Transitions

# Scores held at once.
SCORES_AT_A_TIME = 2**24

# Users whose histories are held at once.
USERS_AT_A_TIME = 2**13

# Where no more than this share of the items may be recommended, only these are looked at.
NARROW_SHARE = 0.5

# An index is asked for so many items above those wanted and those left out: it is not exact.
MARGIN = 100

# Users with more items to leave out are compared with all items.
MAX_LEFT_OUT = 1_000


class Finds(Protocol):
    """An index of the items."""

    def search(
        self, hidden: NDArray[np.float32], n_wanted: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return positions of items (n_queries, n_wanted), -1 where there are no more."""


class Follows(NamedTuple):
    """What followed the latest events of queries, and how much that counts."""

    transitions: Transitions
    weight: float
    latest: NDArray[np.int64]  # (n_queries, n_lags), codes of items, the latest first
    own: sp.csr_array | None = None  # what the queries themselves added to the counts

    def take(self, rows: slice | NDArray[np.intp]) -> Follows:
        """Return the same for some of the queries."""
        own = None if self.own is None else self.own[rows]
        return self._replace(latest=self.latest[rows], own=own)

    def gains(self) -> sp.csr_array:
        """Return what it adds to the scores (n_queries, n_items)."""
        return self.transitions.gains(self.latest, self.own) * np.float32(self.weight)

    def pair_gains(self, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what it adds to the score of one item each (n_queries,), by its position."""
        gains = self.transitions.pair_gains(self.latest, items, self.own)
        return gains * np.float32(self.weight)


class Unmet(NamedTuple):
    """What items score too much where it is asked before anybody met them."""

    since: NDArray[np.float64]  # (n_items,), when each was met first; -inf for never
    excess: NDArray[np.float32]  # (n_items,)
    at: NDArray[np.float64]  # (n_queries,), inf where it does not matter

    @property
    def any(self) -> NDArray[np.bool_]:
        """Which queries were asked before some item was met (n_queries,)."""
        early: NDArray[np.bool_] = self.at < self.since.max()
        return early

    def losses(self, items: Any = slice(None)) -> NDArray[np.float32]:
        """Return it for all items (n_queries, n_items), or for some of each query."""
        early = self.since[items] > self.at[:, None]
        losses: NDArray[np.float32] = np.where(early, self.excess[items], np.float32(0))
        return losses


class Known(NamedTuple):
    """What is known of histories when items are scored."""

    hidden: NDArray[np.float32]  # (n_queries, n_dims)
    follows: Follows | None = None
    unmet: Unmet | None = None

    @property
    def n_queries(self) -> int:
        """How many histories."""
        return len(self.hidden)

    def take(self, rows: slice | NDArray[np.intp]) -> Known:
        """Return what is known of some of them."""
        follows = None if self.follows is None else self.follows.take(rows)
        unmet = None if self.unmet is None else self.unmet._replace(at=self.unmet.at[rows])
        return Known(self.hidden[rows], follows, unmet)

    def with_followers(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add to items (n_queries, n) what gains by the events before; -1 is none."""
        if self.follows is None:
            return items
        gains = self.follows.gains()
        count = np.diff(gains.indptr)
        query = np.repeat(np.arange(len(items)), count)
        place = np.arange(len(query)) - gains.indptr[query]
        more = np.full((len(items), int(count.max(initial=0))), -1)
        n_items = gains.shape[1]
        known = (np.arange(len(items))[:, None] * n_items + items)[items >= 0]
        new = ~np.isin(query * n_items + gains.indices, known)
        more[query[new], place[new]] = gains.indices[new]
        return np.hstack([items, more])


class Catalogue:
    """The vectors of all items; an item scores its product with a history's, and a bias.

    To that is added what it gains because it followed the latest events, where that is known.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_dims), dtype float32
        Vectors of the items.
    bias : ndarray of shape (n_items,), dtype float32
        What an item scores whatever the history.
    index : Finds or None, default=None
        What finds items that are likely to score high; None scores all.
    """

    def __init__(
        self,
        items: NDArray[np.float32],
        bias: NDArray[np.float32],
        index: Finds | None = None,
    ) -> None:
        self.items = torch.as_tensor(items)
        self.bias = torch.as_tensor(bias)
        self.index = index

    def __len__(self) -> int:
        return len(self.items)

    def scores(self, known: Known) -> NDArray[np.float32]:
        """Return the scores (n_queries, n_items)."""
        with torch.inference_mode():
            scores: NDArray[np.float32] = torch.addmm(
                self.bias, torch.as_tensor(known.hidden), self.items.T
            ).numpy()
        if known.follows is not None:
            gains = known.follows.gains().tocoo()
            scores[gains.row, gains.col] += gains.data
        return scores if known.unmet is None else scores - known.unmet.losses()

    def pair_scores(self, known: Known, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores (n_queries,) of one item each, by its position."""
        vectors, bias = self.items.numpy()[items], self.bias.numpy()[items]
        scores: NDArray[np.float32] = np.einsum("qd,qd->q", known.hidden, vectors) + bias
        if known.follows is not None:
            scores += known.follows.pair_gains(items)
        return scores if known.unmet is None else scores - known.unmet.losses(items[:, None])[:, 0]

    def best(
        self, known: Known, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best items of each history, best first.

        Parameters
        ----------
        known : Known
            Histories.
        k : int
            Items wanted.
        left_out : Excluded
            What not to recommend.

        Returns
        -------
        items : ndarray of shape (n_queries, k), dtype int64
            Positions of the items, -1 where there is none left.
        scores : ndarray of shape (n_queries, k), dtype float32
            Their scores, not rising; -inf where there is no item.
        """
        allowed = ~left_out.everywhere
        if allowed.sum() <= NARROW_SHARE * len(self):
            return self._best_of_few(known, k, left_out)
        if self.index is None:
            return self._best_of_all(known, k, left_out)
        items, found = self._best_of_index(self.index, known, k, left_out)
        missing = np.flatnonzero(np.isneginf(found[:, -1]))
        rest = self._best_of_all(known.take(missing), k, left_out.of(missing))
        items[missing], found[missing] = rest
        return items, found

    def _best_of_all(
        self, known: Known, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        items = np.full((known.n_queries, k), -1)
        found = np.full(items.shape, -np.inf, dtype=np.float32)
        for rows in query_slices(known.n_queries, len(self)):
            scores = self.scores(known.take(rows))
            left_out.apply(scores, rows)
            items[rows], found[rows] = best_items(scores, k)
        return items, found

    def _best_of_few(
        self, known: Known, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score only what may be recommended."""
        few = np.flatnonzero(~left_out.everywhere)
        narrow = Catalogue(self.items.numpy()[few], self.bias.numpy()[few])
        left_out = left_out.among(few)
        items = np.full((known.n_queries, k), -1)
        found = np.full(items.shape, -np.inf, dtype=np.float32)
        for rows in query_slices(known.n_queries, len(few)):
            some = known.take(rows)
            scores = narrow.scores(Known(some.hidden))
            if some.follows is not None:
                scores += some.follows.gains()[:, few].toarray()
            if some.unmet is not None:
                scores -= some.unmet.losses(few)
            left_out.apply(scores, rows)
            best, found[rows] = best_items(scores, k)
            items[rows] = np.append(few, -1)[best]  # what is -1 stays so
        return items, found

    def _best_of_index(
        self, index: Finds, known: Known, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score what the index finds; nothing where it is exact only to look at all items."""
        items = np.full((known.n_queries, k), -1)
        found = np.full(items.shape, -np.inf, dtype=np.float32)
        n_left_out = np.bincount(left_out.query, minlength=known.n_queries)
        exact = n_left_out > MAX_LEFT_OUT
        if known.unmet is not None:
            exact |= known.unmet.any  # an index does not know when
        chosen = np.flatnonzero(~exact)
        if not len(chosen):
            return items, found
        n_wanted = min(k + int(n_left_out[chosen].max()) + MARGIN, len(self))
        n_scored = n_wanted if known.follows is None else n_wanted + REACH * N_FOLLOWERS
        for rows in query_slices(len(chosen), n_scored * self.items.shape[1]):
            some = chosen[rows]
            asking = known.take(some)
            likely = index.search(asking.hidden, n_wanted, ~left_out.everywhere)
            likely = asking.with_followers(likely)
            scores = self._scores_of(asking, likely)
            out = (likely < 0) | left_out.of(some).contains(likely)
            scores[out | left_out.everywhere[likely]] = -np.inf
            top = torch.as_tensor(scores).topk(min(k, likely.shape[1]), dim=1)
            n_found = top.values.shape[1]
            found[some, :n_found] = top.values.numpy()
            items[some, :n_found] = np.take_along_axis(likely, top.indices.numpy(), axis=1)
        items[np.isneginf(found)] = -1
        return items, found

    def _scores_of(self, known: Known, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores (n_queries, n) of several items each."""
        vectors, bias = self.items.numpy()[items], self.bias.numpy()[items]
        scores: NDArray[np.float32] = np.matmul(vectors, known.hidden[:, :, None])[:, :, 0] + bias
        if known.follows is not None:
            query = np.arange(known.n_queries)[:, None]
            gains: Any = known.follows.gains()[query, items]
            scores += gains.toarray()
        return scores  # of queries for which all items were met


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

    def of(self, queries: NDArray[np.intp]) -> Excluded:
        """Return what is left out of some queries, ascending, that are counted anew."""
        kept = np.isin(self.query, queries)
        query = np.searchsorted(queries, self.query[kept])
        return Excluded(self.everywhere, query, self.item[kept])

    def among(self, items: NDArray[np.intp]) -> Excluded:
        """Return what is left out of some items, ascending, that are counted anew."""
        kept = np.isin(self.item, items)
        item = np.searchsorted(items, self.item[kept])
        return Excluded(self.everywhere[items], self.query[kept], item)

    def contains(self, items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which items (n_queries, n) are left out of their query alone."""
        n_items = len(self.everywhere)
        pairs = np.arange(len(items))[:, None] * n_items + items
        return np.isin(pairs, self.query * n_items + self.item)

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


def row_slices(n_rows: int) -> Iterator[slice]:
    """Yield slices of rows that ask, so small that their histories can be held; one at least.

    Parameters
    ----------
    n_rows : int
        Rows.

    Yields
    ------
    rows : slice
        Consecutive rows.
    """
    for start in range(0, max(n_rows, 1), USERS_AT_A_TIME):
        yield slice(start, min(start + USERS_AT_A_TIME, n_rows))
