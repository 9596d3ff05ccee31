"""Towers that add up what each token says.

Shapes: B batch, T tokens, D embedding_dim, K tasks, R readers of a task, C outputs, N tokens of a
field in all rows.
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
        values : Tensor of shape (B, T, D) or (B, Q, T, D)
            Values of the tokens, or of those that each query makes.
        weights : Tensor of shape (B, K, R, T)
            Attention weights of the readers of each task.
        """
        return _exact_einsum("bkrct,bkrt->bkct", self._effects(values), self.gates(weights))

    def forward(self, values: Tensor, weights: Tensor) -> Tensor:
        """Return outputs (B, K, C); classes a task has not get -inf.

        Parameters
        ----------
        values : Tensor of shape (B, T, D) or (B, Q, T, D)
            Values of the tokens, or of those that each query makes.
        weights : Tensor of shape (B, K, R, T)
            Attention weights of the readers of each task.
        """
        added = _exact_einsum("bkrct,bkrt->bkc", self._effects(values), self.gates(weights))
        outputs = added + self.bias
        return outputs.masked_fill(self.absent, -torch.inf) if self.ragged else outputs

    def within(self, values: Tensor, gates: Tensor, token: int) -> Tensor:
        """Return what parts of one token would add to each output, if each were all of it.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Values of the parts.
        gates : Tensor of shape (N, K, R)
            `gates` of the token they are part of.
        token : int
            Which of the T tokens that is.

        Returns
        -------
        effects : Tensor of shape (N, K, C)
            In the mean of the parts, by their shares: what the token adds.
        """
        effects = (values @ self.weight[token].to(values.dtype)).to(self.bias.dtype)
        return _exact_einsum("nkrc,nkr->nkc", effects.view(-1, *self.size), gates)

    def gates(self, weights: Tensor) -> Tensor:
        """Return what attention weights (B, K, R, T) are multiplied with effects as."""
        return weights * (weights.shape[-1] / self.size[1])

    def _effects(self, values: Tensor) -> Tensor:
        """Return what each token would add with a gate of 1 (B, K, R, C, T)."""
        n_tokens, dim, _ = self.weight.shape
        n_lists = 1 if values.ndim == 3 else values.shape[1]
        lists = values.view(-1, n_lists, n_tokens, dim).permute(2, 1, 0, 3).flatten(0, 1)  # TQ B D
        weight = self.weight.view(n_tokens, dim, n_lists, -1).transpose(1, 2).flatten(0, 1)
        effects: Tensor = torch.bmm(lists, weight.to(values.dtype)).to(self.bias.dtype)
        effects = effects.unflatten(0, (n_tokens, n_lists)).permute(2, 1, 3, 0)  # B Q KRC/Q T
        return effects.reshape(len(effects), *self.size, n_tokens)


def _exact_einsum(equation: str, *operands: Tensor) -> Tensor:
    """Sum in the operands' own precision, whatever autocast says: contributions must add up."""
    with torch.autocast(operands[0].device.type, enabled=False):
        return torch.einsum(equation, *operands)
