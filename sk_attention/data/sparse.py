"""Sparse matrices -> bags of codes: each stored value is a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .columns import Column

Bag = tuple[NDArray[np.intp], dict[str, NDArray[Any]]]


class SparseEncoder:
    r"""The stored values of a row, each as the code of its column and a value.

    A value *v* of column *j* becomes :math:`\mathrm{sign}(v) \log_2(1 + |v| / s_j)`, where
    :math:`s_j` is the root mean square of the column's stored values in training: a typical value
    is 1, large ones are tamed, and a stored zero is as good as none. Columns that training never
    stored a value of are left out. Time and memory go by the number of stored values.

    Attributes
    ----------
    columns_ : ndarray of shape (n_codes,), dtype intp
        The column of each code, increasing.
    scale_ : ndarray of shape (n_codes,), dtype float64
        :math:`s_j`.
    prior_ : ndarray of shape (n_codes,), dtype float64
        How much a column stands out before anything is learned: 1 plus the logarithm of one over
        the share of rows that store it.
    """

    columns_: NDArray[np.intp]
    scale_: NDArray[np.float64]
    prior_: NDArray[np.float64]

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> SparseEncoder:
        """Learn the codes.

        Parameters
        ----------
        columns : sequence of one Column
            A CSR matrix of finite numbers, stored once per row and column.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : SparseEncoder
            The fitted encoder.
        """
        matrix = columns[0].values
        n_columns = matrix.shape[1]
        of_row = np.repeat(weight / weight.sum(), np.diff(matrix.indptr))
        of_row *= matrix.data != 0
        share = np.bincount(matrix.indices, of_row, n_columns)
        square = np.bincount(matrix.indices, of_row * np.square(matrix.data), n_columns)
        if not share.any():  # a code there must be
            share[0] = square[0] = 1.0
        self.columns_ = np.flatnonzero(share)
        share = share[self.columns_]
        self.scale_ = np.sqrt(square[self.columns_] / share)
        self.prior_ = 1.0 - np.log(np.minimum(share, 1.0))
        self._code = np.full(n_columns, -1, dtype=np.intp)
        self._code[self.columns_] = np.arange(len(self.columns_))
        return self

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> list[Bag]:
        """Return what each row stores.

        Parameters
        ----------
        columns : sequence of one Column
            A CSR matrix like that of fit, the columns of each row increasing.
        dtype : dtype
            Of the values.

        Returns
        -------
        bags : list of one (length, parts)
            ``length`` (n_rows,): tokens of each row. ``parts``, arrays of shape (n_tokens,):
            "id", the codes, and "value", the values.
        """
        matrix = columns[0].values
        code = self._code[matrix.indices]
        keep = (code >= 0) & (matrix.data != 0)
        n_rows = matrix.shape[0]
        row = np.repeat(np.arange(n_rows), np.diff(matrix.indptr))[keep]
        code, value = code[keep], matrix.data[keep]
        value = np.sign(value) * np.log2(1.0 + np.abs(value) / self.scale_[code])
        length = np.bincount(row, minlength=n_rows)
        return [(length, {"id": code, "value": value.astype(dtype, copy=False)})]
