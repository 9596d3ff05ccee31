"""Categories -> codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Column
from .objects import NUMBERS


class CategoryEncoder:
    """One code per category; 0 is a category unseen in training.

    Codes follow the sorted categories, so that they do not depend on the order of the rows. A
    missing value is a category of its own if training had one, and unseen otherwise.

    Attributes
    ----------
    codes_ : list of dict
        Category -> code, one dictionary per column.
    """

    codes_: list[dict[Any, int]]

    def fit(self, columns: Sequence[Column]) -> CategoryEncoder:
        """Collect the categories of each column.

        Parameters
        ----------
        columns : sequence of Column
            Categorical columns.

        Returns
        -------
        self : CategoryEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a value cannot be a category.
        """
        self.codes_ = []
        for column in columns:
            ordered = sorted(set(_hashable_objects(column)), key=_sort_key)
            self.codes_.append({value: code for code, value in enumerate(ordered, start=1)})
        return self

    def transform(self, columns: Sequence[Column]) -> NDArray[np.int32]:
        """Return codes (n_rows, n_columns) of dtype int32.

        Parameters
        ----------
        columns : sequence of Column
            Categorical columns.

        Returns
        -------
        codes : ndarray of shape (n_rows, n_columns), dtype int32
            0 where the category was not seen in training.
        """
        out = np.empty((len(columns[0].values), len(columns)), dtype=np.int32)
        for position, (column, codes) in enumerate(zip(columns, self.codes_, strict=True)):
            out[:, position] = [codes.get(value, 0) for value in _hashable_objects(column)]
        return out

    @property
    def cardinalities_(self) -> list[int]:
        """Number of codes per column, code 0 included."""
        return [len(codes) + 1 for codes in self.codes_]


def _hashable_objects(column: Column) -> list[Any]:
    values = column.as_objects()
    unhashable = {kind for kind in set(map(type, values)) if kind.__hash__ is None}
    if unhashable:
        culprit = next(value for value in values if type(value) in unhashable)
        raise ValueError(
            f"Feature {column.name!r} is read as categories, found {culprit!r}: a category must be "
            "a hashable value, such as a string or a number."
        )
    return values


def _sort_key(value: Any) -> tuple[str, Any]:
    """Order values of one type by themselves, and types by name; missing first."""
    if value is None:
        return ("", 0)
    if isinstance(value, NUMBERS):
        return ("number", value)
    return (type(value).__name__, value if isinstance(value, str) else repr(value))
