"""Rules by the number of rows: batch size, passes, hold-out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

# Below this many rows a fit is one full batch without a hold-out, so that nothing in it depends on
# how many rows carry the same information: a weight of 2 equals a row given twice.
TINY_ROWS = 500

# Fits of few rows pass over them more often than max_epochs, until this many steps are done.
MIN_STEPS = 30

# Passes at the most where none are asked for. A tiny fit, which nothing stops, takes MIN_STEPS:
# more of them make it too sure of itself (benchmarks/quality/tiny_tables.py).
MAX_EPOCHS = 100

# A fit that is repeated on all rows looks for the number of passes on about so many held-out rows.
HELD_OUT_ROWS = 600
MAX_SPLITS = 3

# AdamW's, where the weights are averaged over a pass; a tiny fit averages nothing.
LEARNING_RATE = 0.004
TINY_LEARNING_RATE = 0.002


@dataclass(frozen=True)
class Plan:
    """How a fit walks through its rows."""

    batch_size: int
    n_epochs: int


def is_tiny(n_rows: int, batch_size: int | str) -> bool:
    """Whether a fit is one full batch of few rows.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    batch_size : int or "auto"
        The parameter.

    Returns
    -------
    tiny : bool
        True below 500 rows, unless a smaller batch size was asked for.
    """
    return n_rows < TINY_ROWS and (batch_size == "auto" or int(batch_size) >= n_rows)


def plan(n_rows: int, batch_size: int | str, max_epochs: int | str, tiny: bool) -> Plan:
    """Return the batch size and the number of passes.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    batch_size : int or "auto"
        "auto": all rows of a tiny fit; else the power of two next to n_rows / 32, from 64 to 256,
        512 above 30,000 rows and 1024 above 100,000.
    max_epochs : int or "auto"
        Passes over the rows, unless they make fewer than 30 steps. "auto": 30 steps in a tiny
        fit, else 100 passes.
    tiny : bool
        Whether the fit is tiny, see `is_tiny`; its rows held out count there.

    Returns
    -------
    plan : Plan
        Batch size and passes.
    """
    size = auto_batch_size(n_rows, tiny) if batch_size == "auto" else min(int(batch_size), n_rows)
    if max_epochs == "auto":
        max_epochs = 1 if tiny else MAX_EPOCHS
    return Plan(size, max(int(max_epochs), ceil(MIN_STEPS / ceil(n_rows / size))))


def single_pass(n_rows: int, batch_size: int | str) -> Plan:
    """Return the plan of one pass over the rows.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    batch_size : int or "auto"
        As for `plan`.

    Returns
    -------
    plan : Plan
        With exactly one pass.
    """
    return Plan(plan(n_rows, batch_size, 1, tiny=False).batch_size, 1)


def auto_batch_size(n_rows: int, tiny: bool) -> int:
    """Return the rows of a step, see `plan`.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    tiny : bool
        Whether the fit is tiny.

    Returns
    -------
    batch_size : int
        From 64 to 1024, or all rows.
    """
    if tiny:
        return n_rows
    if n_rows > 100_000:
        return 1024
    if n_rows > 30_000:
        return 512
    return int(min(max(2 ** round(log2(n_rows / 32)), 64), 256))


def auto_learning_rate(tiny: bool) -> float:
    """Return the learning rate where none is asked for.

    Parameters
    ----------
    tiny : bool
        Whether the fit is tiny.

    Returns
    -------
    learning_rate : float
        0.004, 0.002 for a tiny fit.
    """
    return TINY_LEARNING_RATE if tiny else LEARNING_RATE


def auto_splits(n_rows: int, validation_fraction: float) -> int:
    """Return how many times rows are held out, to find the number of passes.

    Parameters
    ----------
    n_rows : int
        Rows of the fit.
    validation_fraction : float
        Share held out each time.

    Returns
    -------
    n_splits : int
        From 1 to 3: as many as hold out about 600 rows together.
    """
    n_held_out = max(n_rows * validation_fraction, 1.0)
    return min(max(round(HELD_OUT_ROWS / n_held_out), 1), MAX_SPLITS)
