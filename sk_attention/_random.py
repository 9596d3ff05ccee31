"""random_state -> seeds of generators of our own; global generators are left as found."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

MAX_SEED = 2**31 - 1


def draw_seed(random_state: Any) -> int:
    """Return a seed for the generators of one fit.

    Parameters
    ----------
    random_state : int, RandomState or None
        An integer is the seed itself. A RandomState is drawn from. None takes fresh entropy from
        the operating system, so that NumPy's global generator stays as it is.

    Returns
    -------
    seed : int
        From 0 to 2**31 - 2.

    Examples
    --------
    >>> from sk_attention._random import draw_seed
    >>> draw_seed(7)
    7
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % MAX_SEED)
    if isinstance(random_state, Integral):
        return int(random_state) % MAX_SEED
    return int(random_state.randint(MAX_SEED))
