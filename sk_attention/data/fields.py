"""Which column is what, and how a table becomes arrays of codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .bags import BagEncoder
from .categories import CategoryEncoder
from .columns import Column
from .datetimes import DatetimeEncoder
from .numeric import BinEncoder, NormalScoreEncoder
from .objects import Kind
from .ragged import Ragged, side_by_side
from .sequences import SequenceReader
from .sparse import SparseEncoder
from .text import TextReader
from .text_vectors import TextVectorEncoder

# Kinds of columns that hold several tokens in a row.
SEVERAL: tuple[Kind, ...] = ("text", "sequence", "sparse")

Codes = dict[str, NDArray[Any] | Ragged]


def field_kinds(
    columns: Sequence[Column], categorical_features: Any, text_features: Any = None
) -> list[Kind]:
    """Decide what each column is.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    categorical_features : "from_dtype", None, or array-like of bool, int or str
        As in HistGradientBoostingClassifier: the columns that are categories. "from_dtype" takes
        string, category and other non-numeric columns of a data frame, None takes only those that
        cannot be anything else.
    text_features : None, or array-like of bool, int or str, default=None
        The columns that are texts.

    Returns
    -------
    kinds : list of {"number", "category", "datetime", "text", "sequence", "steps", "sparse"}
        One per column.

    Raises
    ------
    ValueError
        If one of the two is not a list, names a column that does not exist, or is a mask of another
        length than there are columns; if both name a column; or X is sparse or has three
        dimensions.
    """
    kinds = [column.kind for column in columns]
    categories = chosen_columns(columns, categorical_features, "categorical_features")
    texts = chosen_columns(columns, text_features, "text_features")
    for position in categories:
        kinds[position] = "category"
    for position in texts:
        if position in categories:
            raise ValueError(
                f"Feature {columns[position].name!r} is named in both categorical_features and "
                "text_features: it can be read in one way only."
            )
        kinds[position] = "text"
    return kinds


def field_groups(columns: Sequence[Column], fields: Mapping[str, Any] | None) -> NDArray[np.intp]:
    """Say which field each column belongs to.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    fields : mapping of str to list of str or int, or None
        Columns of each field, by name or position; other columns are fields of their own.

    Returns
    -------
    groups : ndarray of shape (n_columns,)
        Numbers of the fields, in the order of their first columns.

    Raises
    ------
    ValueError
        If a field has no column or names one that does not exist, or two fields name the same; or
        X is sparse.
    """
    if fields and columns[0].kind == "sparse":
        raise ValueError("fields names columns, but X is sparse: it is one field.")
    owner: dict[int, str] = {}
    for name, chosen in (fields or {}).items():
        own = chosen_columns(columns, chosen, f"fields[{name!r}]")
        if not own:
            raise ValueError(f"fields[{name!r}] must be a list of columns; got {chosen!r}.")
        for position in own:
            if owner.setdefault(position, name) != name:
                raise ValueError(
                    f"Feature {columns[position].name!r} is named in fields[{owner[position]!r}] "
                    f"and fields[{name!r}]: it can be in one field only."
                )
    keys = [("field", owner[j]) if j in owner else ("column", j) for j in range(len(columns))]
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.intp)


def chosen_columns(columns: Sequence[Column], chosen: Any, parameter: str) -> list[int]:
    """Return the positions of the columns that a parameter names.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    chosen : array-like of bool, int or str, or else
        A mask, positions or names; None and a string choose nothing.
    parameter : str
        The parameter's name in errors.

    Returns
    -------
    positions : list of int
        In the order given.

    Raises
    ------
    ValueError
        If it is no list, names a column that does not exist, or is a mask of another length than
        there are columns.
    """
    if chosen is None or isinstance(chosen, str):
        return []
    if columns[0].kind in ("sparse", "steps") and not parameter.startswith("fields"):
        what = "is sparse" if columns[0].kind == "sparse" else "has three dimensions"
        raise ValueError(f"{parameter} names columns, but X {what}: it holds numbers alone.")
    positions = np.asarray(chosen)
    if positions.ndim != 1:
        raise ValueError(
            f"{parameter} must be a plain list of names or of positions, or a mask; got {chosen!r}."
        )
    return _positions(positions, [column.name for column in columns], parameter)


def _positions(chosen: NDArray[Any], names: list[str], parameter: str) -> list[int]:
    """Return the positions that a mask, a list of positions or a list of names chooses."""
    n_features = len(names)
    if chosen.dtype.kind == "b":
        if chosen.shape != (n_features,):
            raise ValueError(
                f"{parameter} as a mask must have one entry per feature, ({n_features},); "
                f"got shape {chosen.shape}."
            )
        return [int(position) for position in np.flatnonzero(chosen)]
    if chosen.dtype.kind in "iu":
        outside = [int(position) for position in chosen if not 0 <= position < n_features]
        if outside:
            raise ValueError(
                f"{parameter} must hold positions from 0 to {n_features - 1}; got {outside[0]}."
            )
        return [int(position) for position in chosen]
    unknown = [str(name) for name in chosen if str(name) not in names]
    if unknown:
        raise ValueError(
            f"{parameter} names {unknown[0]!r}, which is not a feature of X; "
            f"the features are {names[:20]}."
        )
    return [names.index(str(name)) for name in chosen]


class TableEncoder:
    """Learns on the training table how each column becomes codes.

    Numbers, the channels of steps and the parts of datetimes come first, then categories, the
    vectors of texts if an encoder gives them any, and the fields that hold several tokens each:
    texts, sequences, or a sparse matrix. ``field_features_`` says which feature each of these
    belongs to.

    Parameters
    ----------
    kinds : sequence of {"number", "category", "datetime", "text", "sequence", "steps", "sparse"}
        What each column is.
    numbers : BinEncoder or NormalScoreEncoder
        Encodes the numbers.
    text_encoder : transformer, callable or mapping, default=None
        Gives each text a vector, which is a token besides its words.
    ordered : bool, default=False
        Whether codes of texts and sequences say where in a row they are.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        numbers: BinEncoder | NormalScoreEncoder,
        text_encoder: Any = None,
        ordered: bool = False,
    ) -> None:
        self.kinds = list(kinds)
        self.numbers = numbers
        self.datetimes = DatetimeEncoder()
        self.categories = CategoryEncoder()
        self.vectors = TextVectorEncoder(text_encoder)
        self.bags: BagEncoder | SparseEncoder = SparseEncoder()
        if not self.is_sparse_:
            several = [kind for kind in self.kinds if kind in SEVERAL]
            self.bags = BagEncoder(
                [TextReader() if kind == "text" else SequenceReader() for kind in several], ordered
            )

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
        self.n_channels_ = columns[0].values.shape[1] if "steps" in self.kinds else None
        self.datetimes.fit(self._of(columns, "datetime"))
        self.numbers.fit(self._numbers(columns), weight)
        self.categories.fit(self._of(columns, "category"))
        self.vectors.fit(self._of(columns, "text"))
        self.bags.fit(self._of(columns, *SEVERAL), weight)
        self.field_features_ = np.array(
            [
                *self._where("number"),
                *np.repeat(self._where("steps"), self.n_channels_ or 0),
                *np.repeat(self._where("datetime"), self.datetimes.n_parts_),
                *self._where("category"),
                *(self._where("text") if self.vectors.sizes_ else []),
                *self._where(*SEVERAL),
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
        codes : dict of ndarray or Ragged
            What the network's tokens read: see the encoders of the single kinds.
        """
        codes: Codes = {}
        if self.numbers.n_columns_:
            n_rows = len(columns[0])
            codes.update(self.numbers.transform(self._numbers(columns), n_rows, dtype))
        if "category" in self.kinds:
            codes["category"] = self.categories.transform(self._of(columns, "category"))
        if self.vectors.sizes_:
            codes["vector"] = self.vectors.transform(self._of(columns, "text"), dtype)
        if self.n_bags_:
            fields = self.bags.transform(self._of(columns, *SEVERAL), dtype)
            codes["bag"] = side_by_side(fields)
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
        codes : dict of ndarray or Ragged
            As `transform` returns them; fields of several tokens have none.
        """
        codes: Codes = {}
        if self.numbers.n_columns_:
            nothing = np.full(n_rows, np.nan)
            numbers = repeat(nothing, self.numbers.n_columns_)
            codes.update(self.numbers.transform(numbers, n_rows, dtype))
        if "category" in self.kinds:
            n_columns = len(self.categories.cardinalities_)
            codes["category"] = np.zeros((n_rows, n_columns), dtype=np.int32)
        if self.n_bags_:
            parts = {"id": np.zeros(0, dtype=np.intp), "value": np.zeros(0, dtype=dtype)}
            codes["bag"] = side_by_side([(np.zeros(n_rows, dtype=np.intp), parts)] * self.n_bags_)
        return codes

    @property
    def is_sparse_(self) -> bool:
        """Whether the table is a sparse matrix: one field, each of whose tokens is a feature."""
        return "sparse" in self.kinds

    @property
    def is_ordered_(self) -> bool:
        """Whether there are words, items or steps, which follow each other."""
        return any(kind in self.kinds for kind in ("text", "sequence", "steps"))

    @property
    def n_bags_(self) -> int:
        """Number of fields that hold several tokens."""
        return len(self._where(*SEVERAL))

    def _where(self, *kinds: Kind) -> list[int]:
        return [position for position, own in enumerate(self.kinds) if own in kinds]

    def _of(self, columns: Sequence[Column], *kinds: Kind) -> list[Column]:
        return [columns[position] for position in self._where(*kinds)]

    def _numbers(self, columns: Sequence[Column]) -> Iterator[NDArray[np.float64]]:
        """Yield the numbers of one field after the other: no second table is ever held."""
        for column in self._of(columns, "number"):
            yield column.as_numbers()
        for column in self._of(columns, "steps"):
            for channel in range(self.n_channels_ or 0):
                yield Column(column.name, column.values[:, channel]).as_numbers()
        yield from self.datetimes.transform(self._of(columns, "datetime"))
