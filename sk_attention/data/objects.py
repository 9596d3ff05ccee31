"""Arrays of any dtype, Python objects among them: what they hold, and as numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_missing

Kind = Literal["number", "category", "datetime", "text", "sequence", "steps", "sparse"]

NUMBERS = (Real, Decimal, np.bool_)
COMPLEX = (complex, np.complexfloating)
DURATIONS = (dt.timedelta, np.timedelta64)
SEQUENCES = (list, tuple, np.ndarray)
DATETIMES = (dt.date, np.datetime64)  # a datetime is a date too


def object_array(values: list[Any]) -> NDArray[Any]:
    """Return Python objects as an array of one dimension, whatever they are.

    Parameters
    ----------
    values : list
        The objects.

    Returns
    -------
    array : ndarray of shape (n_rows,), dtype object
        The same objects.
    """
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def with_none(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects in which None is the only missing value.

    Parameters
    ----------
    values : ndarray of shape (n_rows,), dtype object
        Any objects.

    Returns
    -------
    values : ndarray of shape (n_rows,), dtype object
        The same array if nothing is missing.
    """
    missing = is_missing(values)
    if not missing.any():
        return values
    values = values.copy()
    values[missing] = None
    return values


def as_objects(values: NDArray[Any]) -> list[Any]:
    """Return the values of an array as Python objects.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values of any dtype.

    Returns
    -------
    objects : list
        Datetimes and durations of any resolution as Python has them, in microseconds.
    """
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[us]")
    objects: list[Any] = values.tolist()
    return objects


def array_kind(values: NDArray[Any], name: str) -> Kind:
    """Tell what an array holds.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values of one feature; missing ones may be among them.
    name : str
        The feature's name, for errors.

    Returns
    -------
    kind : {"number", "category", "datetime", "sequence"}
        Objects are numbers or durations where nothing else is among them, likewise datetimes, and
        lists, tuples or arrays; otherwise they are categories.

    Raises
    ------
    ValueError
        If complex numbers are among them.
    """
    if values.dtype != object:
        if values.dtype.kind == "c":
            raise _complex_number(values[0], name)
        return "datetime" if values.dtype.kind == "M" else "number"
    present = values[~is_missing(values)]
    types = set(map(type, present))
    if any(issubclass(own, COMPLEX) for own in types):
        raise _complex_number(next(v for v in present if isinstance(v, COMPLEX)), name)
    if not types:
        return "category"
    if _all_of(types, DATETIMES):
        return "datetime"
    if _all_of(types, SEQUENCES):
        return "sequence"
    return "number" if _all_of(types, DURATIONS) or _all_of(types, NUMBERS) else "category"


def array_numbers(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return an array as numbers.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values of one feature.
    name : str
        The feature's name, for errors.

    Returns
    -------
    numbers : ndarray of shape (n_rows,), dtype float64
        NaN where missing; durations in days.

    Raises
    ------
    TypeError
        If a value can be neither a number nor a category.
    ValueError
        If a value is not a number.
    """
    if values.dtype.kind in "cM":
        raise not_numbers(object_array(as_objects(values)), name)
    if values.dtype == object:
        values = with_none(values)
        types = set(map(type, values)) - {type(None)}
        if types and _all_of(types, DURATIONS):
            values = values.astype("timedelta64[us]")
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "D"), dtype=np.float64)
    try:
        return values.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise not_numbers(values, name) from error


def not_numbers(values: NDArray[Any], name: str) -> TypeError | ValueError:
    """Return the error that says which value is not a number.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values of one feature, one of which is not a number.
    name : str
        The feature's name.

    Returns
    -------
    error : TypeError or ValueError
        TypeError where the value could not be a category either.
    """
    present = values[~is_missing(values)].tolist()
    culprit = next((value for value in present if not _is_number(value)), present[0])
    if isinstance(culprit, COMPLEX):
        return _complex_number(culprit, name)
    found = f"Feature {name!r} is read as numbers, found {culprit!r}"
    if isinstance(culprit, DATETIMES):
        return ValueError(
            f"{found}: a feature is read as datetimes only if it held nothing else in fit."
        )
    if type(culprit).__hash__ is None:  # scikit-learn looks for these words
        return TypeError(f"{found}: the argument must be a string or a number.")
    return ValueError(
        f"{found}. Name it in categorical_features, or give it a string or category dtype before "
        "fit, to have it read as categories."
    )


def _all_of(types: set[type], allowed: tuple[type, ...]) -> bool:
    return all(issubclass(own, allowed) for own in types)


def _complex_number(value: Any, name: str) -> ValueError:
    return ValueError(f"Complex data not supported: feature {name!r} holds {value}.")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
