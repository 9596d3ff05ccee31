"""One way to read an array, a pandas and a polars table: a list of named columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_missing

Kind = Literal["number", "category", "datetime"]


@dataclass(frozen=True)
class Column:
    """One feature of a table, as its library stores it.

    Attributes
    ----------
    name : str
        The feature's name, or ``"x3"`` for the fourth column of an array.
    values : ndarray or narwhals.Series
        The values.
    """

    name: str
    values: Any

    @property
    def kind(self) -> Kind:
        """What the dtype says the values are."""
        if isinstance(self.values, np.ndarray):
            return "datetime" if self.values.dtype.kind == "M" else "number"
        return _series_kind(self.values)

    def as_numbers(self) -> NDArray[np.float64]:
        """Return the values as float64, NaN where missing.

        Raises
        ------
        ValueError
            If a value is not a number, or is infinite.
        """
        if isinstance(self.values, np.ndarray):
            numbers = _array_as_numbers(self.values, self.name)
        else:
            numbers = _series_as_numbers(self.values, self.name)
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
        values: list[Any] = self.values.tolist() if is_array else self.values.to_list()
        missing = is_missing(_object_array(values))
        if missing.any():
            for row in np.flatnonzero(missing).tolist():
                values[row] = None
        return values

    def as_datetimes(self) -> NDArray[np.datetime64]:
        """Return local wall time in microseconds, NaT where missing.

        Raises
        ------
        ValueError
            If the column holds something else.
        """
        if self.kind != "datetime":
            if not any(value is not None for value in self.as_objects()):
                return np.full(len(self.values), "NaT", dtype="datetime64[us]")
            raise ValueError(
                f"Feature {self.name!r} held datetimes in fit, found dtype {self.values.dtype}."
            )
        if isinstance(self.values, np.ndarray):
            return self.values.astype("datetime64[us]")
        series = self.values
        is_date = series.dtype == nw.Date
        series = series.cast(nw.Datetime("us")) if is_date else series.dt.replace_time_zone(None)
        return np.asarray(series.to_numpy()).astype("datetime64[us]")


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
    ValueError
        If two columns share a name.
    """
    try:
        return isinstance(nw.from_native(X, pass_through=True), nw.DataFrame)
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"X is a data frame in which two columns share a name: {error}") from error


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


def _series_kind(series: nw.Series[Any]) -> Kind:
    dtype = series.dtype  # asked once: narwhals works it out anew each time
    if dtype.is_numeric() or dtype == nw.Boolean or dtype == nw.Duration:
        return "number"
    if dtype == nw.Datetime or dtype == nw.Date:
        return "datetime"
    if dtype == nw.Object:
        return _object_kind(series.to_list())
    return "category"


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
            values=column.values[rows]
            if isinstance(column.values, np.ndarray)
            else column.values.filter(keep),
        )
        for column in columns
    ]


def _object_array(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _object_kind(values: list[Any]) -> Kind:
    """Return what a column of Python objects holds: numbers only, or else categories."""
    array = _object_array(values)
    present = array[~is_missing(array)]
    numbers = all(isinstance(value, (int, float, np.number, np.bool_)) for value in present)
    return "number" if numbers and len(present) else "category"


def _array_as_numbers(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    if values.dtype == object:
        values = np.where(is_missing(values), np.nan, values)
    try:
        return values.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        if "argument must be" in str(error):  # a dict, a list, ...: scikit-learn's own wording
            raise
        raise _not_numbers(name, values.tolist()) from error


def _series_as_numbers(series: nw.Series[Any], name: str) -> NDArray[np.float64]:
    numbers = series.to_numpy()
    if numbers.dtype.kind in "fiub":  # most columns, and the fast way for a single row
        return np.asarray(numbers, dtype=np.float64)
    dtype = series.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:  # nullable, or decimal
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    if dtype == nw.Duration:
        microseconds = series.dt.total_microseconds().cast(nw.Float64).to_numpy()
        return np.asarray(microseconds, dtype=np.float64) / 86_400e6  # days
    if dtype == nw.Object:
        return _array_as_numbers(_object_array(series.to_list()), name)
    if series.is_null().all():
        return np.full(len(series), np.nan)
    raise _not_numbers(name, series.to_list())


def _not_numbers(name: str, values: list[Any]) -> ValueError:
    array = _object_array(values)
    present = array[~is_missing(array)]
    culprit = next((value for value in present if not _is_number(value)), present[0])
    return ValueError(
        f"Feature {name!r} is read as numbers, found {culprit!r}. Name it in categorical_features, "
        "or give it a string or category dtype before fit, to have it read as categories."
    )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
