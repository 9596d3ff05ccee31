"""Which column of a table of interactions says who, what and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_missing

from .categories import CategoryEncoder
from .columns import Column

ROLES = {
    "user": ("user", "user_id"),
    "item": ("item", "item_id"),
    "timestamp": ("timestamp",),
    "session": ("session", "session_id"),
}


def resolve_role(names: Sequence[str], role: str, value: Any) -> int | None:
    """Find the column that has a role.

    Parameters
    ----------
    names : sequence of str
        Names of the columns; those of an array, x0, x1, ..., never say what a column is.
    role : {"user", "item", "timestamp", "session"}
        The role, and the parameter's name in errors.
    value : "auto", str, int or None
        "auto" looks for the role's own names, a column's name or position is taken as such, None
        means that there is no such column.

    Returns
    -------
    position : int or None
        Position of the column; None if there is none.

    Raises
    ------
    ValueError
        If several columns match, or the one that is named does not exist.

    Examples
    --------
    >>> from sk_attention.data.roles import resolve_role
    >>> resolve_role(["item_id", "user_id", "price"], "user", "auto")
    1
    >>> resolve_role(["x0", "x1", "x2"], "user", "auto") is None
    True
    >>> resolve_role(["x0", "x1", "x2"], "user", 2)
    2
    """
    if value is None:
        return None
    if isinstance(value, str) and value == "auto":
        found = [position for position, name in enumerate(names) if name in ROLES[role]]
        if len(found) > 1:
            raise ValueError(
                f'{role}="auto" matches the columns {names[found[0]]!r} and {names[found[1]]!r}: '
                "name the one that is meant."
            )
        return found[0] if found else None
    if isinstance(value, str):
        if value not in names:
            raise ValueError(
                f"{role}={value!r} is not a column of X; the columns are {list(names[:20])}."
            )
        return list(names).index(value)
    if not isinstance(value, Integral) or not 0 <= int(value) < len(names):
        raise ValueError(
            f'{role} must be "auto", None, the name of a column or a position from 0 to '
            f"{len(names) - 1}; got {value!r}."
        )
    return int(value)


def id_codes(column: Column) -> NDArray[np.intp]:
    """Replace the ids of a column by numbers from 0.

    Parameters
    ----------
    column : Column
        Ids of any type, none of them missing.

    Returns
    -------
    codes : ndarray of shape (n_rows,), dtype intp
        Rows of equal id have equal codes; no code is left out.

    Raises
    ------
    ValueError
        If an id is missing or cannot be hashed.
    """
    is_array = isinstance(column.values, np.ndarray)
    values = column.values if is_array else column.values.to_numpy()
    if values.dtype.kind in "iub":
        return np.unique(values, return_inverse=True)[1]
    missing = is_missing(values)
    if missing.any():
        raise ValueError(
            f"Column {column.name!r} holds ids, of which none may be missing; the one in row "
            f"{int(missing.argmax())} is."
        )
    if values.dtype.kind == "f":
        return np.unique(values, return_inverse=True)[1]
    codes = CategoryEncoder().fit([column]).transform([column])[:, 0]
    return codes.astype(np.intp) - 1


def times(column: Column) -> NDArray[Any]:
    """Return the times of a column, fit to be compared and subtracted.

    Parameters
    ----------
    column : Column
        Numbers, datetimes, or strings that are datetimes by ISO 8601; none of them missing.

    Returns
    -------
    times : ndarray of shape (n_rows,), dtype int, float64 or datetime64[us]
        Integers as they are, other numbers as float64, datetimes in UTC.

    Raises
    ------
    ValueError
        If a time is missing, infinite or something else.
    """
    try:
        values = _times(column)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {column.name!r} holds times, which must be finite numbers or datetimes, or "
            f"strings such as '2026-03-01 12:30'; found dtype {column.values.dtype}."
        ) from error
    missing = is_missing(values)
    if missing.any():
        raise ValueError(
            f"Column {column.name!r} holds times, of which none may be missing; {missing.sum()} of "
            f"{len(missing)} are, the first in row {int(missing.argmax())}."
        )
    return values


def is_dated(column: Column) -> bool:
    """Return whether the times of a column are datetimes, and no numbers.

    Parameters
    ----------
    column : Column
        As `times` takes it.

    Returns
    -------
    dated : bool
        The answer.
    """
    return column.kind == "datetime" or _are_strings(column)


def _times(column: Column) -> NDArray[Any]:
    values = column.values
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "iu":
            return values
    elif values.dtype.is_integer() and not values.is_null().any():
        return np.asarray(values.to_numpy())
    if _are_strings(column):
        return np.array([moment(cell) for cell in column.as_objects()], dtype="datetime64[us]")
    if column.kind != "datetime":
        return column.as_numbers()
    # in UTC, as the clock on the wall goes back in autumn
    return column.as_datetimes(None if column.time_zone is None else "UTC")


def _are_strings(column: Column) -> bool:
    if column.kind != "category":
        return False
    return {type(cell) for cell in column.as_objects() if cell is not None} == {str}


def moment(value: Any) -> Any:
    """Read a string as a moment, and move one of a time zone to UTC.

    Parameters
    ----------
    value : object
        A string by ISO 8601, or a datetime; anything else is left as it is.

    Returns
    -------
    moment : datetime or object
        Without a time zone.

    Raises
    ------
    ValueError
        If a string is no moment.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
