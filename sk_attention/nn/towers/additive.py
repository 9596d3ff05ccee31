"""Towers that add up what each token says.

Shapes: B batch, T tokens, D embedding_dim, K tasks, R readers of a task, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sk_attention.nn.layers import uniform_


class AdditiveTowers(nn.Module):
    r"""Linear towers with weights of their own for every token: outputs are sums over tokens.

    Reader *r* of task *i* gives token *j* the attention :math:`\alpha_{irj}`, of which uniform
    attention makes gates of 1, and reads its value :math:`v_j`:

    .. math:: o_i = b_i + \sum_j c_{ij}, \qquad
              c_{ij} = \frac1R \sum_r T \alpha_{irj}\, U_{irj}\, v_j

    Nothing but the value of token *j* and the attention paid to it enters :math:`c_{ij}`: given
    the attention, it is exactly what the token adds to the outputs, as in additive multiple
    instance learning [1]_. Several readers of a task let what a token adds depend on the others in
    several ways.

    Parameters
    ----------
    n_tokens : int
        T.
    embedding_dim : int
        D.
    n_readers : int
        R.
    n_outputs : sequence of int
        Outputs of each task: its number of classes, or 1 for a number.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Javed et al., "Additive MIL: intrinsically interpretable multiple instance learning for
       pathology", NeurIPS 2022.
    """

    absent: Tensor

    def __init__(
        self,
        n_tokens: int,
        embedding_dim: int,
        n_readers: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = torch.tensor(n_outputs)
        width = int(sizes.max())
        absent = torch.arange(width) >= sizes.unsqueeze(1)  # K C
        self.register_buffer("absent", absent, persistent=False)
        self.ragged = bool(absent.any())
        self.size = (len(sizes), n_readers, width)
        n_columns = len(sizes) * n_readers * width
        self.weight = nn.Parameter(torch.empty(n_tokens, embedding_dim, n_columns))
        uniform_(self.weight, n_tokens * embedding_dim, generator)
        self.bias = nn.Parameter(torch.zeros(len(sizes), width))

    def contributions(self, values: Tensor, weights: Tensor) -> Tensor:
        """Return what each token adds to each output (B, K, C, T).

        Parameters
        ----------
        values : Tensor of shape (B, T, D)
            Values of the tokens.
        weights : Tensor of shape (B, K, R, T)
            Attention weights of the readers of each task.
        """
        return torch.einsum("bkrct,bkrt->bkct", self._effects(values), self._gates(weights))

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """Return outputs (B, K, C); classes a task has not get -inf.

        Parameters
        ----------
        values : Tensor of shape (B, T, D)
            Values of the tokens.
        weights : Tensor of shape (B, K, R, T)
            Attention weights of the readers of each task.
        """
        added = torch.einsum("bkrct,bkrt->bkc", self._effects(values), self._gates(weights))
        outputs = added + self.bias
        return outputs.masked_fill(self.absent, -torch.inf) if self.ragged else outputs

    def _effects(self, values: Tensor) -> Tensor:
        """Return what each token would add with a gate of 1 (B, K, R, C, T)."""
        effects: Tensor = torch.bmm(values.transpose(0, 1), self.weight.to(values.dtype))  # T B KRC
        effects = effects.to(self.bias.dtype).permute(1, 2, 0)
        return effects.view(len(values), *self.size, -1)

    def _gates(self, weights: Tensor) -> Tensor:
        return weights * (weights.shape[-1] / self.size[1])
