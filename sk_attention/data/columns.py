"""One way to read an array, a pandas and a polars table: a list of named columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from sk_attention._labels import is_collection, is_missing

from .objects import (
    DATETIMES,
    Kind,
    array_kind,
    array_numbers,
    as_objects,
    not_numbers,
    object_array,
    with_none,
)
from .zones import time_zone, wall_times


@dataclass(frozen=True)
class Column:
    """One feature of a table, as its library stores it.

    Attributes
    ----------
    name : str
        The feature's name, or ``"x3"`` for the fourth column of an array.
    values : ndarray, narwhals.Series, or CSR matrix
        The values, of shape (n_rows,); a step of an array of three dimensions is a column of shape
        (n_rows, n_channels), and a sparse matrix is a single column.
    """

    name: str
    values: Any

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @cached_property
    def kind(self) -> Kind:
        """What the values are: their dtype says it, or what Python objects there are.

        Raises
        ------
        ValueError
            If they are complex numbers.
        """
        if issparse(self.values):
            return "sparse"
        if len(self.values.shape) == 2:
            return "steps"
        array = self._array
        if array is None:
            return _series_kind(self.values)
        kind = array_kind(array, self.name)
        if array is self.values:  # an array's columns are categories only where that is asked for
            return "number" if kind == "category" else kind
        nothing = array.dtype.kind == "f" and np.isnan(array).all()  # as polars' dtype Null
        return "category" if nothing else kind

    @property
    def time_zone(self) -> str | None:
        """Name of the time zone of datetimes, None if they have none."""
        array = self._array
        return time_zone(self.values if array is None else array, self.name)

    def as_numbers(self) -> NDArray[np.float64]:
        """Return the values as float64, NaN where missing.

        Raises
        ------
        TypeError
            If a value can be neither a number nor a category.
        ValueError
            If a value is not a number, or is infinite.
        """
        values = self.values
        array = values if isinstance(values, np.ndarray) else values.to_numpy()
        if array.dtype.kind in "fiub":  # most columns, and the fast way for a single row
            numbers = np.asarray(array, dtype=np.float64)
        elif (array := self._array) is None:
            numbers = _series_as_numbers(values, self.name)
        else:
            numbers = array_numbers(array, self.name)
        infinite = np.isinf(numbers)
        if infinite.any():
            row = int(infinite.argmax())
            raise ValueError(
                f"Input X contains infinity or a value too large for dtype('float64'): feature "
                f"{self.name!r} is {numbers[row]} in row {row}. Give NaN where a value is missing."
            )
        return numbers

    def as_objects(self) -> list[Any]:
        """Return the values as Python objects, None where missing."""
        is_array = isinstance(self.values, np.ndarray)
        values = as_objects(self.values) if is_array else self.values.to_list()
        objects: list[Any] = with_none(object_array(values)).tolist()
        return objects

    def as_texts(self) -> list[str]:
        """Return the values as texts, empty where missing.

        Raises
        ------
        ValueError
            If a value is something else.
        """
        texts = ["" if value is None else value for value in self.as_objects()]
        culprit = next((text for text in texts if not isinstance(text, str)), None)
        if culprit is not None:
            raise ValueError(
                f"Feature {self.name!r} is read as text, found {culprit!r} of type "
                f"{type(culprit).__name__}."
            )
        return texts

    def as_sequences(self) -> list[list[Any]]:
        """Return the values as lists without what is missing in them; empty where missing.

        Raises
        ------
        ValueError
            If a value is something else, or an item of one is a collection.
        """
        cells = ["" if cell is None else cell for cell in self.as_objects()]
        sequences = []
        for cell in cells:
            if isinstance(cell, str) and cell:
                raise _no_sequence(cell, self.name)
            try:
                items = object_array(list(cell))
            except (TypeError, ValueError) as error:
                raise _no_sequence(cell, self.name) from error
            nested = next(filter(is_collection, items), None)
            if nested is not None:
                raise ValueError(
                    f"Feature {self.name!r} is read as sequences, whose items are single values; "
                    f"found {nested!r} in one. Steps of several numbers go into an array of three "
                    "dimensions."
                )
            sequences.append(items[~is_missing(items)].tolist())
        return sequences

    def as_datetimes(self, zone: str | None) -> NDArray[np.datetime64]:
        """Return wall time in microseconds, NaT where missing.

        Parameters
        ----------
        zone : str or None
            The time zone whose clocks are read: `time_zone` of the column in fit.

        Raises
        ------
        ValueError
            If the column holds something else, or only one of it and fit had a time zone.
        """
        if self.kind != "datetime":
            present = [value for value in self.as_objects() if value is not None]
            if not present:
                return np.full(len(self.values), "NaT", dtype="datetime64[us]")
            culprit = next((v for v in present if not isinstance(v, DATETIMES)), present[0])
            raise ValueError(
                f"Feature {self.name!r} held datetimes in fit, found {culprit!r} of dtype "
                f"{self.values.dtype}."
            )
        array = self._array
        values = self.values if array is None else array
        own = time_zone(values, self.name)
        if (own is None) == (zone is None):
            return wall_times(values, zone)
        times = wall_times(values, own)
        if not np.isnat(times).all():
            raise ValueError(
                f"Feature {self.name!r} held datetimes {_in_zone(zone)} in fit, found datetimes "
                f"{_in_zone(own)}."
            )
        return times

    @cached_property
    def _array(self) -> NDArray[Any] | None:
        """The values as an array where narwhals has no dtype for them: objects, sparse numbers."""
        if isinstance(self.values, np.ndarray):
            return self.values
        if self.values.dtype in (nw.Object, nw.Unknown):
            return np.asarray(self.values.to_numpy())
        return None


def is_table(X: Any) -> bool:
    """Whether ``X`` is a data frame of a library that narwhals knows.

    Parameters
    ----------
    X : object
        Anything a user may pass.

    Returns
    -------
    is_table : bool
        True for pandas, polars and their kin; False for arrays and lists.

    Raises
    ------
    TypeError
        If the rows of X are still to be computed.
    ValueError
        If two columns share a name.
    """
    try:
        frame = nw.from_native(X, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"X is a data frame in which two columns share a name: {error}") from error
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(
            f"X is a lazy data frame ({type(X).__name__}), but its rows must be there: pass "
            "X.collect()."
        )
    return isinstance(frame, nw.DataFrame)


def table_columns(X: Any) -> list[Column]:
    """Return the columns of a data frame.

    Parameters
    ----------
    X : DataFrame
        A frame for which `is_table` is true.

    Returns
    -------
    columns : list of Column
        In the frame's order.
    """
    frame = nw.from_native(X, eager_only=True)
    return [Column(str(series.name), series) for series in frame.iter_columns()]


def array_columns(X: NDArray[Any], names: list[str] | None = None) -> list[Column]:
    """Return the columns of a two-dimensional array.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers, datetimes, or objects.
    names : list of str, default=None
        Names of the features; None for x0, x1, ...

    Returns
    -------
    columns : list of Column
        Views of ``X``.
    """
    names = names or [f"x{j}" for j in range(X.shape[1])]
    return [Column(name, X[:, j]) for j, name in enumerate(names)]


def step_columns(X: NDArray[Any]) -> list[Column]:
    """Return the columns of a three-dimensional array: its steps.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_steps, n_channels)
        Numbers.

    Returns
    -------
    columns : list of Column
        Views of ``X``, named x0, x1, ...
    """
    return [Column(f"x{j}", X[:, j]) for j in range(X.shape[1])]


def take_rows(columns: list[Column], rows: NDArray[np.bool_]) -> list[Column]:
    """Return the columns with the rows where ``rows`` is True.

    Parameters
    ----------
    columns : list of Column
        The columns of a table.
    rows : ndarray of shape (n_rows,), dtype bool
        The rows to keep.

    Returns
    -------
    columns : list of Column
        Copies of the kept rows; the same columns where every row is kept.
    """
    if rows.all():
        return columns
    keep = rows.tolist()
    return [
        replace(
            column,
            values=column.values.filter(keep)
            if isinstance(column.values, nw.Series)
            else column.values[rows],
        )
        for column in columns
    ]


def _no_sequence(cell: Any, name: str) -> ValueError:
    return ValueError(
        f"Feature {name!r} is read as sequences, found {cell!r} of type {type(cell).__name__}."
    )


def _series_kind(series: nw.Series[Any]) -> Kind:
    dtype = series.dtype  # asked once: narwhals works it out anew each time
    if dtype.is_numeric() or dtype == nw.Boolean or dtype == nw.Duration:
        return "number"
    if dtype == nw.List or dtype == nw.Array:
        return "sequence"
    return "datetime" if dtype == nw.Datetime or dtype == nw.Date else "category"


def _series_as_numbers(series: nw.Series[Any], name: str) -> NDArray[np.float64]:
    dtype = series.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:  # nullable, or decimal
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    if dtype == nw.Duration:
        microseconds = series.dt.total_microseconds().cast(nw.Float64).to_numpy()
        return np.asarray(microseconds, dtype=np.float64) / 86_400e6  # days
    if series.is_null().all():
        return np.full(len(series), np.nan)
    raise not_numbers(object_array(series.to_list()), name)


def _in_zone(zone: str | None) -> str:
    return "without a time zone" if zone is None else f"in the time zone {zone}"
