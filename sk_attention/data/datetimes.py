"""Datetimes -> numbers: when it was, and where in the year, month, week and day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .columns import Column

Numbers = NDArray[np.float64]


def _elapsed(time: NDArray[Any]) -> Numbers:
    """Return days since 1970."""
    return _units(time - np.datetime64(0, "us"), "D")


def _month(time: NDArray[Any]) -> Numbers:
    month = time.astype("datetime64[M]")
    return _units(month - month.astype("datetime64[Y]"), "M") + 1.0


def _day(time: NDArray[Any]) -> Numbers:
    return _units(time.astype("datetime64[D]") - time.astype("datetime64[M]"), "D") + 1.0


def _weekday(time: NDArray[Any]) -> Numbers:
    """Return 0 for Monday to 6 for Sunday; 1970 began on a Thursday."""
    return np.mod(np.floor(_elapsed(time)) + 3.0, 7.0)


def _hour(time: NDArray[Any]) -> Numbers:
    return _units(time - time.astype("datetime64[D]"), "h")


def _units(duration: NDArray[Any], unit: Literal["M", "D", "h"]) -> Numbers:
    """Return durations as numbers of units, NaN for NaT."""
    return np.asarray(duration / np.timedelta64(1, unit), dtype=np.float64)


PARTS: dict[str, Callable[[NDArray[Any]], Numbers]] = {
    "elapsed": _elapsed,
    "month": _month,
    "day": _day,
    "weekday": _weekday,
    "hour": _hour,
}


class DatetimeEncoder:
    """Each datetime column becomes the numbers of `PARTS` that vary in training.

    A column of dates has no hour, a single month of data no month. The time elapsed is always
    kept. All are read on the clocks of the time zone that the column has in training.

    Attributes
    ----------
    zones_ : list of str or None
        Time zone of each column, None where its datetimes have none.
    parts_ : list of list of str
        Names of the parts kept, one list per column.
    """

    zones_: list[str | None]
    parts_: list[list[str]]

    def fit(self, columns: Sequence[Column]) -> DatetimeEncoder:
        """Choose the parts of each column.

        Parameters
        ----------
        columns : sequence of Column
            Datetime columns.

        Returns
        -------
        self : DatetimeEncoder
            The fitted encoder.
        """
        self.zones_ = [column.time_zone for column in columns]
        self.parts_ = []
        for column, zone in zip(columns, self.zones_, strict=True):
            time = column.as_datetimes(zone)
            time = time[~np.isnat(time)]
            self.parts_.append(
                [name for name, part in PARTS.items() if name == "elapsed" or _varies(part(time))]
            )
        return self

    @property
    def n_parts_(self) -> list[int]:
        """Number of parts per column."""
        return [len(parts) for parts in self.parts_]

    def transform(self, columns: Sequence[Column]) -> Iterator[Numbers]:
        """Yield the numbers of each part, NaN where the datetime is missing.

        Parameters
        ----------
        columns : sequence of Column
            Datetime columns.

        Yields
        ------
        numbers : ndarray of shape (n_rows,), dtype float64
            One part of one column.
        """
        for column, zone, parts in zip(columns, self.zones_, self.parts_, strict=True):
            time = column.as_datetimes(zone)
            for part in parts:
                yield PARTS[part](time)


def _varies(numbers: Numbers) -> bool:
    return bool(len(numbers)) and bool((numbers != numbers[0]).any())
