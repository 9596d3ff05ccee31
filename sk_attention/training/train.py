"""Run a net over its rows until it should stop."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog, ProgressBar

from sk_attention.data.batches import Rows
from sk_attention.data.ragged import Ragged
from sk_attention.nn.layers import seed_draws

from .averaging import WeightAverage
from .net import AttentionNet, StopTraining
from .plan import Plan

# Rows to train on, and rows held out.
Split = tuple[Any, Any]

# A held-out loss that is a share of that of knowing no features must fall by so much to count as
# progress. Where a task can be told without error it would fall for ever, by less and less.
MIN_PROGRESS = 1e-4


class HeldOutStopping(EarlyStopping):  # type: ignore[misc]
    """skorch's early stopping, at rest in passes without held-out rows."""

    def on_epoch_end(self, net: AttentionNet, **kwargs: Any) -> None:
        """Compare the held-out loss with the best so far."""
        if "valid_loss" in net.history[-1]:
            super().on_epoch_end(net, **kwargs)


# Callbacks that neither look into single steps nor change how they are done.
OUTSIDE_STEPS = (HeldOutStopping, EpochTimer, PrintLog, ProgressBar)


def training_callbacks(
    callbacks: list[Any] | None, patience: int | None, min_progress: float = 0.0
) -> list[Any]:
    """Return what watches a training: copies of the user's callbacks, and early stopping.

    Parameters
    ----------
    callbacks : list or None
        The user's: skorch callbacks, or pairs of a name and one.
    patience : int or None
        Passes without progress of the held-out loss before training stops, its best weights
        restored from memory; None never stops.
    min_progress : float, default=0.0
        How much the held-out loss must fall below the best so far.

    Returns
    -------
    callbacks : list
        For ``AttentionNet``.

    Raises
    ------
    ValueError
        If an entry is no callback.
    """
    for entry in callbacks or []:
        _check_callback(entry)
    own = [_copied(callback) for callback in callbacks or []]
    if patience is None:
        return own
    stopping = HeldOutStopping(
        monitor="valid_loss",
        patience=patience,
        threshold=min_progress,
        threshold_mode="abs",
        load_best=True,
        sink=_silent,
    )
    return [*own, ("early_stopping", stopping)]


def _check_callback(entry: Any) -> None:
    named = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
    callback = entry[1] if named else entry
    kind = callback if isinstance(callback, type) else type(callback)
    if not issubclass(kind, Callback):
        raise ValueError(
            "callbacks must hold skorch callbacks, or pairs of a name and a callback; "
            f"got {entry!r}."
        )


def _copied(callback: Any) -> Any:
    """Copy a callback; one that holds a writer or a connection shares that with its copy."""
    if isinstance(callback, tuple):
        name, own = callback
        return (name, _copied(own))
    try:
        return copy.deepcopy(callback)
    except TypeError:  # cannot pickle a lock, a file, ...
        return copy.copy(callback)


def train(
    net: AttentionNet,
    splits: Sequence[Split],
    walk: Plan,
    seed: int,
    all_rows: Callable[[], Any] | None = None,
) -> list[dict[str, Any]]:
    """Train ``net``, in place: on each split until it should stop, then, if asked, on all rows.

    Without ``all_rows`` the best weights of the last split remain.

    Parameters
    ----------
    net : AttentionNet
        An initialised net.
    splits : sequence of (Rows, Rows or None)
        Rows to train on, and rows to score after each pass. Each split is trained on from the
        start; the weights of the last one remain.
    walk : Plan
        Batch size, and passes over the rows at the most.
    seed : int
        Seed of the order of the rows and of dropout.
    all_rows : callable, default=None
        Returns rows to train on at last, once more from the start, for as many passes as served
        the held-out rows best: the median over the splits.

    Returns
    -------
    best : list of dict
        The weights that early stopping kept of each split, where there were several.

    Raises
    ------
    Exception
        Whatever a callback raises, or ValueError if the loss is no longer finite; the net then
        has its earlier weights and history again.
    KeyboardInterrupt
        If the user interrupts; the net then has the weights of the training before, if there was
        one.
    """
    start, n_passes = copy.deepcopy(net.module_.state_dict()), len(net.history)
    # a single pass may be one of many, whose weights should not lag behind
    averaged, best = walk.n_epochs > 1, []
    weights: list[dict[str, Any]] = []
    try:
        for number, split in enumerate(splits):
            n_before = len(net.history)
            if number == 0:
                _train_once(net, split, walk, seed, averaged)
            else:
                _train_anew(net, start, split, walk, seed, averaged)
            best.append(_best_pass(net, n_before))
            if len(splits) > 1:
                weights.append(copy.deepcopy(net.module_.state_dict()))
        if all_rows is not None:
            walk = Plan(walk.batch_size, int(np.median(best)))
            _train_anew(net, start, (all_rows(), None), walk, seed, averaged)
    except Exception:
        net.module_.load_state_dict(start)
        net.initialize_optimizer()  # its moments may be NaN too
        del net.history[n_passes:]
        raise
    return weights


