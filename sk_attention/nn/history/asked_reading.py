"""How an interaction that is asked about reads what came before it.

Shapes: B histories, L tokens, D embedding_dim, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_attention.nn.attention import merge_heads, split_heads
from sk_attention.nn.layers import linear


class AskedReading(nn.Module):
    r"""Attention whose query is all that is known of the interaction asked about.

    .. math:: \alpha_j = \mathrm{softmax}_j(q(c) \cdot k(x_j) / \sqrt{D / H} + b_j), \qquad
              z = \sum_j \alpha_j v(x_j)

    with *c* what is known of the interaction, :math:`x_j` the events' own tokens and :math:`b_j`
    how long ago they were: target attention as in [1]_, normalised.

    Parameters
    ----------
    embedding_dim : int
        D, a multiple of ``n_heads``.
    n_heads : int
        H.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018.
    """

    def __init__(self, embedding_dim: int, n_heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_asked = nn.LayerNorm(embedding_dim)
        self.norm_events = nn.LayerNorm(embedding_dim)
        self.query = linear(embedding_dim, embedding_dim, generator)
        self.key = linear(embedding_dim, embedding_dim, generator)
        self.value = linear(embedding_dim, embedding_dim, generator)

    def weights(self, asked: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return the weights (B, H, L, L) with which what is asked at each token reads the tokens.

        ``asked`` and ``tokens`` are (B, L, D); ``bias`` (B, H, L, L) or (H, L, L) is -inf for what
        comes later.
        """
        query = split_heads(self.query(self.norm_asked(asked)), self.n_heads)
        key = split_heads(self.key(self.norm_events(tokens)), self.n_heads)
        similarity = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return torch.softmax(similarity.to(bias.dtype) + bias, dim=-1)

    def forward(self, asked: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return what is read (B, L, D); arguments as those of `weights`."""
        value = split_heads(self.value(self.norm_events(tokens)), self.n_heads)
        return merge_heads(self.weights(asked, tokens, bias).to(value.dtype) @ value)
