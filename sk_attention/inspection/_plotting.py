"""What the displays share; matplotlib is imported where something is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pyplot(display: str) -> Any:
    """Return matplotlib's pyplot, or say what to install."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display}.plot needs matplotlib: pip install sk-attention[plot]."
        ) from error
    return plt


def heat_map(
    ax: Any, values: NDArray[np.float64], row_names: list[str], column_names: list[str]
) -> Any:
    """Draw values that are not negative as cells with their numbers.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    values : ndarray of shape (n_rows, n_columns)
        What to draw.
    row_names : list of str
        Names of the rows.
    column_names : list of str
        Names of the columns.

    Returns
    -------
    image : matplotlib AxesImage
        For a colour bar.
    """
    image = ax.imshow(values, cmap="Blues", vmin=0.0, aspect="auto")
    ax.set_xticks(range(len(column_names)), column_names)
    ax.tick_params(axis="x", labelrotation=45)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(row_names)), row_names)
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        color = "white" if value > 0.6 * values.max() else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, size=8)
    return image
