"""Sequences of any length: their items, what follows what, and what came last."""

from __future__ import annotations

from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bags import MADE, Link
from .columns import Column

# Of a longer sequence only the end is read.
MAX_STEPS = 4096

# So many steps from the end have units of their own place.
LAST_STEPS = 8

# Numbers are read as one of so many ranges, and more coarsely.
N_RANGES = (16, 4)

Item = tuple[str, ...]  # how an item is read, first its name
Row = tuple[Item, ...]


class SequenceReader:
    """Reads a column whose cells are lists.

    An item is a category; if all items of the column are numbers, they are read as ranges that
    split their distinct values evenly. The units of a sequence are its items, each two that follow
    each other, and the last 8 with their distance from the end. Missing items are skipped, and a
    missing sequence is an empty one.

    Attributes
    ----------
    edges_ : list of ndarray or None
        Inner edges of the ranges, fine and coarse; None for categories.
    """

    edges_: list[NDArray[np.float64]] | None

    def fit(self, column: Column) -> SequenceReader:
        """Learn whether items are numbers, and their ranges.

        Parameters
        ----------
        column : Column
            The column of the training table.

        Returns
        -------
        self : SequenceReader
            The fitted reader.
        """
        items = [item for cell in column.as_sequences() for item in cell]
        self.edges_ = None
        if items and all(isinstance(item, Real) and not isinstance(item, bool) for item in items):
            values = np.unique(np.array(items, dtype=np.float64))
            self.edges_ = [
                np.unique(np.quantile(values, np.arange(1, n) / n, method="closest_observation"))
                for n in N_RANGES
            ]
        return self

    def rows(self, column: Column) -> list[Row]:
        """Return how each sequence is read.

        Parameters
        ----------
        column : Column
            Lists.

        Returns
        -------
        rows : list of tuple
            One per row, an entry per item.

        Raises
        ------
        ValueError
            If training held numbers alone and an item is none, or is infinite.
        """
        cells = [cell[-MAX_STEPS:] for cell in column.as_sequences()]
        if self.edges_ is None:
            return [tuple((str(item),) for item in cell) for cell in cells]
        flat = _numbers([item for cell in cells for item in cell], column.name)
        ranges = [edges.searchsorted(flat, side="right").tolist() for edges in self.edges_]
        read = [
            (f"{value:g}", *(f"{n}:{place}" for n, place in zip(N_RANGES, places, strict=True)))
            for value, *places in zip(flat.tolist(), *ranges, strict=True)
        ]
        items = iter(read)
        return [tuple(next(items) for _ in cell) for cell in cells]

    def units(self, row: Row) -> list[str]:
        """Return the units of a sequence.

        Parameters
        ----------
        row : tuple
            One of `rows`.

        Returns
        -------
        units : list of str
            As often as they occur.
        """
        return [unit for _, unit in _units(row)]

    def names(self, row: Row) -> list[str]:
        """Return the items of a sequence.

        Parameters
        ----------
        row : tuple
            One of `rows`.

        Returns
        -------
        names : list of str
            Names of the items, in order.
        """
        return [item[0] for item in row]

    def links(self, row: Row) -> list[Link]:
        """Return the units of a sequence, and what they are about.

        Parameters
        ----------
        row : tuple
            One of `rows`.

        Returns
        -------
        links : list of (positions, unit)
            Each unit, with the positions of the items that it is about.
        """
        return _units(row)


def _units(row: Row) -> list[Link]:
    """Return each unit with the positions of the items that it is about."""
    read = [item[1:] or item for item in row]
    units: list[Link]
    units = [((place,), f"item {own}") for place, item in enumerate(read) for own in item]
    units += [
        ((place, place + 1), f"{MADE}pair {one[-1]} {other[-1]}")
        for place, (one, other) in enumerate(pairwise(read))
    ]
    for lag in range(1, min(len(read), LAST_STEPS) + 1):
        place = len(read) - lag
        units += [((place,), f"{MADE}last {lag} {own}") for own in read[place]]
    return units


def _numbers(items: list[Any], name: str) -> NDArray[np.float64]:
    culprit = next((item for item in items if not isinstance(item, Real)), None)
    if culprit is not None:
        raise ValueError(
            f"Feature {name!r} held sequences of numbers in fit, found {culprit!r} in one."
        )
    numbers = np.array(items, dtype=np.float64)
    if np.isinf(numbers).any():
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64'): feature "
            f"{name!r} holds it in a sequence. Leave out what is missing, or give NaN."
        )
    return numbers
