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

    Attributes
    ----------
    encoder_ : TableEncoder
        The fitted encoder of the columns that hold single values.
    vectors_ : VectorEncoder
        That of the columns that hold vectors.
    """

    encoder_: TableEncoder
    vectors_: VectorEncoder

    def __init__(self, name: str, positions: Sequence[int], categories: Sequence[int] = ()) -> None:
        self.name = name
        self.positions = list(positions)
        self.categories = list(categories)

    def __len__(self) -> int:
        return len(self.positions)

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> ColumnGroup:
        """Learn the codes; strings are categories.

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
        vectors = [position for position in self.positions if holds_vectors(columns[position])]
        self._plain = [position for position in self.positions if position not in vectors]
        self._vectors = vectors
        self.vectors_ = VectorEncoder().fit([columns[position] for position in vectors])
        plain = [columns[position] for position in self._plain]
        bins = min(MAX_BINS, max(16, len(weight) // 30))
        categories = [self._plain.index(position) for position in self.categories]
        kinds = field_kinds(plain, np.array(categories, dtype=np.intp)) if plain else []
        self.encoder_ = TableEncoder(kinds, BinEncoder(bins))
        if plain:
            self.encoder_.fit(plain, weight)
        return self

    def codes(
        self, columns: Sequence[Column], dtype: DTypeLike = np.float32
    ) -> dict[str, NDArray[Any]]:
        """Return the codes of a table's rows.

        Parameters
        ----------
        columns : sequence of Column
            All columns of the table.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind)
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

    def unknown(self, n_rows: int, dtype: DTypeLike = np.float32) -> dict[str, NDArray[Any]]:
        """Return the codes of rows of which nothing is known.

        Parameters
        ----------
        n_rows : int
            How many.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind)
            Numbers are missing, categories unseen, vectors 0.
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

    def _named(self, codes: Codes) -> dict[str, NDArray[Any]]:
        plain: dict[str, NDArray[Any]] = {}
        for kind, values in codes.items():
            assert isinstance(values, np.ndarray)  # a group has no fields of several tokens
            plain[f"{self.name}.{kind}"] = values
        return plain
