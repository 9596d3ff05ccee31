"""Rows whose fields hold several tokens each, in any number, without padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Selection = slice | Tensor | NDArray[np.intp] | NDArray[np.bool_]


class Ragged:
    """The tokens of all rows, end to end: row by row, and field by field within a row.

    Parameters
    ----------
    length : Tensor of shape (n_rows, n_fields), dtype int64
        Tokens of each field of each row; there may be none. Rows that were chosen side by side are
        in as many dimensions, and no more of them can be chosen.
    parts : mapping of str to Tensor of shape (n_tokens, ...)
        What is known of each token.
    """

    def __init__(self, length: Tensor, parts: Mapping[str, Tensor]) -> None:
        self.length = length
        self.parts = dict(parts)
        end = length.sum(-1).flatten().cumsum(0)
        self._start = torch.cat([end.new_zeros(1), end])  # of each row, and the end of the last

    def __len__(self) -> int:
        return len(self.length)

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.length.device

    def to(self, device: str | torch.device) -> Ragged:
        """Return the same tokens on a device.

        Parameters
        ----------
        device : str or torch.device
            Where to.

        Returns
        -------
        ragged : Ragged
            The same object's tensors where they lie there already.
        """
        parts = {name: part.to(device) for name, part in self.parts.items()}
        return Ragged(self.length.to(device), parts)

    def __getitem__(self, rows: Selection) -> Ragged:
        """Return some of the rows, in the order and shape asked for; time goes by their tokens."""
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            assert step == 1
            tokens = slice(int(self._start[first]), int(self._start[max(first, last)]))
            parts = {name: part[tokens] for name, part in self.parts.items()}
            return Ragged(self.length[rows], parts)
        if isinstance(rows, np.ndarray):
            rows = torch.from_numpy(np.flatnonzero(rows) if rows.dtype == bool else rows)
        length = self.length[rows]
        total = length.sum(-1).flatten()
        before = total.cumsum(0) - total
        position = torch.repeat_interleave(self._start[:-1][rows].flatten() - before, total)
        position += torch.arange(len(position), device=self.device)
        return Ragged(length, {name: part[position] for name, part in self.parts.items()})

    def named(self, name: str) -> dict[str, Tensor]:
        """Return what a network reads: ``name_length``, and ``name_part`` for each part.

        Parameters
        ----------
        name : str
            Of the kind of field.

        Returns
        -------
        tensors : dict of Tensor
            Of these rows.
        """
        parts = {f"{name}_{part}": tensor for part, tensor in self.parts.items()}
        return {f"{name}_length": self.length, **parts}

    def padded(self) -> NDArray[np.float64]:
        """Return one row of numbers per row, to tell equal rows: meant for small tables.

        Returns
        -------
        cells : ndarray of shape (n_rows, n_cells), dtype float64
            Lengths, then the tokens of the row, then zeros.
        """
        total = self.length.sum(1).numpy()
        flat = [part.unsqueeze(-1).flatten(1).double().numpy() for part in self.parts.values()]
        tokens = np.concatenate(flat, axis=1)
        cells = np.zeros((len(self), int(total.max(initial=0)), tokens.shape[1]))
        cells[np.arange(cells.shape[1]) < total[:, None]] = tokens
        return np.column_stack([self.length.double().numpy(), cells.reshape(len(self), -1)])


def stacked(first: Any, second: Any) -> Any:
    """Return the rows of one table of codes, then those of another.

    Parameters
    ----------
    first, second : ndarray of shape (n_rows, ...), or Ragged
        Of the same fields.

    Returns
    -------
    both : ndarray or Ragged
        On the CPU.
    """
    if not isinstance(first, Ragged):
        return np.concatenate([first, second])
    parts = {name: torch.cat([part, second.parts[name]]) for name, part in first.parts.items()}
    return Ragged(torch.cat([first.length, second.length]), parts)


def equal_rows(first: Any, second: Any) -> bool:
    """Whether two tables of codes are the same.

    Parameters
    ----------
    first, second : ndarray of shape (n_rows, ...), or Ragged
        Of the same fields and rows.

    Returns
    -------
    equal : bool
        In every row.
    """
    if not isinstance(first, Ragged):
        return bool((first == second).all())
    parts = [(part, second.parts[name]) for name, part in first.parts.items()]
    return all(torch.equal(*both) for both in [(first.length, second.length), *parts])


def as_tensors(name: str, rows: Any, device: Any = None) -> dict[str, Tensor]:
    """Return rows of codes as a network reads them.

    Parameters
    ----------
    name : str
        Of the kind of field.
    rows : ndarray, Tensor or Ragged
        Codes.
    device : torch.device or str, default=None
        Where to; None leaves tensors where they are.

    Returns
    -------
    tensors : dict of Tensor
        One, or several for a `Ragged`.
    """
    if isinstance(rows, Ragged):
        return (rows if device is None else rows.to(device)).named(name)
    if isinstance(rows, np.ndarray):
        rows = np.ascontiguousarray(rows)
    return {name: torch.as_tensor(rows, device=device)}


def side_by_side(
    fields: Sequence[tuple[NDArray[np.intp], Mapping[str, NDArray[Any]]]],
) -> Ragged:
    """Return fields that were encoded one by one as one `Ragged`.

    Parameters
    ----------
    fields : sequence of (length, parts)
        Tokens of each row, an array of shape (n_rows,), and what is known of the tokens, end to
        end; the parts have the same names in all fields.

    Returns
    -------
    ragged : Ragged
        On the CPU.
    """
    lengths = np.column_stack([length for length, _ in fields])
    names = list(fields[0][1])
    parts = {name: np.concatenate([part[name] for _, part in fields]) for name in names}
    if len(fields) > 1:
        rows = np.concatenate([np.repeat(np.arange(len(own)), own) for own, _ in fields])
        order = np.argsort(rows, kind="stable")
        parts = {name: part[order] for name, part in parts.items()}
    tensors = {name: torch.from_numpy(part) for name, part in parts.items()}
    return Ragged(torch.from_numpy(lengths.astype(np.int64)), tensors)
