"""Encoded rows as tensors on the device, taken in slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from .ragged import Ragged

Batch = tuple[dict[str, Tensor], Tensor]


class Rows(torch.utils.data.Dataset[Batch]):
    """Tensors of equal length that stay on their device.

    Parameters
    ----------
    inputs : mapping of str to Tensor or Ragged
        What the network reads, and ``weight`` for the loss; at least one. The tensors of ragged
        fields come out under names of their own, see `Ragged.named`.
    target : Tensor of shape (n_rows, ...), default=None
        What the loss compares with; None where there is no loss.
    """

    def __init__(self, inputs: Mapping[str, Tensor | Ragged], target: Tensor | None = None) -> None:
        self.inputs = dict(inputs)
        if target is None:
            first = next(iter(self.inputs.values()))
            target = torch.empty(len(first), 0, device=first.device)
        self.target = target

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        inputs: dict[str, Tensor] = {}
        for name, values in self.inputs.items():
            if isinstance(values, Ragged):
                inputs.update(values[rows].named(name))
            else:
                inputs[name] = values[rows]
        return inputs, self.target[rows]


class Slices:
    """Iterate over `Rows` in batches, each one slice or one gather per tensor.

    torch's DataLoader collates row by row in Python, which costs more than a small network's own
    work (benchmarks/speed/training_loop.py).

    Parameters
    ----------
    rows : Rows
        The encoded rows.
    batch_size : int, default=256
        Rows in a batch; the last may have fewer.
    shuffle : bool, default=False
        Whether each pass takes the rows in a new random order.
    generator : torch.Generator, default=None
        Source of the order, on the CPU.
    """

    def __init__(
        self,
        rows: Rows,
        batch_size: int = 256,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n_rows = len(self.rows)
        if not self.shuffle or n_rows <= self.batch_size:
            for start in range(0, n_rows, self.batch_size):
                yield self.rows[start : start + self.batch_size]
            return
        order = torch.randperm(n_rows, generator=self.generator).to(self.rows.target.device)
        for chosen in order.split(self.batch_size):
            yield self.rows[chosen]
