"""A picture of how groups are treated."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._fairness import fairness
from ._plotting import pyplot


class FairnessDisplay:
    """Values of each group with their intervals, for each task and measure.

    Create one with `from_estimator`, or from what `fairness` returned.

    Parameters
    ----------
    found : Bunch
        What `fairness` returned.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_tasks, n_measures)
        The axes of the last `plot`: a row for each task, as wide as the task with most measures.
    figure_ : matplotlib Figure
        The figure of the last `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import FairnessDisplay
    >>> data = make_planted_tasks(n_samples=200, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(n_members=2, max_epochs=5, random_state=0).fit(X, y)
    >>> display = FairnessDisplay.from_estimator(model, X, y, np.arange(200) % 3, random_state=0)
    >>> display.axes_.shape
    (2, 3)
    """

    def __init__(self, found: Any) -> None:
        self.found = found

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, groups: Any, **options: Any
    ) -> FairnessDisplay:
        """Compare groups, and draw what was found.

        Parameters
        ----------
        estimator : object
            A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
            `MultiTaskAttentionEstimator`.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows that were not trained on.
        y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
            Their labels.
        groups : array-like of shape (n_samples,)
            The group of each row.
        **options
            Further parameters of `fairness`.

        Returns
        -------
        display : FairnessDisplay
            The picture and its numbers.
        """
        return cls(fairness(estimator, X, y, groups, **options)).plot()

    def plot(self, *, axes: Any = None) -> FairnessDisplay:
        """Draw the values.

        Parameters
        ----------
        axes : ndarray of matplotlib Axes, of shape (n_tasks, n_measures), default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : FairnessDisplay
            With ``axes_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("FairnessDisplay")
        tasks = list(self.found.by_group.groupby("task", sort=False))
        measures = [list(own.groupby("measure", sort=False)) for _, own in tasks]
        widest = max(map(len, measures))
        if axes is None:
            height = 0.9 + 0.3 * len(self.found.groups)
            _, axes = plt.subplots(
                len(tasks),
                widest,
                figsize=(3.2 * widest, height * len(tasks)),
                sharey=True,
                squeeze=False,
                layout="constrained",
            )
        axes = np.asarray(axes)
        for row, (task, _), own in zip(axes, tasks, measures, strict=True):
            for ax, (name, values) in zip(row, own, strict=False):  # some have fewer
                _draw(ax, name, values)
            for ax in row[len(own) :]:
                ax.set_visible(False)
            row[0].set_ylabel(task)
        self.axes_ = axes
        self.figure_ = axes[0, 0].figure
        return self


def _draw(ax: Any, name: str, values: Any) -> None:
    """Draw the values of one measure, a group in each line, the first on top."""
    places = np.arange(len(values))[::-1]
    ax.hlines(places, values["low"], values["high"], color="tab:blue", alpha=0.4, linewidth=3)
    ax.plot(values["value"], places, "o", color="tab:blue")
    ax.set_yticks(places, [str(group) for group in values["group"]])
    ax.set(title=name, ylim=(-0.6, len(values) - 0.4))
    ax.title.set_fontsize("medium")
    ax.spines[["top", "right"]].set_visible(False)
