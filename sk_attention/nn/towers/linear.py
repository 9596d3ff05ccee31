"""Towers that are one linear layer on what a task reads.

Shapes: B batch, K tasks, D embedding_dim, C outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearTowers(nn.Module):
    r"""A linear layer on each task's own representation: :math:`o_i = U_i\,\mathrm{LN}(z_i)`.

    It starts at zero, and has no bias: it is added to the outputs of other towers. Through it a
    task's own loss, and no other, says what its representation should hold.

    Parameters
    ----------
    n_tasks : int
        K.
    embedding_dim : int
        D.
    n_outputs : int
        C, the most outputs of any task.
    """

    def __init__(self, n_tasks: int, embedding_dim: int, n_outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_tasks, embedding_dim, n_outputs))

    def forward(self, representation: Tensor) -> Tensor:
        """Return outputs (B, K, C) of normalised representations (B, K, D)."""
        return torch.einsum("bkd,kdc->bkc", representation, self.weight.to(representation.dtype))
