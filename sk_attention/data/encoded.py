"""A table as a network reads it: codes, labels and weights, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ragged import Ragged
from .targets import EncodedTargets


@dataclass(frozen=True)
class EncodedTable:
    """Rows to learn from.

    Attributes
    ----------
    codes : mapping of str to ndarray of shape (n_rows, n_fields of a kind), or Ragged
        What the network's tokens read.
    targets : EncodedTargets
        What the losses read.
    weight : ndarray of shape (n_rows,) or (n_rows, n_tasks), dtype float64
        Weights of the rows, or of their labels.
    """

    codes: Mapping[str, NDArray[Any] | Ragged]
    targets: EncodedTargets
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, rows: NDArray[np.intp]) -> EncodedTable:
        """Return some of the rows.

        Parameters
        ----------
        rows : ndarray of int
            Their positions.

        Returns
        -------
        table : EncodedTable
            Copies.
        """
        codes = {name: values[rows] for name, values in self.codes.items()}
        return EncodedTable(codes, self.targets.take(rows), self.weight[rows])


def merge_equal_rows(table: EncodedTable) -> EncodedTable:
    """Make one row of all rows with equal codes and labels, and put the rows in an order of theirs.

    What comes out is the same whether a row was given twice or with twice the weight, and in
    whatever order.

    Parameters
    ----------
    table : EncodedTable
        Rows with a weight each.

    Returns
    -------
    merged : EncodedTable
        Distinct rows, sorted; their weights are sums.
    """
    codes = [own.padded() if isinstance(own, Ragged) else own for own in table.codes.values()]
    parts = [*codes, table.targets.values, table.targets.observed]
    cells = np.column_stack([part.astype(np.float64) for part in parts])
    _, first, merged = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    rows = table.take(first)
    weight = np.bincount(merged.ravel(), weights=table.weight).astype(np.float64)
    return EncodedTable(rows.codes, rows.targets, weight)
