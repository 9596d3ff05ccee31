"""Numbers of draws, steps and rows, as users give them."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_counts(least: int, **counts: Any) -> None:
    """Refuse what is no count.

    Parameters
    ----------
    least : int
        The smallest count.
    **counts : object
        Counts by the name of their parameter.

    Raises
    ------
    ValueError
        If one is no integer, or less than ``least``.
    """
    for name, count in counts.items():
        if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {count!r}.")
