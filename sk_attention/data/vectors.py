"""Columns whose cells are ready vectors, such as those of a text encoder -> numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import DTypeLike, NDArray

from sk_attention._labels import is_missing

from .columns import Column


def holds_vectors(column: Column) -> bool:
    """Whether the cells of a column are lists or arrays.

    Parameters
    ----------
    column : Column
        Any column.

    Returns
    -------
    vectors : bool
        False where all cells are missing.
    """
    values = column.values
    if isinstance(values, nw.Series) and values.dtype in (nw.List, nw.Array):
        return True
    dtype = values.dtype
    if dtype not in (nw.Object, nw.Unknown) and getattr(dtype, "kind", "") != "O":
        return False
    cells = values if isinstance(values, np.ndarray) else values.to_numpy()
    return isinstance(next((cell for cell in cells if _is_there(cell)), None), _VECTORS)


_VECTORS = (list, tuple, np.ndarray)


def _is_there(cell: Any) -> bool:
    return isinstance(cell, _VECTORS) or not is_missing(np.array([cell], dtype=object))[0]


class VectorEncoder:
    """Vectors of one length in each column, side by side.

    Each column is centred and divided by one number, so that its entries have the variance 1 in the
    mean; the directions between vectors stay as they are. A missing vector is the mean, 0.

    Attributes
    ----------
    sizes_ : list of int
        Length of the vectors of each column.
    """

    sizes_: list[int]

    def fit(self, columns: Sequence[Column]) -> VectorEncoder:
        """Learn lengths, means and scales.

        Parameters
        ----------
        columns : sequence of Column
            Columns of vectors.

        Returns
        -------
        self : VectorEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a cell is no vector of finite numbers, or lengths differ within a column.
        """
        self.sizes_, self._means, self._scales = [], [], []
        for column in columns:
            vectors = _stacked(column, None)
            vectors = vectors[np.isfinite(vectors).all(axis=1)]
            mean = vectors.mean(axis=0)
            scale = float(np.sqrt(((vectors - mean) ** 2).mean()))
            self.sizes_.append(vectors.shape[1])
            self._means.append(mean)
            self._scales.append(scale if scale > 0 else 1.0)
        return self

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> NDArray[Any]:
        """Return the vectors of all columns side by side.

        Parameters
        ----------
        columns : sequence of Column
            Columns of vectors.
        dtype : dtype
            Of the result.

        Returns
        -------
        vectors : ndarray of shape (n_rows, n_numbers)
            0 where a vector is missing.
        """
        parts = []
        known = zip(columns, self.sizes_, self._means, self._scales, strict=True)
        for column, size, mean, scale in known:
            parts.append(np.nan_to_num((_stacked(column, size) - mean) / scale).astype(dtype))
        return np.concatenate(parts, axis=1)


def _stacked(column: Column, size: int | None) -> NDArray[np.float64]:
    """Return (n_rows, size), NaN where a vector is missing."""
    values = column.values
    cells = values.to_list() if isinstance(values, nw.Series) else list(values)
    there = [row for row, cell in enumerate(cells) if _is_there(cell)]
    try:
        vectors = [np.asarray(cells[row], dtype=np.float64) for row in there]
    except (TypeError, ValueError) as error:
        raise ValueError(f"Feature {column.name!r} holds vectors of numbers: {error}.") from error
    size = len(vectors[0]) if size is None else size
    for row, vector in zip(there, vectors, strict=True):
        if vector.shape != (size,) or not np.isfinite(vector).all():
            raise ValueError(
                f"Feature {column.name!r} holds vectors of {size} finite numbers each; the one in "
                f"row {row} is of the shape {vector.shape}"
                f"{'' if np.isfinite(vector).all() else ' and not finite'}."
            )
    out = np.full((len(cells), size), np.nan)
    if there:
        out[there] = vectors
    return out
