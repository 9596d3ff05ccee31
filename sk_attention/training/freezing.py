"""Parameters that training leaves as they are."""

from __future__ import annotations

from skorch.callbacks import Callback, Freezer


def frozen_queries() -> Callback:
    """Return a callback that keeps the tasks' queries as they were drawn.

    With ``attention_sharpness=0`` attention then stays uniform.

    Returns
    -------
    callback : Callback
        For the parameter ``callbacks``.
    """
    callback: Callback = Freezer("reading.query")
    return callback
