"""A picture of what becomes of predictions without the features that matter."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._faithfulness import GRADIENTS, RANDOM, faithfulness
from ._plotting import pyplot

CURVES = {
    "deletion": "features deleted, most important first",
    "insertion": "features given back, most important first",
}


class FaithfulnessDisplay:
    """Deletion and insertion curves of each task, with 95 % intervals.

    Create one with `from_estimator`, or from what `faithfulness` returned.

    Parameters
    ----------
    found : Bunch
        What `faithfulness` returned.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_tasks, 2)
        The axes of the last `plot`: a row for each task, deletion left, insertion right.
    figure_ : matplotlib Figure
        The figure of the last `plot`.

    Examples
    --------
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import FaithfulnessDisplay
    >>> data = make_planted_tasks(n_samples=400, n_features=6, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(explainable=True, max_epochs=20, random_state=0)
    >>> display = FaithfulnessDisplay.from_estimator(
    ...     model.fit(X[:200], y[:200]), X[200:], y[200:], random_state=0
    ... )
    >>> display.axes_.shape
    (2, 2)
    """

    def __init__(self, found: Any) -> None:
        self.found = found

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: Any, **options: Any) -> FaithfulnessDisplay:
        """Measure the faithfulness of a fitted estimator, and draw it.

        Parameters
        ----------
        estimator : object
            A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
            `MultiTaskAttentionEstimator`.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows that were not trained on.
        y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
            Their labels.
        **options
            Further parameters of `faithfulness`.

        Returns
        -------
        display : FaithfulnessDisplay
            The picture and its numbers.
        """
        return cls(faithfulness(estimator, X, y, **options)).plot()

    def plot(self, *, axes: Any = None) -> FaithfulnessDisplay:
        """Draw the curves.

        Parameters
        ----------
        axes : ndarray of matplotlib Axes, of shape (n_tasks, 2), default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : FaithfulnessDisplay
            With ``axes_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("FaithfulnessDisplay")
        names = self.found.task_names
        if axes is None:
            _, axes = plt.subplots(
                len(names),
                2,
                figsize=(9.0, 0.6 + 2.6 * len(names)),
                sharex=True,
                sharey="row",
                squeeze=False,
                layout="constrained",
            )
        axes = np.asarray(axes)
        for task, name in enumerate(names):
            for ax, kind in zip(axes[task], CURVES, strict=True):
                self._draw(ax, task, kind)
            axes[task, 0].set_ylabel(f"{name}: skill")
        for ax, label in zip(axes[-1], CURVES.values(), strict=True):
            ax.set_xlabel(label)
        axes[0, 1].legend(loc="lower right", fontsize="small")
        self.axes_ = axes
        self.figure_ = axes[0, 0].figure
        return self

    def _draw(self, ax: Any, task: int, kind: str) -> None:
        """Draw one task's curves of one kind."""
        found = self.found
        colors = {RANDOM: "tab:gray", GRADIENTS: "tab:orange", found.method: "tab:blue"}
        for name, color in colors.items():
            value, low, high = found[kind][name][task].T
            ax.plot(found.n_deleted, value, color=color, label=name.replace("_", " "))
            ax.fill_between(found.n_deleted, low, high, color=color, alpha=0.15, linewidth=0)
        ax.axhline(found.chance[task], color="black", linewidth=0.8, linestyle=":")
        ax.spines[["top", "right"]].set_visible(False)
