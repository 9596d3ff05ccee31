"""What a recommender may know of a user's past when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from .batches import Batch
from .histories import Histories
from .ragged import as_tensors, stacked

# Rows and events of one user and time that are compared at once.
PAIRS_AT_A_TIME = 2**20


@dataclass(frozen=True)
class Queries:
    """What is known when a recommendation is asked for: token codes, times, and how many of them.

    Attributes
    ----------
    item : ndarray of shape (n_queries, length), dtype int64
        Tokens from the earliest on; whatever stands behind the last one is padding.
    time : ndarray of shape (n_queries, length), dtype float64
        When they were.
    session : ndarray of shape (n_queries, length), dtype int64
        Of which session; -1 for the start.
    at : ndarray of shape (n_queries,), dtype float64
        When the recommendation is asked for.
    n_tokens : ndarray of shape (n_queries,), dtype int64
        Tokens of each query, at least one.
    event : ndarray of shape (n_queries, length), dtype int64
        Which events the tokens are; any event where a token is none.
    codes : mapping of str to ndarray of shape (n_events, ...), or Ragged
        What else is known of the events.
    asked : mapping of str to ndarray of shape (n_queries, ...), or Ragged
        What else is known of the queries, under the names by which the network reads it. What is
        called ``context.*`` is known of the events, too, when they were asked for.
    own : csr_array of shape (n_queries, n_events), dtype bool, or None
        Which events the queries ask about: themselves, where they are rows of fit.
    """

    item: NDArray[np.int64]
    time: NDArray[np.float64]
    session: NDArray[np.int64]
    at: NDArray[np.float64]
    n_tokens: NDArray[np.int64]
    event: NDArray[np.int64]
    codes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    own: sp.csr_array | None = None

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: slice | NDArray[np.int64]) -> Queries:
        """Return some of the queries.

        Parameters
        ----------
        rows : slice or ndarray of dtype int64
            Which.

        Returns
        -------
        queries : Queries
            These, in this order.
        """
        arrays: dict[str, Any] = {
            name: values[rows]
            for name, values in vars(self).items()
            if isinstance(values, np.ndarray)
        }
        asked = {name: values[rows] for name, values in self.asked.items()}
        own = None if self.own is None else self.own[rows]
        return replace(self, **arrays, asked=asked, own=own)

    def by_lag(self, values: NDArray[Any], max_history: int) -> NDArray[Any]:
        """Turn what goes with the tokens the other way round: the latest first.

        Parameters
        ----------
        values : ndarray of shape (n_queries, length)
            One value per token.
        max_history : int
            Lags wanted.

        Returns
        -------
        values : ndarray of shape (n_queries, max_history)
            0 where there is no token.
        """
        place = self.n_tokens[:, None] - 1 - np.arange(max_history)
        there = place >= 0
        taken = np.take_along_axis(values, np.where(there, place, 0), axis=1)
        out: NDArray[Any] = np.where(there, taken, 0)
        return out

    def batches(
        self, size: int, device: Any, candidate: NDArray[np.int64] | None = None
    ) -> Iterator[Batch]:
        """Yield the queries in batches, as `Windows.take` would: the last token is the target.

        Parameters
        ----------
        size : int
            Queries in a batch.
        device : torch.device or str
            Where to.
        candidate : ndarray of shape (n_queries, K), dtype int64, default=None
            Positions of items that go with the queries.

        Yields
        ------
        inputs : dict of Tensor
            What the network reads.
        target : Tensor of shape (n, 0)
            Nothing.
        """
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            n_tokens = self.n_tokens[rows]
            length = int(n_tokens.max())
            item, time = self.item[rows, :length], self.time[rows, :length]
            asked = np.concatenate([time[:, 1:], self.at[rows, None]], axis=1)
            asked[np.arange(len(item)), n_tokens - 1] = self.at[rows]
            arrays: dict[str, Any] = {
                "item": item,
                "time": time,
                "session": self.session[rows, :length],
                "asked": asked,
                "position": np.arange(len(item)) * length + n_tokens - 1,
            }
            if candidate is not None:
                arrays["candidate"] = candidate[rows]
            event = self.event[rows, :length]
            arrays |= {
                name: codes[event]
                for name, codes in self.codes.items()
                if name.startswith("event.")
            }
            arrays |= {name: values[rows] for name, values in self.asked.items()}
            arrays |= {
                name: self._at_every_place(name, rows, length)
                for name in self.asked
                if name.startswith("context.")
            }
            inputs: dict[str, torch.Tensor] = {}
            for name, array in arrays.items():
                inputs |= as_tensors(name, array, device)
            yield inputs, torch.empty(len(item), 0)

    def _at_every_place(self, name: str, rows: slice, length: int) -> Any:
        """Return what was known when the event after each token was asked for, then of the query.

        Shape (n_queries, length, n_fields).
        """
        event, last = self.event[rows, :length], self.n_tokens[rows] - 1
        following = np.concatenate([event[:, 1:], event[:, -1:]], axis=1)
        both = stacked(self.codes[name][following.ravel()], self.asked[name][rows])
        place = np.arange(following.size).reshape(following.shape)
        place[np.arange(len(last)), last] = following.size + np.arange(len(last))
        return both[place]


def past_events(
    histories: Histories, users: NDArray[np.int64], at: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which events of a user come before a time.

    Parameters
    ----------
    histories : Histories
        All events.
    users : ndarray of shape (n_queries,)
        User codes; -1 is a user without events.
    at : ndarray of shape (n_queries,)
        Events at or before that time count.

    Returns
    -------
    first, last : ndarray of shape (n_queries,), dtype int64
        Positions of the first event and of the one after the last.
    """
    known = users >= 0
    user = np.where(known, users, 0)
    first, last = histories.starts[user], histories.starts[user + 1]
    first, last = np.where(known, first, 0), np.where(known, last, 0)
    low, high = first.copy(), last.copy()
    while (low < high).any():  # all users' binary searches at once
        middle = (low + high) // 2
        open_ = low < high
        before = np.zeros(len(users), dtype=bool)
        before[open_] = histories.times[middle[open_]] <= at[open_]
        low = np.where(open_ & before, middle + 1, low)
        high = np.where(open_ & ~before, middle, high)
    return first, low


