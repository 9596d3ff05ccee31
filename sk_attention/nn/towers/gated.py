"""Towers that see every token, scaled by the task's attention.

Shapes: B batch, T tokens, D embedding_dim, K tasks, M members, E = T x D + D inputs of a tower,
H hidden units, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sk_attention.nn.layers import Dropout, linear

from .members import MemberInput, MemberOutput


class GatedTowers(nn.Module):
    r"""A parameter-efficient ensemble of MLPs on attention-gated tokens.

    The tower of task *i* reads :math:`[T \alpha_{i1} x_1, \dots, T \alpha_{iT} x_T, z]`: each token
    scaled by how much attention the task pays to it, relative to uniform attention, beside the
    representation *z* that all tasks share. Members differ by an elementwise scale of that input
    and by their output layers; the layers between are shared, as in TabM-mini [1]_.

    Parameters
    ----------
    n_tokens : int
        T.
    embedding_dim : int
        D.
    n_members : int
        M.
    n_outputs : sequence of int
        Outputs of each task: its number of classes, or 1 for a number.
    hidden_layer_sizes : sequence of int
        Hidden units of each layer, at least one layer.
    dropout : float
        Share of the hidden units dropped in training.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Gorishniy et al., "TabM: advancing tabular deep learning with parameter-efficient
       ensembling", ICLR 2025.
    """

    def __init__(
        self,
        n_tokens: int,
        embedding_dim: int,
        n_members: int,
        n_outputs: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        n_inputs = n_tokens * embedding_dim + embedding_dim
        self.first = MemberInput(n_members, n_inputs, hidden_layer_sizes[0], generator)
        self.hidden = nn.ModuleList(
            linear(n_in, n_out, generator) for n_in, n_out in pairwise(hidden_layer_sizes)
        )
        self.dropout = Dropout(dropout)
        self.last = MemberOutput(n_members, hidden_layer_sizes[-1], n_outputs, generator)

    def forward(self, tokens: Tensor, weights: Tensor, shared: Tensor) -> Tensor:
        """Return outputs (B, K, M, C).

        Parameters
        ----------
        tokens : Tensor of shape (B, T, D), (B, 1, T, D) or (B, K, T, D)
            Tokens of the rows, or of each task.
        weights : Tensor of shape (B, K, T)
            Attention weights of the tasks.
        shared : Tensor of shape (B, K, D)
            z, as each task sees it.
        """
        gate = (weights * weights.shape[-1]).to(tokens.dtype)
        tokens = tokens.unsqueeze(1) if tokens.ndim == 3 else tokens
        gated = (gate.unsqueeze(-1) * tokens).flatten(-2)  # B K TD
        x = self.first(torch.cat([gated, shared.to(gated.dtype)], dim=-1))  # B K M H
        x = self.dropout(torch.relu_(x))  # in place: what a layer writes is larger than it reads
        for layer in self.hidden:
            x = self.dropout(torch.relu_(layer(x)))
        outputs: Tensor = self.last(x)
        return outputs
