"""Causal self attention over a history.

Shapes: B histories, L tokens, D embedding_dim, H heads, N targets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.attention import merge_heads, split_heads
from sk_attention.nn.layers import Dropout, linear

from .recency import Moments, Recency


class HistoryBlock(nn.Module):
    r"""A pre-norm Transformer block that looks back only.

    .. math:: h = x + W_o\,\mathrm{MHA}(\mathrm{LN}(x)), \qquad
              y = h + W_2\,\mathrm{gelu}(W_1 \mathrm{LN}(h))

    where a head reads token *j* from token :math:`i \ge j` with the weight
    :math:`\mathrm{softmax}_j(q_i \cdot k_j / \sqrt{D / H} + b_{ij})`; the bias *b* says how long
    ago that was, in events and in time [1]_.

    Parameters
    ----------
    embedding_dim : int
        D, a multiple of ``n_heads``.
    n_heads : int
        H.
    dropout : float
        Share of what each step adds that is dropped in training.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Zhai et al., "Actions speak louder than words: trillion-parameter sequential transducers
       for generative recommendations", ICML 2024.
    """

    def __init__(
        self, embedding_dim: int, n_heads: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_attention = nn.LayerNorm(embedding_dim)
        self.query_key_value = linear(embedding_dim, 3 * embedding_dim, generator)
        self.out = linear(embedding_dim, embedding_dim, generator)
        self.norm_hidden = nn.LayerNorm(embedding_dim)
        self.expand = linear(embedding_dim, 4 * embedding_dim, generator)
        self.contract = linear(4 * embedding_dim, embedding_dim, generator)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, bias: Any) -> Tensor:
        """Return tokens (B, L, D); ``bias`` (B, H, L, L) or (H, L, L) is -inf for later ones."""
        tokens = tokens + self.dropout(self.out(self.mixed(tokens, bias)))
        hidden = F.gelu(self.expand(self.norm_hidden(tokens)))
        out: Tensor = tokens + self.dropout(self.contract(self.dropout(hidden)))
        return out

    def mixed(self, tokens: Tensor, bias: Any) -> Tensor:
        """Return what tokens (B, L, D) read, the heads side by side."""
        query, key, value = self._heads(tokens)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return merge_heads(mixed)

    def weights(self, tokens: Tensor, bias: Any) -> Tensor:
        """Return the attention weights (B, H, L, L) of the same step."""
        query, key, _ = self._heads(tokens)
        similarity = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return torch.softmax(similarity.float() + bias, dim=-1)

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.query_key_value(self.norm_attention(tokens)).chunk(3, dim=-1)
        query, key, value = (split_heads(part, self.n_heads) for part in parts)
        return query, key, value


class SelfReading(nn.Module):
    """A stack of `HistoryBlock`, whose tokens say at the end what may come next.

    Parameters
    ----------
    embedding_dim : int
        D, a multiple of ``n_heads``.
    n_heads : int
        H.
    n_layers : int
        Blocks.
    dropout : float
        Of each block.
    recency : Recency
        Biases that the blocks share.
    generator : torch.Generator
        Source of the initial weights.
    """

    block: type[HistoryBlock] = HistoryBlock

    def __init__(
        self,
        embedding_dim: int,
        n_heads: int,
        n_layers: int,
        dropout: float,
        recency: Recency,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.recency = recency
        self.blocks = nn.ModuleList(
            self.block(embedding_dim, n_heads, dropout, generator) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(embedding_dim)

    def forward(self, tokens: Tensor, moments: Moments, position: Tensor) -> Tensor:
        """Return what tokens (B, L, D) became at each ``position`` (N, D) of the flat B x L."""
        bias = self._biases(moments)
        for block in self.blocks:
            tokens = block(tokens, bias)
        hidden: Tensor = self.norm(tokens.flatten(0, 1)[position])
        return hidden

    def weights(self, tokens: Tensor, moments: Moments, position: Tensor) -> Tensor:
        """Return where the last block looks from each ``position`` (N, L), the mean over heads."""
        bias = self._biases(moments)
        *earlier, last = self.blocks
        for block in earlier:
            tokens = block(tokens, bias)
        assert isinstance(last, HistoryBlock)
        return last.weights(tokens, bias).mean(dim=1).flatten(0, 1)[position]

    def _biases(self, moments: Moments) -> Any:
        """Return what the blocks take beside the tokens."""
        return self.recency(moments.everywhere())