def build_queries(
    histories: Histories,
    users: NDArray[np.int64],
    at: NDArray[np.float64],
    own: NDArray[np.int64] | None,
    max_history: int,
    start: int,
) -> Queries:
    """Collect what a user did until a time, the latest events only.

    Parameters
    ----------
    histories : Histories
        All events.
    users : ndarray of shape (n_queries,)
        User codes, -1 for one without events.
    at : ndarray of shape (n_queries,)
        When the recommendation is asked for: events after it are left out.
    own : ndarray of shape (n_queries,) or None
        Item of the row that asks: an event of the same user, item and time is that row itself, and
        left out.
    max_history : int
        Tokens at the most.
    start : int
        Code of the token that stands before a user's first event.

    Returns
    -------
    queries : Queries
        One per user given.
    """
    first, last = past_events(histories, users, at)
    n_past = int((last - first).max(initial=0))
    asked = None if own is None else own_events(histories, users, at, own)
    n_own = 0 if asked is None else int(np.diff(asked.indptr).max(initial=0))
    span = min(n_past, max_history + n_own) + 1  # one more for the start
    index = last[:, None] - np.arange(span, 0, -1)
    keep = index >= first[:, None]
    event = np.where(keep, index, 0)
    item = histories.items[event] if len(histories) else np.zeros_like(event)
    time = histories.times[event] if len(histories) else np.zeros(event.shape)
    session = histories.sessions[event] if len(histories) else np.zeros_like(event)
    if own is not None:
        keep &= ~((item == own[:, None]) & (time == at[:, None]))
    n_kept = keep.sum(axis=1)
    whole = n_kept < max_history
    keep &= n_kept[:, None] - keep.cumsum(axis=1) < max_history
    n_tokens = keep.sum(axis=1) + whole
    # the start token takes the place before the first event that is kept
    order = np.argsort(keep, axis=1, kind="stable")
    event = np.take_along_axis(event, order, axis=1)
    item = np.take_along_axis(item, order, axis=1)
    time = np.take_along_axis(time, order, axis=1)
    session = np.take_along_axis(session, order, axis=1)
    place = np.maximum(span - n_tokens, 0)
    rows = np.flatnonzero(whole)
    item[rows, place[rows]] = start
    session[rows, place[rows]] = -1
    time[rows, place[rows]] = np.where(
        n_kept[rows] > 0, time[rows, np.minimum(place[rows] + 1, span - 1)], at[rows]
    )
    columns = np.minimum(place[:, None] + np.arange(span), span - 1)
    return Queries(
        np.take_along_axis(item, columns, axis=1),
        np.take_along_axis(time, columns, axis=1),
        np.take_along_axis(session, columns, axis=1),
        at,
        n_tokens,
        np.take_along_axis(event, columns, axis=1),
        histories.codes,
        own=asked,
    )


def own_events(
    histories: Histories,
    users: NDArray[np.int64],
    at: NDArray[np.float64],
    own: NDArray[np.int64],
) -> sp.csr_array:
    """Find the events that are the rows that ask: of the same user, item and time.

    Parameters
    ----------
    histories : Histories
        All events.
    users : ndarray of shape (n_queries,)
        User codes; -1 is a user without events.
    at : ndarray of shape (n_queries,)
        Times of the rows.
    own : ndarray of shape (n_queries,)
        Items of the rows.

    Returns
    -------
    events : csr_array of shape (n_queries, n_events), dtype bool
        True for the events of each row; none for a row that is not among them.
    """
    _, first = past_events(histories, users, np.nextafter(at, -np.inf))
    _, last = past_events(histories, users, at)
    count = last - first  # events of the same user and time
    parts = np.cumsum(count) // PAIRS_AT_A_TIME
    found = []
    for rows in np.split(np.arange(len(users)), np.flatnonzero(np.diff(parts)) + 1):
        query = rows.repeat(count[rows])
        begins = np.cumsum(count[rows]) - count[rows]
        event = np.arange(len(query)) + (first[rows] - begins).repeat(count[rows])
        equal = histories.items[event] == own[query]
        found.append((query[equal], event[equal]))
    query, event = map(np.concatenate, zip(*found, strict=True))
    cells = np.ones(len(query), dtype=bool), (query, event)
    return sp.csr_array(cells, (len(users), len(histories)))


def have_later_events(
    histories: Histories, users: NDArray[np.int64], at: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which users have events after a time.

    Parameters
    ----------
    histories : Histories
        All events.
    users : ndarray of shape (n_queries,)
        User codes; -1 is a user without events.
    at : ndarray of shape (n_queries,)
        Times.

    Returns
    -------
    later : ndarray of shape (n_queries,), dtype bool
        Whether the user's last event comes after that time.
    """
    user = np.maximum(users, 0)
    first, last = histories.starts[user], histories.starts[user + 1]
    there = (users >= 0) & (last > first)
    later: NDArray[np.bool_] = there & (histories.times[np.where(there, last - 1, 0)] > at)
    return later
