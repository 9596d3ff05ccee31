"""Labels as the losses read them, and what is said of labels that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_collection


@dataclass(frozen=True)
class EncodedTargets:
    """What the losses read.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_tasks)
        Class codes (int64) or standardised numbers (float64); 0 where the label is missing. Of
        tasks of several kinds (float64), a set of labels takes one column per label.
    observed : ndarray of shape (n_rows, n_tasks), dtype bool
        Where there is a label.
    """

    values: NDArray[Any]
    observed: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> EncodedTargets:
        """Return the targets of some rows.

        Parameters
        ----------
        rows : ndarray of int
            Their positions.

        Returns
        -------
        targets : EncodedTargets
            Copies.
        """
        return EncodedTargets(self.values[rows], self.observed[rows])


def check_n_tasks(parameter: str, n_given: int, n_tasks: int) -> None:
    """Refuse a list that has not one entry per task.

    Parameters
    ----------
    parameter : str
        What was given.
    n_given : int
        Its length.
    n_tasks : int
        The length it must have.

    Raises
    ------
    ValueError
        If the two differ.
    """
    if n_given != n_tasks:
        raise ValueError(f"{parameter} must have one entry per task, {n_tasks}; got {n_given}.")


def all_missing(name: str) -> str:
    """Return the sentence for a task without a label.

    Parameters
    ----------
    name : str
        The task.

    Returns
    -------
    sentence : str
        What is wrong.
    """
    return (
        f"Task {name!r} of y has no observed label: every label is missing. Give it at least one "
        "label, or leave the task out."
    )


def infinite(name: str) -> str:
    """Return the sentence for a task with an infinite label.

    Parameters
    ----------
    name : str
        The task.

    Returns
    -------
    sentence : str
        What is wrong.
    """
    return f"Input y contains infinity or a value too large for dtype('float64') in task {name!r}."


def refuse_collections(name: str, observed: NDArray[Any]) -> None:
    """Refuse collections of labels where one label is expected.

    Parameters
    ----------
    name : str
        The task.
    observed : ndarray of shape (n_observed,)
        Its labels.

    Raises
    ------
    ValueError
        If the first of them is a collection.
    """
    if any(map(is_collection, observed[:1])):
        raise ValueError(
            f"y is ragged: every row must have the same number of labels, but task {name!r} holds "
            f"collections such as {observed[0]!r}. MultiTaskAttentionEstimator reads these as sets "
            "of labels."
        )
