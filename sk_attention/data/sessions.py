"""Sessions: runs of a user's events without a long gap between them."""

from __future__ import annotations

import re
from datetime import timedelta
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Seconds of each unit; "m" could be minutes or months.
UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}


def sessions_by_gap(
    users: NDArray[np.int64], times: NDArray[np.float64], gap: float
) -> NDArray[np.int64]:
    """Return the number of the session of each event; they are sorted by user and time.

    Parameters
    ----------
    users : ndarray of shape (n_events,)
        Users.
    times : ndarray of shape (n_events,)
        When.
    gap : float
        A longer time without an event ends a session.

    Returns
    -------
    sessions : ndarray of shape (n_events,), dtype int64
        From 0 on; each user's first event begins one.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.data.sessions import sessions_by_gap
    >>> sessions_by_gap(np.array([0, 0, 0, 1]), np.array([0.0, 5.0, 30.0, 31.0]), 10.0)
    array([0, 0, 1, 2])
    """
    begins = np.zeros(len(users), dtype=np.int64)
    begins[1:] = (np.diff(users) != 0) | (np.diff(times) > gap)
    return begins.cumsum()


def parting_gap(gaps: NDArray[np.float64]) -> float:
    r"""Return the gap that parts short gaps from long ones best.

    Otsu's threshold [1]_ on a logarithmic scale: with :math:`n_1` gaps up to it, :math:`n_2` above
    and :math:`\mu_1, \mu_2` their mean logarithms, it makes
    :math:`n_1 n_2 (\mu_1 - \mu_2)^2` largest. Within a session people act every few seconds or
    minutes, between sessions hours or days pass, so that there are two heaps to part [2]_. Gaps of
    0 count as the smallest that is not.

    Parameters
    ----------
    gaps : ndarray of shape (n_gaps,)
        Times between one event of a user and the next, none negative.

    Returns
    -------
    gap : float
        The longest of the short gaps; infinity where all are alike.

    References
    ----------
    .. [1] Otsu, "A threshold selection method from gray-level histograms", 1979.
    .. [2] Halfaker et al., "User session identification based on strong regularities in
       inter-activity time", WWW 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.data.sessions import parting_gap
    >>> parting_gap(np.array([0.0, 30.0, 20.0, 60.0, 90000.0, 250000.0]))
    60.0
    """
    if not (gaps > 0).any():
        return float("inf")
    ordered = np.sort(gaps)
    logs = np.log(np.maximum(ordered, gaps[gaps > 0].min()))
    n_short = np.arange(1, len(logs))
    sums = logs.cumsum()
    means = sums[:-1] / n_short, (sums[-1] - sums[:-1]) / (len(logs) - n_short)
    between = n_short * (len(logs) - n_short) * (means[1] - means[0]) ** 2
    between[np.diff(logs) == 0] = 0.0  # equal gaps are not parted
    if not between.any():
        return float("inf")
    return float(ordered[between.argmax()])


def gap_seconds(session_gap: Any) -> float | None:
    """Read the parameter ``session_gap``.

    Parameters
    ----------
    session_gap : "auto", number, timedelta or str
        Number and unit, as in "30min" or "1.5 hours"; a number alone is taken as it is.

    Returns
    -------
    gap : float or None
        In seconds, or the unit of a column of numbers; None for "auto".

    Raises
    ------
    ValueError
        If it is no positive span of time.

    Examples
    --------
    >>> from sk_attention.data.sessions import gap_seconds
    >>> gap_seconds("30min")
    1800.0
    """
    if isinstance(session_gap, str) and session_gap == "auto":
        return None
    gap = float("nan")
    if isinstance(session_gap, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*)\s*([a-z]+)\s*", session_gap)
        if found and found[2] in UNITS:
            gap = float(found[1]) * UNITS[found[2]]
    elif isinstance(session_gap, timedelta):
        gap = session_gap.total_seconds()
    elif isinstance(session_gap, np.timedelta64):
        gap = float(session_gap / np.timedelta64(1, "s"))
    elif isinstance(session_gap, Real) and not isinstance(session_gap, bool):
        gap = float(session_gap)
    if not gap > 0:
        raise ValueError(
            'session_gap must be "auto" or a positive span of time: a number in seconds or in the '
            "unit of a column of numbers, a timedelta, or a number and a unit (s, min, h, d, w) "
            f'such as "30min"; got {session_gap!r}.'
        )
    return gap
