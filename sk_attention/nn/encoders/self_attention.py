"""Self attention across fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.attention import attend, attention_weights, merge_heads, split_heads
from sk_attention.nn.layers import Dropout, linear


class SelfAttentionBlock(nn.Module):
    r"""One pre-norm Transformer block.

    .. math:: h = x + W_o\,\mathrm{MHA}(\mathrm{LN}(x)), \qquad
              y = h + W_2\,\mathrm{gelu}(W_1 \mathrm{LN}(h))

    Multi-head self attention [1]_ with the normalisation before each step [2]_.

    Parameters
    ----------
    embedding_dim : int
        Size of a token, a multiple of ``n_heads``.
    n_heads : int
        Number of heads.
    dropout : float
        Share of the hidden units of the feed-forward step that is dropped in training.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Vaswani et al., "Attention is all you need", NeurIPS 2017.
    .. [2] Xiong et al., "On layer normalization in the Transformer architecture", ICML 2020.
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
        self.expand = linear(embedding_dim, 2 * embedding_dim, generator)
        self.contract = linear(2 * embedding_dim, embedding_dim, generator)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, token_mask: Any = None) -> Tensor:
        """Return tokens of the same shape (B, T, D), each having seen the real others."""
        query, key, value = self._split(tokens)
        mixed = self.mix(query, key, value, token_mask)
        tokens = tokens + self.out(merge_heads(mixed))
        hidden = self.dropout(F.gelu(self.expand(self.norm_hidden(tokens))))
        out: Tensor = tokens + self.contract(hidden)
        return out

    def mix(self, query: Tensor, key: Tensor, value: Tensor, among: Any) -> Tensor:
        """Return what tokens (B, H, T, D/H) read; ``among`` (B, T) is True for real ones."""
        return attend(query, key, value, among)

    def weights(self, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Return how much of each token (columns) goes to each (rows), (B, T, T): heads' mean."""
        query, key, _ = self._split(tokens)
        mask = None if token_mask is None else token_mask.unsqueeze(-2)
        return self.weigh(query, key, mask).mean(1)

    def weigh(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weights (B, H, T, T) with which `mix` reads; ``mask`` is (B, 1, T)."""
        return attention_weights(query, key, mask)

    def _split(self, tokens: Tensor) -> list[Tensor]:
        """Return queries, keys and values, each (B, H, T, D/H)."""
        parts = self.query_key_value(self.norm_attention(tokens)).chunk(3, dim=-1)
        return [split_heads(part, self.n_heads) for part in parts]


class SelfAttentionEncoder(nn.Module):
    """A stack of `SelfAttentionBlock`.

    Parameters
    ----------
    embedding_dim : int
        Size of a token, a multiple of ``n_heads``.
    n_heads : int
        Heads of each block.
    n_layers : int
        Number of blocks.
    dropout : float
        Dropout of each block.
    generator : torch.Generator
        Source of the initial weights.
    block : callable, default=SelfAttentionBlock
        Makes a block of ``embedding_dim``, ``n_heads``, ``dropout`` and ``generator``.
    """

    def __init__(
        self,
        embedding_dim: int,
        n_heads: int,
        n_layers: int,
        dropout: float,
        generator: torch.Generator,
        block: Callable[..., SelfAttentionBlock] = SelfAttentionBlock,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            block(embedding_dim, n_heads, dropout, generator) for _ in range(n_layers)
        )

    def forward(self, tokens: Tensor, token_mask: Any = None) -> Tensor:
        """Return tokens of the same shape (B, T, D), each having seen the real others."""
        for block in self.blocks:
            tokens = block(tokens, token_mask)
        return tokens

    def rollout(self, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        r"""Return from which tokens (columns) the encoded ones (rows) come, (B, T, T).

        Attention rollout [1]_: with :math:`A_l` the weights of block *l*, and half of every token
        its own, by way of the residual connection, the product
        :math:`\prod_l \tfrac12 (A_l + I)`, the last block leftmost. Rows sum to 1.

        References
        ----------
        .. [1] Abnar and Zuidema, "Quantifying attention flow in transformers", ACL 2020.
        """
        identity = torch.eye(tokens.shape[1], dtype=tokens.dtype, device=tokens.device)
        flow = identity.expand(len(tokens), -1, -1)
        for block in self.blocks:
            assert isinstance(block, SelfAttentionBlock)
            flow = (block.weights(tokens, token_mask).to(flow.dtype) + identity) / 2 @ flow
            tokens = block(tokens, token_mask)
        return flow
