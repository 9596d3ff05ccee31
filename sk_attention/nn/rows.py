"""Rows of large tables, with gradients that hold those rows alone.

Shapes: R rows, D their size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def take_rows(table: Tensor, code: Tensor) -> Tensor:
    """Return rows of a table; its gradient is sparse, and costs as much as the rows taken.

    Where the table has a dense gradient from elsewhere too, the sum of both is dense.

    Parameters
    ----------
    table : Tensor of shape (R, ...)
        Rows, or single numbers.
    code : Tensor of dtype int64
        Which rows, of any shape.

    Returns
    -------
    rows : Tensor of shape (*code.shape, ...)
        The rows.
    """
    rows: Tensor = _TakeRows.apply(table, code)  # type: ignore[no-untyped-call]
    return rows


def inner_rows(table: Tensor) -> Tensor:
    """Return all rows but the first and the last; a sparse gradient stays sparse.

    Parameters
    ----------
    table : Tensor of shape (R, D)
        Rows.

    Returns
    -------
    rows : Tensor of shape (R - 2, D)
        A view of the table.
    """
    rows: Tensor = _InnerRows.apply(table)  # type: ignore[no-untyped-call]
    return rows


def whole(table: Tensor) -> Tensor:
    """Return the table itself; a sparse gradient becomes dense, for what the table was made by.

    Parameters
    ----------
    table : Tensor of shape (R, ...)
        Rows that were computed.

    Returns
    -------
    table : Tensor of the same shape
        A view.
    """
    same: Tensor = _Whole.apply(table)  # type: ignore[no-untyped-call]
    return same


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor) -> Tensor:
        return table.view_as(table)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        return grad.to_dense() if grad.is_sparse else grad


class _TakeRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, code: Tensor) -> Tensor:
        ctx.shape = table.shape
        ctx.save_for_backward(code)
        return table[code]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        (code,) = ctx.saved_tensors
        values = grad.reshape(-1, *ctx.shape[1:])
        return _sparse(code.reshape(1, -1), values, ctx.shape), None


class _InnerRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor) -> Tensor:
        ctx.shape = table.shape
        return table[1:-1]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        if grad.is_sparse:
            return _sparse(grad._indices() + 1, grad._values(), ctx.shape)
        return torch.nn.functional.pad(grad, (0, 0, 1, 1))


def _sparse(index: Tensor, values: Tensor, shape: torch.Size) -> Tensor:
    return torch.sparse_coo_tensor(index, values, shape, check_invariants=False)
