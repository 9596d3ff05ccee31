"""Rules by the number of rows and of items: batch size, passes, hold-out, loss."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

# Below this many rows equal rows are merged, so that a weight of 2 equals a row given twice, and
# numbers have double precision, so that a row alone equals the same row in a batch.
TINY_ROWS = 500

# Fewer rows than this are too few to hold some out. Nothing then stops a fit: it takes MIN_STEPS,
# as more of them make it too sure of itself (docs/decisions/0010-small-tables.md).
MIN_ROWS_TO_HOLD_OUT = 60

# Fits of few rows pass over them more often than max_epochs, until this many steps are done.
MIN_STEPS = 15

# Passes at the most where none are asked for.
MAX_EPOCHS = 100

# A fit that is repeated on all rows looks for the number of passes on about so many held-out labels
# of a task.
HELD_OUT_LABELS = 600
MAX_SPLITS = 3

# Up to so many items the loss over all of them, which learns most from a pass, is worth its time.
MAX_ITEMS_TO_RANK = 50_000

# A recommender holds out the last interactions of so many users, to tell when to stop, and of fewer
# where to rank all items for each of them would take longer than some seconds.
MAX_HELD_OUT_USERS = 5_000
MAX_HELD_OUT_SCORES = 10**9


@dataclass(frozen=True)
class Plan:
    """How a fit walks through its rows."""

    batch_size: int
    n_epochs: int


def plan(n_rows: int, batch_size: int | str, max_epochs: int | str, stops: bool) -> Plan:
    """Return the batch size and the number of passes.

    Parameters
    ----------
    n_rows : int
        Rows to train on.
    batch_size : int or "auto"
        "auto": about the power of two next to n_rows / 32, from 64 to 256, 512 above 30,000 rows
        and 1024 above 100,000; a little less where batches are then equal.
    max_epochs : int or "auto"
        Passes over the rows, unless they make fewer than 15 steps. "auto": 100 passes; 15 steps
        for fewer than 60 rows that nothing stops.
    stops : bool
        Whether rows are held out to tell when to stop.

    Returns
    -------
    plan : Plan
        Batch size and passes.
    """
    size = auto_batch_size(n_rows) if batch_size == "auto" else min(int(batch_size), n_rows)
    if max_epochs == "auto":
        max_epochs = MAX_EPOCHS if stops or n_rows >= MIN_ROWS_TO_HOLD_OUT else 1
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
    return Plan(plan(n_rows, batch_size, 1, stops=True).batch_size, 1)


def auto_batch_size(n_rows: int) -> int:
    """Return the rows of a step, see `plan`.

    Parameters
    ----------
    n_rows : int
        Rows to train on.

    Returns
    -------
    batch_size : int
        At most 1024.
    """
    if n_rows > 100_000:
        size = 1024
    elif n_rows > 30_000:
        size = 512
    else:
        size = min(max(2 ** round(log2(n_rows / 32)), 64), 256)
    return ceil(n_rows / ceil(n_rows / size))


def auto_splits(n_labels: float, validation_fraction: float) -> int:
    """Return how many times rows are held out, to find the number of passes.

    Parameters
    ----------
    n_labels : float
        Labels of a task: as many as rows, where none is missing.
    validation_fraction : float
        Share held out each time.

    Returns
    -------
    n_splits : int
        From 1 to 3: as many as hold out about 600 labels together.
    """
    n_held_out = max(n_labels * validation_fraction, 1.0)
    return min(max(round(HELD_OUT_LABELS / n_held_out), 1), MAX_SPLITS)


def resolve_loss(loss: str, n_items: int) -> str:
    """Return what "auto" means for a catalogue.

    Parameters
    ----------
    loss : str
        "auto", or the loss itself.
    n_items : int
        Items.

    Returns
    -------
    loss : str
        "auto": "cross_entropy" up to 50,000 items, "sampled_softmax" above.
    """
    if loss != "auto":
        return loss
    return "cross_entropy" if n_items <= MAX_ITEMS_TO_RANK else "sampled_softmax"


def users_to_hold_out(n_items: int) -> int:
    """Return of how many users to hold out the last interaction, at the most.

    Parameters
    ----------
    n_items : int
        Items that are ranked for each of them.

    Returns
    -------
    n_users : int
        5,000, or less above 200,000 items, so that there are a billion scores, and 100 at least.
    """
    return min(max(MAX_HELD_OUT_SCORES // n_items, 100), MAX_HELD_OUT_USERS)
