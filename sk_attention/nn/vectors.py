"""Fields that come as vectors.

Shapes: B batch, F fields, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import linear


class VectorTokens(nn.Module):
    r"""A linear layer per field: :math:`\text{token}_f = W_f\, v_f + b_f`.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of each field's vector.
    embedding_dim : int
        D.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self, sizes: Sequence[int], embedding_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.layers = nn.ModuleList(linear(size, embedding_dim, generator) for size in sizes)

    def forward(self, vector: Tensor) -> Tensor:
        """Return tokens (B, F, D) of the fields' vectors, side by side in ``vector``."""
        parts = vector.split(self.sizes, dim=1)
        tokens = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        return torch.stack(tokens, dim=1)
