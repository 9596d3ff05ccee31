"""Models beneath each other, one panel per measure."""

from typing import NamedTuple

import numpy as np

OURS, OTHERS = "tab:orange", "tab:blue"


class Panel(NamedTuple):
    """One measure: a value per model, perhaps with the ends of an interval (n_models, 2)."""

    label: str
    values: list
    intervals: list | None = None
    log: bool = False
    reference: float | None = None  # where a line is drawn


def draw(names, is_ours, panels, path):
    """Draw the panels side by side into a PNG file, the first model on top."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    size = 1.5 + 2.4 * len(panels), 1.4 + 0.32 * len(names)
    figure, axes = plt.subplots(
        1, len(panels), sharey=True, squeeze=False, figsize=size, layout="constrained"
    )
    colours = [OURS if own else OTHERS for own in is_ours]
    for axis, panel in zip(axes[0], panels, strict=True):
        _draw_panel(axis, panel, colours)
    axes[0, 0].set_yticks(np.arange(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    figure.suptitle("less is better in every panel", fontsize="medium")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_panel(axis, panel, colours):
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    places = np.arange(len(colours))
    if panel.intervals is not None:
        low, high = np.transpose(panel.intervals)
        axis.hlines(places, low, high, color=colours, linewidth=1.5)
        axis.plot(np.ravel([low, high]), np.tile(places, 2), "|", color="grey", markersize=6)
    axis.scatter(panel.values, places, color=colours, zorder=3)
    if panel.log:
        axis.set_xscale("log")
        spread = np.nanmax(panel.values) / np.nanmin(panel.values)
        axis.xaxis.set_major_locator(LogLocator(subs=(1,) if spread > 100 else (1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(NullLocator())
    else:
        axis.xaxis.set_major_locator(MaxNLocator(5))
    if panel.reference is not None:
        axis.axvline(panel.reference, color="grey", linewidth=1, zorder=0)
    axis.set_xlabel(panel.label)
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
