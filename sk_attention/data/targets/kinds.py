"""Which task is a class, which a number and which a set of labels."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import LabelColumns, is_collection, is_missing, observed_labels
from sk_attention._warnings import warn

TASK_TYPES = ("classification", "regression", "multilabel")

# More different integers than this look like numbers rather than classes.
MANY_INTEGERS = 100


def task_types(
    labels: LabelColumns, given: Mapping[str, str] | None, missing_label: Any = None
) -> list[str]:
    """Say of each task what its labels are: by what the user said, else by their dtype.

    Collections are sets of labels; floats and decimals that are no categories are numbers;
    everything else, integers among it, are classes.

    Parameters
    ----------
    labels : LabelColumns
        The labels.
    given : mapping of str to str, or None
        Types of some tasks by name.
    missing_label : object, default=None
        A label that means "missing".

    Returns
    -------
    types : list of str
        "classification", "regression" or "multilabel" for each task.

    Raises
    ------
    ValueError
        If a task or a type is unknown, or labels are dates or times.

    Warns
    -----
    UserWarning
        If a task that nothing was said of holds integers of which there are very many.
    """
    given = {} if given is None else given
    for task, kind in given.items():
        if task not in labels.names:
            raise ValueError(
                f"task_types names the task {task!r}, but the tasks of y are {labels.names}."
            )
        if kind not in TASK_TYPES:
            raise ValueError(f"task_types[{task!r}] must be one of {TASK_TYPES}, got {kind!r}.")
    columns = zip(labels.names, labels.columns, labels.categorical, strict=True)
    return [
        given[name] if name in given else _type_of(name, column, categorical, missing_label)
        for name, column, categorical in columns
    ]


def _type_of(name: str, column: NDArray[Any], categorical: bool, missing_label: Any) -> str:
    observed = observed_labels(column, is_missing(column, missing_label))
    if observed.dtype.kind in "mM":
        raise ValueError(
            f"Task {name!r} of y holds dates or times, which are neither classes nor numbers: give "
            "numbers, such as days since a first day."
        )
    if any(map(is_collection, observed[:1])):
        return "multilabel"
    if not categorical and (observed.dtype.kind == "f" or _are_decimals(observed)):
        return "regression"
    if observed.dtype.kind in "iu" and not categorical:
        _doubt_integers(name, len(np.unique(observed)))
    return "classification"


def _are_decimals(observed: NDArray[Any]) -> bool:
    numbers = observed.dtype == object and all(isinstance(own, (Real, Decimal)) for own in observed)
    return numbers and any(isinstance(own, Decimal) for own in observed)


def _doubt_integers(name: str, n_distinct: int) -> None:
    if n_distinct > MANY_INTEGERS:
        warn(
            f"Task {name!r} of y holds integers, {n_distinct} different ones, and is read as as "
            f'many classes. If they are numbers say task_types={{{name!r}: "regression"}}, else '
            '"classification".',
            UserWarning,
        )
