"""Layers of a parameter-efficient ensemble.

Shapes: B batch, K tasks, M members, E inputs, H hidden units, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.layers import uniform_


class MemberInput(nn.Module):
    r"""One linear layer that each member reads through its own scale: :math:`W (r_m \odot x) + b`.

    Scaling the inputs of a shared layer is the same as scaling its columns,
    :math:`W (r_m \odot x) = (W \,\mathrm{diag}(r_m))\, x`, so all members together are one matrix
    product of the size M x H by E, and no input is copied per member.

    Parameters
    ----------
    n_members : int
        M.
    n_inputs : int
        E.
    n_hidden : int
        H.
    generator : torch.Generator
        Source of the initial weights and of the scales, which are normal.
    """

    def __init__(
        self, n_members: int, n_inputs: int, n_hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(n_members, 1, n_inputs))
        nn.init.normal_(self.scale, generator=generator)
        self.weight = nn.Parameter(torch.empty(n_hidden, n_inputs))
        uniform_(self.weight, n_inputs, generator)
        self.bias = nn.Parameter(torch.zeros(n_hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K, M, H) of the inputs ``x`` (B, K, E).

        Clearly fewer rows than hidden units are cheaper to scale than the weight is
        (docs/decisions/0006-members-as-one-product.md); the numbers agree up to rounding.
        """
        n_members, n_hidden = self.scale.shape[0], self.weight.shape[0]
        if x.shape[0] * x.shape[1] < 3 * n_hidden // 4:
            return F.linear(x.unsqueeze(-2) * self.scale.squeeze(1), self.weight, self.bias)
        weight = (self.scale * self.weight).flatten(0, 1)  # MH E
        hidden: Tensor = F.linear(x, weight, self.bias.repeat(n_members))
        return hidden.view(*hidden.shape[:-1], n_members, n_hidden)


class MemberOutput(nn.Module):
    """A linear output layer for every task and member.

    Parameters
    ----------
    n_members : int
        M.
    n_hidden : int
        H.
    n_outputs : sequence of int
        Outputs of each task; C is the largest.
    generator : torch.Generator
        Source of the initial weights.
    """

    absent: Tensor

    def __init__(
        self,
        n_members: int,
        n_hidden: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = torch.tensor(n_outputs)
        width = int(sizes.max())
        absent = torch.arange(width) >= sizes.unsqueeze(1)  # K C
        self.register_buffer("absent", absent.unsqueeze(1), persistent=False)
        self.ragged = bool(absent.any())
        self.weight = nn.Parameter(torch.empty(len(sizes), n_members, n_hidden, width))
        uniform_(self.weight, n_hidden, generator)
        self.bias = nn.Parameter(torch.zeros(len(sizes), n_members, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K, M, C) of hidden units (B, K, M, H); classes a task has not get -inf."""
        outputs = torch.einsum("bkmh,kmhc->bkmc", x, self.weight.to(x.dtype))
        outputs = outputs.to(self.bias.dtype) + self.bias
        return outputs.masked_fill(self.absent, -torch.inf) if self.ragged else outputs