def _train_once(net: AttentionNet, split: Split, walk: Plan, seed: int, averaged: bool) -> None:
    rows, held_out = split
    if not hasattr(net, "optimizer_"):  # not pickled: the moments restart
        net.initialize_optimizer()
    n_passes = len(net.history)
    try:
        net.set_iteration(walk.batch_size, torch.Generator().manual_seed(seed))
        draws = torch.Generator(net.device).manual_seed(seed)
        seed_draws(net.module_, draws)
        seed_draws(net.criterion_, torch.Generator().manual_seed(seed))
        net.average_ = WeightAverage(net.module_, net.tables) if averaged else None
        if walk.n_epochs > 1 and _steps_alike(net, rows):
            net.record_steps(min(walk.batch_size, len(rows)), draws)
        net.notify("on_train_begin", X=rows, y=None)
        _run_passes(net, rows, held_out, walk.n_epochs)
    finally:
        net.average_ = net.recorded_ = None
        seed_draws(net.module_, None)
        seed_draws(net.criterion_, None)
        net.set_iteration(walk.batch_size, None)
        for epoch in net.history[n_passes:]:
            epoch["batches"] = []  # one empty entry per batch is all that was in it


def _steps_alike(net: AttentionNet, rows: Any) -> bool:
    """Whether a GPU does the same operations, on tensors of the same sizes, in each full step.

    Not where callbacks may look into steps or change them, where rows hold lists of any length,
    where operations depend on values, or where a compiler chooses the operations.
    """
    return (
        torch.device(net.device).type == "cuda"
        and isinstance(rows, Rows)
        and not any(isinstance(values, Ragged) for values in rows.inputs.values())
        and net.module_.like.is_steady
        and net.module_._compiled_call_impl is None
        and type(net.optimizer_) is torch.optim.AdamW
        and net.optimizer_.defaults["fused"] is True
        and all(type(callback) in OUTSIDE_STEPS for _, callback in net.callbacks_)
    )


def _run_passes(net: AttentionNet, rows: Rows, held_out: Rows | None, n_epochs: int) -> None:
    n_passes = len(net.history)
    try:
        net.fit_loop((rows, held_out), epochs=n_epochs)
    except StopTraining:
        net.notify("on_train_end", X=rows, y=None)
    except KeyboardInterrupt:
        net.notify("on_train_end", X=rows, y=None)
        last = "train_loss" if held_out is None else "valid_loss"
        if len(net.history) > n_passes and last not in net.history[-1]:
            del net.history[-1:]  # a pass that did not end is none
        raise
    else:
        net.notify("on_train_end", X=rows, y=None)


def _train_anew(
    net: AttentionNet,
    start: dict[str, Any],
    split: Split,
    walk: Plan,
    seed: int,
    averaged: bool,
) -> None:
    """Train from ``start``; an interrupt leaves the net as it is now."""
    now, n_passes = copy.deepcopy(net.module_.state_dict()), len(net.history)
    try:
        net.module_.load_state_dict(start)
        net.initialize_optimizer()
        _train_once(net, split, walk, seed, averaged)
    except KeyboardInterrupt:
        net.module_.load_state_dict(now)
        net.initialize_optimizer()
        del net.history[n_passes:]
        raise


def _best_pass(net: AttentionNet, n_before: int) -> int:
    """Return how many passes after the first ``n_before`` gave the least held-out loss, if any."""
    losses = [epoch.get("valid_loss", np.inf) for epoch in net.history[n_before:]]
    return 1 + int(np.argmin(losses)) if losses else 0


def _silent(text: str, verbose: int = 0) -> None:
    """Swallow what skorch would print."""


def history_values(net: AttentionNet, keys: Sequence[str]) -> NDArray[np.float64]:
    """Return what the history recorded under ``keys``.

    Parameters
    ----------
    net : AttentionNet
        A trained net.
    keys : sequence of str
        Keys of skorch's history.

    Returns
    -------
    values : ndarray of shape (n_epochs, n_keys)
        A row for each pass that recorded them all.
    """
    rows: list[list[Any]] = [
        [epoch[key] for key in keys] for epoch in net.history if all(key in epoch for key in keys)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(keys))
