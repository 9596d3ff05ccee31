"""A picture of how differently tasks look."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._attention_shift import attention_shift
from ._plotting import heat_map, pyplot


class AttentionShiftDisplay:
    """Tasks x tasks heat map of attention shift, in bits.

    Create one with `from_estimator`, or from numbers of your own, such as one task's ``pairwise``
    of `attention_drift` with the names of the groups.

    Parameters
    ----------
    pairwise : ndarray of shape (n_tasks, n_tasks)
        Divergences, from 0 to 1 bit.
    task_names : list of str
        Names of rows and columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the last `plot`.
    figure_ : matplotlib Figure
        The figure of the last `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.inspection import AttentionShiftDisplay
    >>> display = AttentionShiftDisplay(np.array([[0.0, 0.2], [0.2, 0.0]]), ["late", "cancelled"])
    >>> display.plot().ax_.get_title()
    'attention shift in bits'
    """

    def __init__(self, pairwise: NDArray[np.float64], task_names: list[str]) -> None:
        self.pairwise = pairwise
        self.task_names = task_names

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, ax: Any = None) -> AttentionShiftDisplay:
        """Draw how differently a fitted estimator's tasks look at the same rows.

        Parameters
        ----------
        estimator : object, or list of these
            As in `attention_shift`.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows to look at.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AttentionShiftDisplay
            The picture and its numbers.
        """
        shift = attention_shift(estimator, X, n_permutations=0)
        return cls(shift.pairwise, shift.task_names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> AttentionShiftDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : AttentionShiftDisplay
            With ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("AttentionShiftDisplay")
        if ax is None:
            size = 1.8 + 0.7 * len(self.task_names)
            _, ax = plt.subplots(figsize=(size + 1.0, size), layout="constrained")
        image = heat_map(ax, self.pairwise, self.task_names, self.task_names)
        ax.set(title="attention shift in bits")
        ax.figure.colorbar(image, ax=ax, label="Jensen-Shannon divergence")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
