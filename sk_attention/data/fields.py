"""Which column is what, and how a table becomes arrays of codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .categories import CategoryEncoder
from .columns import Column
from .datetimes import DatetimeEncoder
from .numeric import BinEncoder, NormalScoreEncoder
from .objects import Kind

Codes = dict[str, NDArray[Any]]


def field_kinds(columns: Sequence[Column], categorical_features: Any) -> list[Kind]:
    """Decide what each column is.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    categorical_features : "from_dtype", None, or array-like of bool, int or str
        As in HistGradientBoostingClassifier: the columns that are categories. "from_dtype" takes
        string, category and other non-numeric columns of a data frame, None takes only those that
        cannot be anything else.

    Returns
    -------
    kinds : list of {"number", "category", "datetime"}
        One per column.

    Raises
    ------
    ValueError
        If ``categorical_features`` is not a list, names a column that does not exist, or is a mask
        of another length than there are columns.
    """
    kinds = [column.kind for column in columns]
    if categorical_features is None or isinstance(categorical_features, str):
        return kinds
    chosen = np.asarray(categorical_features)
    if chosen.ndim != 1:
        raise ValueError(
            "categorical_features must be a plain list of names or of positions, or a mask; "
            f"got {categorical_features!r}."
        )
    for position in _positions(chosen, [column.name for column in columns]):
        kinds[position] = "category"
    return kinds


def _positions(chosen: NDArray[Any], names: list[str]) -> list[int]:
    """Return the positions that a mask, a list of positions or a list of names chooses."""
    n_features = len(names)
    if chosen.dtype.kind == "b":
        if chosen.shape != (n_features,):
            raise ValueError(
                f"categorical_features as a mask must have one entry per feature, ({n_features},); "
                f"got shape {chosen.shape}."
            )
        return [int(position) for position in np.flatnonzero(chosen)]
    if chosen.dtype.kind in "iu":
        outside = [int(position) for position in chosen if not 0 <= position < n_features]
        if outside:
            raise ValueError(
                f"categorical_features must hold positions from 0 to {n_features - 1}; "
                f"got {outside[0]}."
            )
        return [int(position) for position in chosen]
    unknown = [str(name) for name in chosen if str(name) not in names]
    if unknown:
        raise ValueError(
            f"categorical_features names {unknown[0]!r}, which is not a feature of X; "
            f"the features are {names[:20]}."
        )
    return [names.index(str(name)) for name in chosen]


class TableEncoder:
    """Learns on the training table how each column becomes codes.

    Numbers and the parts of datetimes come first, then categories; ``token_features_`` says which
    feature each token belongs to.

    Parameters
    ----------
    kinds : sequence of {"number", "category", "datetime"}
        What each column is.
    numbers : BinEncoder or NormalScoreEncoder
        Encodes the numbers.
    """

    def __init__(self, kinds: Sequence[Kind], numbers: BinEncoder | NormalScoreEncoder) -> None:
        self.kinds = list(kinds)
        self.numbers = numbers
        self.datetimes = DatetimeEncoder()
        self.categories = CategoryEncoder()

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> TableEncoder:
        """Learn the codes.

        Parameters
        ----------
        columns : sequence of Column
            The columns of X.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : TableEncoder
            The fitted encoder.
        """
        self.datetimes.fit(self._of(columns, "datetime"))
        self.numbers.fit(self._numbers(columns), weight)
        self.categories.fit(self._of(columns, "category"))
        self.token_features_ = np.array(
            [
                *self._where("number"),
                *np.repeat(self._where("datetime"), self.datetimes.n_parts_),
                *self._where("category"),
            ],
            dtype=np.intp,
        )
        return self

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> Codes:
        """Return the codes of a table, each array of shape (n_rows, n_fields of its kind).

        Parameters
        ----------
        columns : sequence of Column
            The columns of X, in the order of fit.
        dtype : dtype
            Of those codes that are floats.

        Returns
        -------
        codes : dict of ndarray
            What the network's tokens read: see the encoders of the single kinds.
        """
        codes: Codes = {}
        if self.numbers.n_columns_:
            n_rows = len(columns[0].values)
            codes.update(self.numbers.transform(self._numbers(columns), n_rows, dtype))
        if "category" in self.kinds:
            codes["category"] = self.categories.transform(self._of(columns, "category"))
        return codes

    def unknown(self, n_rows: int, dtype: DTypeLike) -> Codes:
        """Return the codes of rows in which every number is missing and every category unseen.

        Parameters
        ----------
        n_rows : int
            How many.
        dtype : dtype
            Of those codes that are floats.

        Returns
        -------
        codes : dict of ndarray
            As `transform` returns them.
        """
        codes: Codes = {}
        if self.numbers.n_columns_:
            nothing = np.full(n_rows, np.nan)
            numbers = repeat(nothing, self.numbers.n_columns_)
            codes.update(self.numbers.transform(numbers, n_rows, dtype))
        if "category" in self.kinds:
            n_columns = len(self.categories.cardinalities_)
            codes["category"] = np.zeros((n_rows, n_columns), dtype=np.int32)
        return codes

    def _where(self, kind: Kind) -> list[int]:
        return [position for position, own in enumerate(self.kinds) if own == kind]

    def _of(self, columns: Sequence[Column], kind: Kind) -> list[Column]:
        return [columns[position] for position in self._where(kind)]

    def _numbers(self, columns: Sequence[Column]) -> Iterator[NDArray[np.float64]]:
        """Yield the numbers of one field after the other: no second table is ever held."""
        for column in self._of(columns, "number"):
            yield column.as_numbers()
        yield from self.datetimes.transform(self._of(columns, "datetime"))
