"""Datetimes of any column -> wall time in one time zone."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_missing

from .objects import with_none

Times = NDArray[np.datetime64]


def time_zone(values: NDArray[Any] | nw.Series[Any], name: str) -> str | None:
    """Return the name of the time zone of a column.

    Parameters
    ----------
    values : ndarray or narwhals.Series of shape (n_rows,)
        Datetimes, or dates, which have no zone.
    name : str
        The feature's name, for errors.

    Returns
    -------
    zone : str or None
        A name such as "Asia/Tokyo", or an offset such as "UTC+03:00"; "UTC" for objects in several
        zones, or in one that has no such name. None for datetimes without a zone.

    Raises
    ------
    ValueError
        If some datetimes have a zone and others none.
    """
    if isinstance(values, nw.Series):
        zone: str | None = getattr(values.dtype, "time_zone", None)
        return zone
    if values.dtype != object:
        return None
    present = values[~is_missing(values)]
    zones = {str(getattr(value, "tzinfo", None)) for value in present}
    if zones <= {"None"}:
        return None
    if "None" in zones:
        raise ValueError(f"Feature {name!r} mixes datetimes with and without a time zone.")
    only = zones.pop()
    return only if not zones and _is_known(only) else "UTC"


def wall_times(values: NDArray[Any] | nw.Series[Any], zone: str | None) -> Times:
    """Return what clocks show in a time zone.

    Parameters
    ----------
    values : ndarray or narwhals.Series of shape (n_rows,)
        Datetimes or dates, with a time zone if ``zone`` is one.
    zone : str or None
        Where the clocks hang; None for datetimes without a zone, which stay what they are.

    Returns
    -------
    times : ndarray of shape (n_rows,), dtype datetime64[us]
        NaT where missing.
    """
    if isinstance(values, nw.Series):
        if zone is None or zone == getattr(values.dtype, "time_zone", None):
            return _microseconds(values)
        return _shifted(_microseconds(values.dt.convert_time_zone("UTC")), zone)
    if values.dtype != object:
        return values.astype("datetime64[us]")
    values = with_none(values)
    if zone is None:
        return values.astype("datetime64[us]")
    instants = [
        None if value is None else value.astimezone(dt.UTC).replace(tzinfo=None) for value in values
    ]
    return _shifted(np.array(instants, dtype="datetime64[us]"), zone)


def _microseconds(series: nw.Series[Any]) -> Times:
    if series.dtype == nw.Date:
        series = series.cast(nw.Datetime("us"))
    else:
        series = series.dt.replace_time_zone(None)
    return np.asarray(series.to_numpy()).astype("datetime64[us]")


def _shifted(instants: Times, zone: str) -> Times:
    """Return UTC as wall time; no zone of today changes its offset within a quarter."""
    quarters, position = np.unique(instants.astype("datetime64[15m]"), return_inverse=True)
    # Python knows the years 1 to 9999, and some hours of those lie in others elsewhere
    within = quarters.clip(np.datetime64("0002"), np.datetime64("9998")).astype("datetime64[us]")
    there = _tzinfo(zone)
    offsets = [
        None if time is None else time.replace(tzinfo=dt.UTC).astimezone(there).utcoffset()
        for time in within.tolist()
    ]
    shifted: Times = instants + np.array(offsets, dtype="timedelta64[us]")[position]
    return shifted


def _tzinfo(zone: str) -> dt.tzinfo:
    if zone.startswith(("UTC+", "UTC-")):  # as pandas and Python write an offset
        offset = dt.datetime.strptime(zone.removeprefix("UTC"), "%z").tzinfo
        assert offset is not None
        return offset
    return ZoneInfo(zone)


def _is_known(zone: str) -> bool:
    try:
        _tzinfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True
