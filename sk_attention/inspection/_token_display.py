"""A picture of which words, steps or items each task attends to, or what they add."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from ._answers import check_multi_task
from ._attribute import attribute
from ._plotting import pyplot

# A line of words is so many characters wide; a figure so many inches.
LINE_WIDTH = 60
FIGURE_WIDTH = 7.0
# Kind of picture -> inches for each task, beside further lines of words.
HEIGHTS = {"words": 0.88, "steps": 1.6, "image": 2.6}


class TokenDisplay:
    """The tokens of one row, coloured for each task: words, steps in time or patches of an image.

    Create one with `from_estimator`, or from numbers of your own, such as the history of a user
    with the weights that `AttentionRecommender.explain` returns.

    Parameters
    ----------
    tokens : sequence of str
        Names of the tokens, in order.
    values : ndarray of shape (n_tasks, n_tokens)
        What is drawn: attention weights, or contributions, which may be negative.
    task_names : list of str
        Names of the tasks.
    label : str, default="attention weight"
        What the values are.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_tasks,)
        The axes of the last `plot`.
    figure_ : matplotlib Figure
        The figure of the last `plot`.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.inspection import TokenDisplay
    >>> words, added = ["a", "superb", "film"], np.array([[0.0, 2.1, 0.3]])
    >>> display = TokenDisplay(words, added, ["mood"], "contribution").plot()
    >>> [text.get_text() for text in display.axes_[0].texts]
    ['a', 'superb', 'film']
    """

    def __init__(
        self,
        tokens: Sequence[str],
        values: NDArray[np.float64],
        task_names: list[str],
        label: str = "attention weight",
    ) -> None:
        self.tokens = [str(token) for token in tokens]
        self.values = np.asarray(values, dtype=np.float64)
        self.task_names = task_names
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        row: int = 0,
        method: str = "auto",
        class_index: int = 0,
        kind: str = "words",
        shape: tuple[int, int] | None = None,
    ) -> TokenDisplay:
        """Draw the tokens of a row.

        Parameters
        ----------
        estimator : object
            A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
            `MultiTaskAttentionEstimator`.
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows like those of ``fit``.
        row : int, default=0
            Position of the row to draw.
        method : str, default="auto"
            What to draw: a method of `attribute`. "auto" is "contribution" for estimators with
            ``explainable=True``, else "attention".
        class_index : int, default=0
            For tasks of more than two classes: whose logit the tokens add to, by its position in
            ``classes_``.
        kind : {"words", "steps", "image"}, default="words"
            As of `plot`.
        shape : tuple of two int, default=None
            As of `plot`.

        Returns
        -------
        display : TokenDisplay
            The picture and its numbers.

        Raises
        ------
        TypeError
            If the estimator is of another kind, such as a recommender, whose ``explain`` says what
            to draw.
        ValueError
            If a task has no class at ``class_index``, or `attribute` or `plot` refuses what it is
            given.
        """
        check_multi_task(estimator, "TokenDisplay.from_estimator")
        if method == "auto":
            method = "contribution" if estimator.explainable else "attention"
        found = attribute(estimator, _safe_indexing(X, [row]), method, level="token")
        values = [
            own if own.ndim == 1 else _of_class(own, class_index, name)
            for own, name in zip(found.attributions, found.task_names, strict=True)
        ]
        label = {"attention": "attention weight"}.get(method, method.replace("_", " "))
        display = cls(found.token.tolist(), np.stack(values), found.task_names, label)
        return display.plot(kind=kind, shape=shape)

    def plot(self, *, kind: str = "words", shape: tuple[int, int] | None = None) -> TokenDisplay:
        """Draw the tokens, once for each task.

        Parameters
        ----------
        kind : {"words", "steps", "image"}, default="words"
            "words": lines of text, each token on its colour: blue for what is positive, red for
            what is negative, the darker the larger. "steps": a bar for each token, in order.
            "image": the same colours, row by row, as `sk_attention.preprocessing.image_patches`
            cuts an image into patches.
        shape : tuple of two int, default=None
            For "image": rows and columns of patches. None is as many rows as columns.

        Returns
        -------
        self : TokenDisplay
            With ``axes_`` and ``figure_`` set.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If ``kind`` is none of these, or ``shape`` is not that of the tokens.
        """
        if kind not in HEIGHTS:
            raise ValueError(f'kind must be "words", "steps" or "image"; got {kind!r}.')
        grid = _grid(len(self.tokens), kind, shape)
        plt = pyplot("TokenDisplay")
        places = _lines(self.tokens)
        n_lines = places[-1][0] if places and kind == "words" else 0
        height = HEIGHTS[kind] + 0.28 * n_lines
        figure, axes = plt.subplots(
            len(self.task_names),
            figsize=(FIGURE_WIDTH, 0.5 + height * len(self.task_names)),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        largest = np.abs(self.values).max(initial=0.0) or 1.0
        signed = self.values.min(initial=0.0) < 0.0
        norm = plt.Normalize(-largest if signed else 0.0, largest)
        shades = plt.cm.ScalarMappable(norm, "RdBu" if signed else "Blues")
        for ax, values, name in zip(axes[:, 0], self.values, self.task_names, strict=True):
            ax.set_title(name, loc="left", fontsize="medium", parse_math=False)
            if kind == "words":
                self._draw_words(ax, values, shades, places)
            elif kind == "steps":
                self._draw_steps(ax, values, shades)
            else:
                ax.imshow(values.reshape(grid), cmap=shades.cmap, norm=shades.norm)
                ax.axis("off")
        figure.colorbar(shades, ax=list(axes[:, 0]), label=self.label)
        self.axes_ = axes[:, 0]
        self.figure_ = figure
        return self

    def _draw_words(
        self, ax: Any, values: NDArray[np.float64], shades: Any, places: list[tuple[int, int]]
    ) -> None:
        """Draw each token on its colour, line by line, in letters of equal width."""
        dark = np.abs(values) > 0.6 * shades.norm.vmax
        colors = shades.to_rgba(values)
        for place, (line, column) in enumerate(places):
            ax.text(
                column,
                line,
                self.tokens[place],
                family="monospace",
                fontsize=9,
                va="center",
                color="white" if dark[place] else "black",
                bbox={
                    "facecolor": colors[place],
                    "edgecolor": "none",
                    "boxstyle": "square,pad=.15",
                },
                parse_math=False,
            )
        last = places[-1][0] if places else 0
        ax.set(xlim=(0, LINE_WIDTH), ylim=(last + 0.6, -0.6))
        ax.axis("off")

    def _draw_steps(self, ax: Any, values: NDArray[np.float64], shades: Any) -> None:
        """Draw a bar for each token."""
        ax.bar(range(len(values)), values, color=shades.to_rgba(values), edgecolor="gray")
        ax.axhline(0.0, color="black", linewidth=0.8)
        ax.set_xticks(range(len(values)), self.tokens, rotation=45, ha="right")
        for label in ax.get_xticklabels():
            label.set_parse_math(False)
        ax.spines[["top", "right"]].set_visible(False)


def _of_class(values: NDArray[np.float64], place: int, task: str) -> NDArray[np.float64]:
    """Return what tokens add to the logit of one class."""
    n_classes = values.shape[1]
    if not 0 <= place < n_classes:
        raise ValueError(
            f"class_index must be from 0 to {n_classes - 1}, the classes of task {task!r}; got "
            f"{place!r}."
        )
    return values[:, place]


def _grid(n_tokens: int, kind: str, shape: Any) -> tuple[int, int] | None:
    """Return rows and columns of the patches of an image."""
    if kind != "image":
        if shape is not None:
            raise ValueError(f'shape is for kind="image", got {shape!r} with kind={kind!r}.')
        return None
    side = math.isqrt(n_tokens)
    grid = (side, side) if shape is None else tuple(shape)
    if len(grid) != 2 or math.prod(grid) != n_tokens:
        raise ValueError(
            f"shape must be rows and columns of {n_tokens} patches, got {shape!r}: pass two "
            f"numbers whose product is {n_tokens}."
        )
    return grid


def _lines(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Return line and first column of each token, broken like a text."""
    places, line, column = [], 0, 0
    for token in tokens:
        if column and column + len(token) > LINE_WIDTH:
            line, column = line + 1, 0
        places.append((line, column))
        column += len(token) + 1
    return places
