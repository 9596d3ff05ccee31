"""Self attention among many tokens that have no order, at a cost that is linear in their number.

Shapes: B batch, H heads, T tokens, D size of a head, P inducing points.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.attention import attend, attention_weights

from .self_attention import SelfAttentionBlock, SelfAttentionEncoder

N_POINTS = 16


class InducingBlock(SelfAttentionBlock):
    r"""A `SelfAttentionBlock` whose tokens meet in a few learned points.

    Each point :math:`p_r` of a head reads all tokens, and each token reads the points:

    .. math:: \alpha = \mathrm{softmax}(Q P^\top / \sqrt{D})\,\mathrm{softmax}(P K^\top / \sqrt{D})

    A product of two matrices whose rows sum to 1, so that those of :math:`\alpha` do; it is never
    formed. Inducing points are those of Set Transformers [1]_; here a point is its own key.

    Parameters
    ----------
    embedding_dim, n_heads, dropout, generator
        As for `SelfAttentionBlock`.

    References
    ----------
    .. [1] Lee et al., "Set Transformer: a framework for attention-based permutation-invariant
       neural networks", ICML 2019.
    """

    def __init__(
        self, embedding_dim: int, n_heads: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__(embedding_dim, n_heads, dropout, generator)
        self.points = nn.Parameter(torch.empty(n_heads, N_POINTS, embedding_dim // n_heads))
        nn.init.normal_(self.points, generator=generator)

    def mix(self, query: Tensor, key: Tensor, value: Tensor, among: Any) -> Tensor:
        """Return what tokens (B, H, T, D) read; ``among`` (B, T) is True for real ones."""
        points = self.points.to(key.dtype).expand(len(key), -1, -1, -1)
        return attend(query, points, attend(points, key, value, among))

    def weigh(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weights (B, H, T, T) with which `mix` reads; ``mask`` is (B, 1, T)."""
        points = self.points.to(key.dtype)
        return attention_weights(query, points) @ attention_weights(points, key, mask)


class LinearBlock(SelfAttentionBlock):
    r"""A `SelfAttentionBlock` without a softmax: linear attention [1]_.

    .. math:: \alpha_{ij} = \frac{\phi(q_i) \cdot \phi(k_j)}{\sum_l \phi(q_i) \cdot \phi(k_l)},
              \qquad \phi(x) = \mathrm{elu}(x) + 1

    The sums over tokens, :math:`\sum_j \phi(k_j) v_j^\top` and :math:`\sum_j \phi(k_j)`, are the
    same for all that read, so that no weight is ever formed.

    Parameters
    ----------
    embedding_dim, n_heads, dropout, generator
        As for `SelfAttentionBlock`.

    References
    ----------
    .. [1] Katharopoulos et al., "Transformers are RNNs: fast autoregressive transformers with
       linear attention", ICML 2020.
    """

    def mix(self, query: Tensor, key: Tensor, value: Tensor, among: Any) -> Tensor:
        """Return what tokens (B, H, T, D) read; ``among`` (B, T) is True for real ones."""
        mask = None if among is None else among.unsqueeze(-2)
        asked, told = _feature(query), _masked(_feature(key), mask)
        total = asked @ told.sum(-2).unsqueeze(-1)  # B H T 1
        mixed = asked @ (told.mT @ value.to(told.dtype))
        return (mixed / total.clamp(min=torch.finfo(total.dtype).tiny)).to(value.dtype)

    def weigh(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weights (B, H, T, T) with which `mix` reads; ``mask`` is (B, 1, T)."""
        shares = _feature(query) @ _masked(_feature(key), mask).mT
        total = shares.sum(-1, keepdim=True)
        return shares / total.clamp(min=torch.finfo(total.dtype).tiny)


def _feature(x: Tensor) -> Tensor:
    return F.elu(x.to(torch.promote_types(x.dtype, torch.float32))) + 1.0


def _masked(told: Tensor, mask: Tensor | None) -> Tensor:
    """Put 0 in the place of keys that ``mask`` (B, 1, T) says are padding."""
    return told if mask is None else told * mask.unsqueeze(-1)


EFFICIENT: dict[str, type[SelfAttentionBlock]] = {"inducing": InducingBlock, "linear": LinearBlock}


def unordered_encoder(
    embedding_dim: int,
    n_heads: int,
    n_layers: int,
    dropout: float,
    efficient: str | None,
    generator: torch.Generator,
) -> SelfAttentionEncoder:
    """Return a stack of blocks for tokens that have no order.

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
    efficient : {"inducing", "linear"} or None
        How tokens look at each other; None for `SelfAttentionBlock`.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    encoder : SelfAttentionEncoder
        Takes tokens (B, T, D).
    """
    block = SelfAttentionBlock if efficient is None else EFFICIENT[efficient]
    return SelfAttentionEncoder(embedding_dim, n_heads, n_layers, dropout, generator, block)
