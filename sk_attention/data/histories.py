"""Interactions in order of time, user by user, and the windows that a network reads of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batches import Batch

UNKNOWN = 0  # the code of an item that was not there in fit; known items have 1, 2, ...


@dataclass(frozen=True)
class Histories:
    """The events of each user, from the first to the last, one user after the other.

    Attributes
    ----------
    items : ndarray of shape (n_events,), dtype int64
        Item codes.
    times : ndarray of shape (n_events,), dtype float64
        When; all 0 where no time is known.
    weight : ndarray of shape (n_events,), dtype float64
        Weight of each event as a target: 0 for one that is history only.
    starts : ndarray of shape (n_users + 1,), dtype int64
        Where each user's events begin; the last entry is n_events.
    """

    items: NDArray[np.int64]
    times: NDArray[np.float64]
    weight: NDArray[np.float64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.starts) - 1

    @property
    def users(self) -> NDArray[np.int64]:
        """The user of each event."""
        return np.repeat(np.arange(self.n_users), np.diff(self.starts))


def build_histories(
    users: NDArray[Any],
    items: NDArray[Any],
    times: NDArray[np.float64] | None,
    weight: NDArray[np.float64],
    n_users: int,
) -> Histories:
    """Sort interactions by user, then by time, then by row.

    Parameters
    ----------
    users : ndarray of shape (n_rows,)
        User codes from 0.
    items : ndarray of shape (n_rows,)
        Item codes.
    times : ndarray of shape (n_rows,) or None
        When; None takes the order of the rows.
    weight : ndarray of shape (n_rows,)
        Weights.
    n_users : int
        Number of users.

    Returns
    -------
    histories : Histories
        All events.
    """
    order = np.argsort(users, kind="stable") if times is None else np.lexsort((times, users))
    counts = np.bincount(users, minlength=n_users)
    return Histories(
        items[order].astype(np.int64),
        np.zeros(len(users)) if times is None else times[order].astype(np.float64),
        weight[order].astype(np.float64),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


class Windows(torch.utils.data.Dataset[Batch]):
    """Stretches of histories to train on or to score.

    A window is a run of successive events of one user. Each of them is a target, if it weighs
    anything; what the network reads for it is the event before, or `start` for a user's first.

    Parameters
    ----------
    histories : Histories
        All events.
    first, last : ndarray of shape (n_windows,)
        Positions of each window's first event, and of the one after its last.
    scored : ndarray of shape (n_events,), dtype bool
        Which events count as targets.
    start : int
        Code of the token before a user's first event.
    device : torch.device or str
        Where the tensors lie.
    """

    def __init__(
        self,
        histories: Histories,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        scored: NDArray[np.bool_],
        start: int,
        device: Any = "cpu",
    ) -> None:
        before = np.concatenate([[start], histories.items[:-1]])
        time_before = np.concatenate([histories.times[:1], histories.times[:-1]])
        begins = histories.starts[:-1][np.diff(histories.starts) > 0]
        before[begins] = start
        time_before[begins] = histories.times[begins]
        counted = scored & (histories.weight > 0)
        inside = np.zeros(len(histories) + 1, dtype=np.int64)
        np.add.at(inside, first, 1)
        np.add.at(inside, last, -1)
        counts = np.concatenate([[0], np.cumsum(counted)])
        self.n_targets = int((counts[last] - counts[first]).sum())
        weight = histories.weight / histories.weight[counted & (inside[:-1].cumsum() > 0)].mean()

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.as_tensor(array, device=device)

        self.item, self.before = tensor(histories.items), tensor(before)
        self.time, self.time_before = tensor(histories.times), tensor(time_before)
        self.weight = tensor(weight.astype(np.float32))
        self.counted = tensor(counted)
        self.first, self.last = tensor(first), tensor(last)
        self.n_windows = len(first)

    def __len__(self) -> int:
        return self.n_targets

    def take(self, chosen: Tensor) -> Batch:
        """Return some windows side by side, the shorter ones padded at their end.

        Parameters
        ----------
        chosen : Tensor of shape (B,), dtype int64
            Positions of the windows.

        Returns
        -------
        inputs : dict of Tensor
            ``item``, ``time`` and ``asked`` (B, L): the event before, when it was, and when the
            next one is; ``position`` (N,): where in the flat B x L the targets are; ``weight``
            (N,).
        target : Tensor of shape (N,), dtype int64
            Item codes.
        """
        first, last = self.first[chosen, None], self.last[chosen, None]
        length = int((last - first).max())
        index = first + torch.arange(length, device=first.device)
        inside = index < last
        index = torch.minimum(index, last - 1)
        position = (inside & self.counted[index]).flatten().nonzero().squeeze(1)
        event = index.flatten()[position]
        inputs = {
            "item": self.before[index],
            "time": self.time_before[index],
            "asked": self.time[index],
            "position": position,
            "weight": self.weight[event],
        }
        return inputs, self.item[event]


class WindowBatches:
    """Iterate over `Windows` in batches of similar length, so that little is padding.

    Parameters
    ----------
    rows : Windows
        The windows.
    batch_size : int, default=64
        Windows in a batch.
    shuffle : bool, default=False
        Whether each pass deals the windows to the batches anew, in a random order.
    generator : torch.Generator, default=None
        Source of the order, on the CPU.
    """

    # Windows of that many batches are sorted by length together.
    BATCHES_SORTED = 16

    def __init__(
        self,
        rows: Windows,
        batch_size: int = 64,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.length = (rows.last - rows.first).cpu()

    def __len__(self) -> int:
        return -(-len(self.length) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n_windows = len(self.length)
        order = torch.arange(n_windows)
        if self.shuffle:
            order = torch.randperm(n_windows, generator=self.generator)
        batches = [
            batch
            for part in order.split(self.batch_size * self.BATCHES_SORTED)
            for batch in part[self.length[part].argsort(stable=True)].split(self.batch_size)
        ]
        if self.shuffle:
            turns = torch.randperm(len(batches), generator=self.generator)
            batches = [batches[turn] for turn in turns.tolist()]
        for batch in batches:
            yield self.rows.take(batch.to(self.rows.first.device))


def training_windows(
    starts: NDArray[np.int64], stops: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut each user's events into windows, from the last event backwards.

    Parameters
    ----------
    starts, stops : ndarray of shape (n_users,)
        Position of each user's first event, and of the one after the last to use.
    length : int
        Events of a window at the most.

    Returns
    -------
    first, last : ndarray of shape (n_windows,)
        As `Windows` takes them.
    """
    n_windows = -(-(stops - starts) // length)
    user = np.repeat(np.arange(len(starts)), n_windows)
    turn = np.arange(len(user)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
    last = stops[user] - turn * length
    return np.maximum(last - length, starts[user]), last


@dataclass(frozen=True)
class Queries:
    """What is known when a recommendation is asked for: token codes, times, and how many of them.

    Attributes
    ----------
    item : ndarray of shape (n_queries, length), dtype int64
        Tokens from the earliest on; whatever stands behind the last one is padding.
    time : ndarray of shape (n_queries, length), dtype float64
        When they were.
    at : ndarray of shape (n_queries,), dtype float64
        When the recommendation is asked for.
    n_tokens : ndarray of shape (n_queries,), dtype int64
        Tokens of each query, at least one.
    """

    item: NDArray[np.int64]
    time: NDArray[np.float64]
    at: NDArray[np.float64]
    n_tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.item)

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

    def batches(self, size: int, device: Any) -> Iterator[Batch]:
        """Yield the queries in batches, as `Windows.take` would: the last token is the target.

        Parameters
        ----------
        size : int
            Queries in a batch.
        device : torch.device or str
            Where to.

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
            arrays = {
                "item": item,
                "time": time,
                "asked": asked,
                "position": np.arange(len(item)) * length + n_tokens - 1,
            }
            inputs = {
                name: torch.as_tensor(np.ascontiguousarray(array), device=device)
                for name, array in arrays.items()
            }
            yield inputs, torch.empty(len(item), 0)


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
    n_own = 0 if own is None else _most_equal(histories, users, at, own)
    span = min(n_past, max_history + n_own) + 1  # one more for the start
    index = last[:, None] - np.arange(span, 0, -1)
    keep = index >= first[:, None]
    event = np.where(keep, index, 0)
    item = histories.items[event] if len(histories) else np.zeros_like(event)
    time = histories.times[event] if len(histories) else np.zeros(event.shape)
    if own is not None:
        keep &= ~((item == own[:, None]) & (time == at[:, None]))
    n_kept = keep.sum(axis=1)
    whole = n_kept < max_history
    keep &= n_kept[:, None] - keep.cumsum(axis=1) < max_history
    n_tokens = keep.sum(axis=1) + whole
    # the start token takes the place before the first event that is kept
    order = np.argsort(keep, axis=1, kind="stable")
    item = np.take_along_axis(item, order, axis=1)
    time = np.take_along_axis(time, order, axis=1)
    place = np.maximum(span - n_tokens, 0)
    rows = np.flatnonzero(whole)
    item[rows, place[rows]] = start
    time[rows, place[rows]] = np.where(
        n_kept[rows] > 0, time[rows, np.minimum(place[rows] + 1, span - 1)], at[rows]
    )
    columns = np.minimum(place[:, None] + np.arange(span), span - 1)
    return Queries(
        np.take_along_axis(item, columns, axis=1),
        np.take_along_axis(time, columns, axis=1),
        at,
        n_tokens,
    )


def _most_equal(
    histories: Histories,
    users: NDArray[np.int64],
    at: NDArray[np.float64],
    own: NDArray[np.int64],
) -> int:
    """Return how many events of one user, item and time the rows that ask have at the most."""
    _, first = past_events(histories, users, np.nextafter(at, -np.inf))
    _, last = past_events(histories, users, at)
    index = first[:, None] + np.arange((last - first).max(initial=0))
    equal = histories.items[np.minimum(index, len(histories) - 1)] == own[:, None]
    return int((equal & (index < last[:, None])).sum(axis=1).max(initial=0))
