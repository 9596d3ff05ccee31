"""A picture of which task attends to which feature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._looks import looks, mean_looks
from ._plotting import heat_map, pyplot


class AttentionDisplay:
    """Tasks x features heat map of attention weights.

    Create one with `from_estimator`, or from numbers of your own.

    Parameters
    ----------
    weights : ndarray of shape (n_tasks, n_features)
        Attention weights; rows sum to 1.
    task_names : list of str
        Names of the rows.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the last `plot`.
    figure_ : matplotlib Figure
        The figure of the last `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.inspection import AttentionDisplay
    >>> display = AttentionDisplay(np.array([[0.9, 0.1]]), ["late"], ["hour", "carrier"])
    >>> display.plot().ax_.get_xlabel()
    'feature'
    """

    def __init__(
        self, weights: NDArray[np.float64], task_names: list[str], feature_names: list[str]
    ) -> None:
        self.weights = weights
        self.task_names = task_names
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any = None, *, ax: Any = None) -> AttentionDisplay:
        """Draw where a fitted estimator's tasks look.

        Parameters
        ----------
        estimator : object
            A fitted estimator with ``attention_weights_`` and ``attend``; of a recommender the lags
            are drawn.
        X : array-like or DataFrame of shape (n_samples, n_features), default=None
            Rows over which to average; None takes ``attention_weights_``, the mean over the
            training rows.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AttentionDisplay
            The picture and its numbers.
        """
        asks = "AttentionDisplay"
        found = mean_looks(estimator, asks) if X is None else looks(estimator, X, asks)
        weights = found.weights.mean(axis=0)
        return cls(weights, found.task_names, found.feature_names).plot(ax=ax)

    def plot(self, *, ax: Any = None, max_features: int = 30) -> AttentionDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        max_features : int, default=30
            Features drawn, those with the largest weight for any task, in their own order.

        Returns
        -------
        self : AttentionDisplay
            With ``ax_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = pyplot("AttentionDisplay")
        largest = np.sort(np.argsort(-self.weights.max(axis=0), kind="stable")[:max_features])
        shown = self.weights[:, largest]
        n_tasks, n_features = shown.shape
        if ax is None:
            size = (2.0 + 0.6 * n_features, 1.8 + 0.5 * n_tasks)
            _, ax = plt.subplots(figsize=size, layout="constrained")
        names = [self.feature_names[j] for j in largest]
        image = heat_map(ax, shown, self.task_names, names)
        ax.set(xlabel="feature", ylabel="task")
        ax.figure.colorbar(image, ax=ax, label="attention weight")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
