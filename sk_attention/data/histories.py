"""Interactions in order of time, user by user, and the windows that a network reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batches import Batch
from .ragged import Ragged, as_tensors


@dataclass(frozen=True)
class Histories:
    """The events of each user, from the first to the last, one user after the other.

    Attributes
    ----------
    items : ndarray of shape (n_events,), dtype int64
        Item codes: 1, 2, ... for those of fit, 0 for an item that is not known.
    times : ndarray of shape (n_events,), dtype float64
        When; all 0 where no time is known.
    weight : ndarray of shape (n_events,), dtype float64
        Weight of each event as a target: 0 for one that is history only.
    starts : ndarray of shape (n_users + 1,), dtype int64
        Where each user's events begin; the last entry is n_events.
    sessions : ndarray of shape (n_events,), dtype int64
        Equal for successive events of one session, from 0 on; all 0 where no sessions are known.
    codes : mapping of str to ndarray of shape (n_events, n_fields of a kind), or Ragged
        What else is known of the events, as codes.
    """

    items: NDArray[np.int64]
    times: NDArray[np.float64]
    weight: NDArray[np.float64]
    starts: NDArray[np.int64]
    sessions: NDArray[np.int64]
    codes: Mapping[str, NDArray[Any]] = field(default_factory=dict)

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
    sessions: NDArray[np.int64] | None = None,
    codes: Mapping[str, NDArray[Any]] | None = None,
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
    sessions : ndarray of shape (n_rows,), default=None
        Session codes from 0; None where no sessions are known.
    codes : mapping of str to ndarray of shape (n_rows, ...) or Ragged, default=None
        What else is known of the rows.

    Returns
    -------
    histories : Histories
        All events.
    """
    order = event_order(users, times)
    counts = np.bincount(users, minlength=n_users)
    return Histories(
        items[order].astype(np.int64),
        np.zeros(len(users)) if times is None else times[order].astype(np.float64),
        weight[order].astype(np.float64),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.zeros(len(users), dtype=np.int64) if sessions is None else sessions[order],
        {name: values[order] for name, values in (codes or {}).items()},
    )


