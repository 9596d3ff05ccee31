"""Towers on one vector per task.

Shapes: B batch, K tasks, E inputs, M members, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sk_attention.nn.layers import Dropout, linear

from .members import MemberInput, MemberOutput


class PooledTowers(nn.Module):
    """A parameter-efficient ensemble of MLPs on what was read, without the tokens themselves.

    As in `GatedTowers`, members differ by an elementwise scale of the input and by their output
    layers.

    Parameters
    ----------
    n_inputs : int
        E.
    n_members : int
        M.
    n_outputs : sequence of int
        Outputs of each task.
    hidden_layer_sizes : sequence of int
        Hidden units of each layer, at least one layer.
    dropout : float
        Share of the hidden units dropped in training.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self,
        n_inputs: int,
        n_members: int,
        n_outputs: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.first = MemberInput(n_members, n_inputs, hidden_layer_sizes[0], generator)
        self.hidden = nn.ModuleList(
            linear(n_in, n_out, generator) for n_in, n_out in pairwise(hidden_layer_sizes)
        )
        self.dropout = Dropout(dropout)
        self.last = MemberOutput(n_members, hidden_layer_sizes[-1], n_outputs, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (B, K, M, C) of inputs (B, K, E)."""
        x = self.dropout(torch.relu_(self.first(x)))  # B K M H
        for layer in self.hidden:
            x = self.dropout(torch.relu_(layer(x)))
        outputs: Tensor = self.last(x)
        return outputs
