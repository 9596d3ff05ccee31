"""Rows set aside to tell when training should stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def holdout_rows(
    by_task: Sequence[NDArray[Any]],
    observed: NDArray[np.bool_],
    fraction: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Choose the rows to hold out, stratified by the classes of every task at once.

    Labels are dealt with from the rarest to the most frequent, as in iterative stratification
    [1]_: of the rows that carry a label and are not dealt with yet, the given fraction is held
    out, less those of the label that are held out already. Of a label too rare for that, one row
    at most is held out, and one at least stays in training.

    Parameters
    ----------
    by_task : sequence of ndarray of shape (n_rows,) or (n_rows, n_labels)
        Integers are class codes, in each column; floats are numbers, whose shares nothing keeps.
    observed : ndarray of shape (n_rows, n_tasks), dtype bool
        Where there is a label.
    fraction : float
        Share of the rows to hold out, between 0 and 1.
    seed : int
        Seed of the choice.

    Returns
    -------
    held_out : ndarray of shape (n_rows,), dtype bool
        True for the rows held out.

    References
    ----------
    .. [1] Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011.
    """
    n_rows = len(observed)
    priority = np.random.default_rng(seed).permutation(n_rows)
    held_out = np.zeros(n_rows, dtype=bool)
    dealt = np.zeros(n_rows, dtype=bool)
    for carries in _labels_by_rarity(by_task, observed):
        free = np.flatnonzero(carries & ~dealt)
        n_carriers = int(carries.sum())
        wanted = min(round(fraction * n_carriers), n_carriers - 1)
        in_order = free[np.argsort(priority[free])]
        if wanted == 0:  # one may be held out, if another stays
            dealt[in_order[1:]] = True
            if not (carries & dealt & ~held_out).any():
                dealt[in_order] = True
            continue
        wanted -= int((carries & held_out).sum())
        held_out[in_order[: max(wanted, 0)]] = True
        dealt[free] = True
    free = np.flatnonzero(~dealt)
    wanted = round(fraction * n_rows) - int(held_out.sum())
    held_out[free[np.argsort(priority[free])][: max(wanted, 0)]] = True
    return held_out


def _labels_by_rarity(
    by_task: Sequence[NDArray[Any]], observed: NDArray[np.bool_]
) -> list[NDArray[np.bool_]]:
    """Return one mask of rows per class of each task, the rarest class first."""
    masks = [
        seen & (codes == code)
        for values, seen in zip(by_task, observed.T, strict=True)
        if values.dtype.kind != "f"
        for codes in values.reshape(len(values), -1).T
        for code in np.unique(codes[seen])
    ]
    return sorted(masks, key=np.count_nonzero)