def event_order(users: NDArray[Any], times: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """Return the rows in the order of `build_histories`: by user, then by time, then by row.

    Parameters
    ----------
    users : ndarray of shape (n_rows,)
        User codes.
    times : ndarray of shape (n_rows,) or None
        When; None takes the order of the rows.

    Returns
    -------
    order : ndarray of shape (n_rows,), dtype intp
        Positions of rows.
    """
    return np.argsort(users, kind="stable") if times is None else np.lexsort((times, users))


def regrouped(histories: Histories, codes: NDArray[np.int64], n_users: int) -> Histories:
    """Give the users other codes.

    Parameters
    ----------
    histories : Histories
        All events.
    codes : ndarray of shape (n_old_users + 1,), dtype int64
        The new code of each user, both counted from 1; that of 0 is not read.
    n_users : int
        Number of users, of whom some may have no events.

    Returns
    -------
    histories : Histories
        The same events, those of a user in the same order.
    """
    users = codes[histories.users + 1] - 1
    order = np.argsort(users, kind="stable")
    counts = np.bincount(users, minlength=n_users)
    return Histories(
        histories.items[order],
        histories.times[order],
        histories.weight[order],
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        histories.sessions[order],
        {name: values[order] for name, values in histories.codes.items()},
    )


class Disliked(NamedTuple):
    """Items that users turned down, sorted by the events before which they did so."""

    event: NDArray[np.int64]  # positions in the histories
    item: NDArray[np.int64]  # codes
    weight: NDArray[np.float64]  # 1 as much as the mean target


class Windows(torch.utils.data.Dataset[Batch]):
    """Stretches of histories to train on or to score.

    A window is a run of successive events of one user. Each of them is a target, if it weighs
    anything or something was turned down before it; what the network reads for it is the event
    before, or `start` for a user's first.

    Parameters
    ----------
    histories : Histories
        All events.
    first, last : ndarray of shape (n_windows,)
        Positions of each window's first event, and of the one after its last.
    scored : ndarray of shape (n_events,), dtype bool
        Which events count as targets; others weigh nothing.
    start : int
        Code of the token before a user's first event.
    device : torch.device or str, default="cpu"
        Where the tensors lie.
    of_users : mapping of str to ndarray of shape (n_users, ...) or Ragged, default=None
        What is known of the users.
    disliked : Disliked or None, default=None
        What was turned down before events, which thereby are targets.
    """

    def __init__(
        self,
        histories: Histories,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        scored: NDArray[np.bool_],
        start: int,
        device: Any = "cpu",
        of_users: Mapping[str, Any] | None = None,
        disliked: Disliked | None = None,
    ) -> None:
        before = np.concatenate([[start], histories.items[:-1]])
        time_before = np.concatenate([histories.times[:1], histories.times[:-1]])
        session_before = np.concatenate([[-1], histories.sessions[:-1]])
        begins = histories.starts[:-1][np.diff(histories.starts) > 0]
        before[begins] = start
        session_before[begins] = -1
        time_before[begins] = histories.times[begins]
        weight = _relative_weights(np.where(scored, histories.weight, 0.0), first, last)
        n_disliked = np.zeros(len(histories), dtype=np.int64)
        if disliked is not None:
            n_disliked = np.bincount(disliked.event, minlength=len(histories))
        counted = (weight > 0) | (n_disliked > 0)
        counts = np.concatenate([[0], np.cumsum(counted)])
        self.n_targets = int((counts[last] - counts[first]).sum())

        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.as_tensor(array, device=device)

        self.item, self.before = tensor(histories.items), tensor(before)
        self.time, self.time_before = tensor(histories.times), tensor(time_before)
        self.session_before = tensor(session_before)
        self.weight = tensor(weight.astype(np.float32))
        self.counted = tensor(counted)
        self.codes: dict[str, Any]
        self.of_users: dict[str, Any]
        self.codes, self.of_users = (
            {
                name: own.to(device) if isinstance(own, Ragged) else tensor(own)
                for name, own in known.items()
                if name != "counted"  # of what followed what, which no network reads
            }
            for known in (histories.codes, of_users or {})
        )
        self.user = tensor(histories.users[first])
        self.first, self.last = tensor(first), tensor(last)
        self.disliked: tuple[Tensor, Tensor] | None = None
        if disliked is not None:
            self.disliked = tensor(disliked.item), tensor(disliked.weight.astype(np.float32))
            self.n_disliked = tensor(n_disliked)
            self.first_disliked = tensor(np.cumsum(n_disliked) - n_disliked)
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
            ``item``, ``time``, ``session`` and ``asked`` (B, L): the event before, when it was, of
            which session (-1 for the start), and when the next one is; ``event.*`` (B, L, F): what
            else is known of the event before, and ``context.*`` of the next one when it is asked
            for; ``user.*`` (B, F): of the user; ``position`` (N,): where in the flat B x L the
            targets are; ``asked.*`` (N, F): what is known of them when they are asked for;
            ``weight`` (N,). Where anything was turned down, ``disliked`` (M,), codes of these
            items, ``disliked_target`` (M,), at which of the targets, and ``disliked_weight`` (M,).
        target : Tensor of shape (N,), dtype int64
            Item codes.
        """
        inputs, event = self._inputs(chosen)
        if self.disliked is not None:
            inputs |= self._dislikes(event)
        return inputs, self.item[event]

    def _dislikes(self, event: Tensor) -> dict[str, Tensor]:
        """Return what was turned down at the events (N,)."""
        assert self.disliked is not None
        item, weight = self.disliked
        count = self.n_disliked[event]
        target = torch.arange(len(event), device=event.device).repeat_interleave(count)
        turn = torch.arange(len(target), device=event.device) - (count.cumsum(0) - count)[target]
        chosen = self.first_disliked[event][target] + turn
        return {
            "disliked": item[chosen],
            "disliked_target": target,
            "disliked_weight": weight[chosen],
        }

    def _inputs(self, chosen: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return what the network reads of some windows, and which events the targets are."""
        first, last = self.first[chosen, None], self.last[chosen, None]
        length = int((last - first).max())
        index = first + torch.arange(length, device=first.device)
        inside = index < last
        index = torch.minimum(index, last - 1)
        position = (inside & self.counted[index]).flatten().nonzero().squeeze(1)
        event = index.flatten()[position]
        before = (index - 1).clamp(min=0)  # of another user before a user's first event: not read
        inputs = {
            "item": self.before[index],
            "time": self.time_before[index],
            "session": self.session_before[index],
            "asked": self.time[index],
            "position": position,
            "weight": self.weight[event],
        }
        for when, which in (("event.", before), ("context.", index), ("asked.", event)):
            for name, codes in self.codes.items():
                if name.startswith(when):
                    inputs |= as_tensors(name, codes[which])
        for name, own in self.of_users.items():
            inputs |= as_tensors(name, own[self.user[chosen]])
        return inputs, event


def _relative_weights(
    weight: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return weights whose mean, of the targets in the windows, is 1."""
    inside = np.zeros(len(weight) + 1, dtype=np.int64)
    np.add.at(inside, first, 1)
    np.add.at(inside, last, -1)
    targets = weight[(weight > 0) & (inside[:-1].cumsum() > 0)]
    return weight / targets.mean() if len(targets) else weight


def latest_items(inputs: Mapping[str, Tensor], n_lags: int) -> NDArray[np.int64]:
    """Return the tokens before each target, the latest first.

    Parameters
    ----------
    inputs : mapping of str to Tensor
        As `Windows.take` returns them.
    n_lags : int
        Tokens wanted.

    Returns
    -------
    latest : ndarray of shape (n_targets, n_lags), dtype int64
        Codes; 0 where the window holds no more.
    """
    item, position = inputs["item"], inputs["position"]
    row, last = position // item.shape[1], position % item.shape[1]
    place = last[:, None] - torch.arange(n_lags, device=item.device)
    latest = item[row[:, None], place.clamp(min=0)] * (place >= 0)
    codes: NDArray[np.int64] = latest.cpu().numpy()
    return codes


class OutcomeWindows(Windows):
    """Stretches of histories whose events' outcomes are the targets, the items being known.

    The codes of the histories hold ``label``, one number or class code per event.
    """

    def take(self, chosen: Tensor) -> Batch:
        """Return some windows side by side, the shorter ones padded at their end.

        Parameters
        ----------
        chosen : Tensor of shape (B,), dtype int64
            Positions of the windows.

        Returns
        -------
        inputs : dict of Tensor
            As `Windows.take` returns them, with ``asked_item`` and ``user`` (N,): codes of the
            item and the user of each target, from 1.
        target : Tensor of shape (N,)
            Labels.
        """
        inputs, event = self._inputs(chosen)
        inputs |= {"asked_item": self.item[event], "user": self.codes["user"][event]}
        return inputs, self.codes["label"][event]


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


def windows_with(
    first: NDArray[np.int64], last: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the windows that hold one of some events.

    Parameters
    ----------
    first, last : ndarray of shape (n_windows,)
        Windows, as `training_windows` cuts them.
    chosen : ndarray of shape (n_events,), dtype bool
        The events.

    Returns
    -------
    first, last : ndarray of shape (n_chosen_windows,)
        Those of the windows.
    """
    before = np.concatenate([[0], np.cumsum(chosen)])
    some = before[last] > before[first]
    return first[some], last[some]
