"""Some columns of a table as codes under a name of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .columns import Column
from .fields import Codes, TableEncoder, field_kinds
from .numeric import BinEncoder
from .vectors import VectorEncoder, holds_vectors

MAX_BINS = 48


class ColumnGroup:
    """Columns that are read together: what an event was like, or what is known when asking.

    Parameters
    ----------
    name : str
        What the codes' names begin with: "<name>.bin", "<name>.category", ...
    positions : sequence of int
        Which columns of the table.
    categories : sequence of int, default=()
        Which of the columns are categories, whatever their dtype.
    texts : sequence of int, default=()
        Which of the columns are texts, read word by word.

    Attributes
    ----------
    places_ : dict of str to int
        Names of the columns, and where they stand in the table.
    encoder_ : TableEncoder
        The fitted encoder of the columns that hold single values.
    vectors_ : VectorEncoder
        That of the columns that hold vectors.
    """

    places_: dict[str, int]
    encoder_: TableEncoder
    vectors_: VectorEncoder

    def __init__(
        self,
        name: str,
        positions: Sequence[int],
        categories: Sequence[int] = (),
        texts: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.positions = list(positions)
        self.categories = list(categories)
        self.texts = list(texts)

    def __len__(self) -> int:
        return len(self.positions)

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> ColumnGroup:
        """Learn the codes; strings that are no texts are categories.

        Parameters
        ----------
        columns : sequence of Column
            All columns of the table.
        weight : ndarray of shape (n_rows,)
            Positive weights of the rows.

        Returns
        -------
        self : ColumnGroup
            The fitted group.
        """
        self.places_ = {columns[position].name: position for position in self.positions}
        vectors = [position for position in self.positions if holds_vectors(columns[position])]
        self._plain = [position for position in self.positions if position not in vectors]
        self._vectors = vectors
        self.vectors_ = VectorEncoder().fit([columns[position] for position in vectors])
        plain = [columns[position] for position in self._plain]
        bins = min(MAX_BINS, max(16, len(weight) // 30))
        categories, texts = (
            np.array([self._plain.index(position) for position in chosen], dtype=np.intp)
            for chosen in (self.categories, self.texts)
        )
        kinds = field_kinds(plain, categories, texts) if plain else []
        self.encoder_ = TableEncoder(kinds, BinEncoder(bins))
        if plain:
            self.encoder_.fit(plain, weight)
        return self

    def codes(self, columns: Sequence[Column], dtype: DTypeLike = np.float32) -> dict[str, Any]:
        """Return the codes of a table's rows.

        Parameters
        ----------
        columns : sequence of Column
            All columns of the table.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind), or Ragged
            Nothing for a group without columns.
        """
        codes: Codes = {}
        if self._plain:
            plain = [columns[position] for position in self._plain]
            codes |= self.encoder_.transform(plain, dtype)
        if self._vectors:
            vectors = [columns[position] for position in self._vectors]
            codes["vector"] = self.vectors_.transform(vectors, dtype)
        return self._named(codes)

    def codes_of_some(
        self, columns: Sequence[Column], n_rows: int, dtype: DTypeLike = np.float32
    ) -> dict[str, Any]:
        """Return the codes of rows of which some columns may not be known.

        Parameters
        ----------
        columns : sequence of Column
            What is known; the group's columns are found by their names.
        n_rows : int
            How many rows there are.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind), or Ragged
            What is not known is as `unknown` has it.
        """
        known = {
            self.places_[column.name]: column for column in columns if column.name in self.places_
        }
        if not known:
            return self.unknown(n_rows, dtype)
        nothing = np.full(n_rows, np.nan)
        table = [known.get(p, Column("", nothing)) for p in range(max(self.positions) + 1)]
        codes = self.codes(table, dtype)
        kinds = zip(self._plain, self.encoder_.kinds, strict=True)
        categories = [position for position, kind in kinds if kind == "category"]
        for place, position in enumerate(categories):
            if position not in known:  # a missing value may be a category of its own
                codes[f"{self.name}.category"][:, place] = 0
        return codes

    def unknown(self, n_rows: int, dtype: DTypeLike = np.float32) -> dict[str, Any]:
        """Return the codes of rows of which nothing is known.

        Parameters
        ----------
        n_rows : int
            How many.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind), or Ragged
            Numbers are missing, categories unseen, vectors 0, texts empty.
        """
        codes = self.encoder_.unknown(n_rows, dtype) if self._plain else {}
        if self._vectors:
            codes["vector"] = np.zeros((n_rows, self.n_numbers), dtype=dtype)
        return self._named(codes)

    @property
    def n_values(self) -> int:
        """How many columns hold single values."""
        return len(self._plain)

    @property
    def n_numbers(self) -> int:
        """How many numbers the vectors of a row hold."""
        return sum(self.vectors_.sizes_)

    def _named(self, codes: Codes) -> dict[str, Any]:
        return {f"{self.name}.{kind}": values for kind, values in codes.items()}
