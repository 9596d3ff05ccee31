"""Self attention among the tokens of lists that have an order.

Shapes: N tokens of all lists, H heads, Q queries, D embedding_dim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sk_attention.nn.layers import linear
from sk_attention.nn.local import Lists, local_attention, near_bias

from .list_attention import ListEncoder
from .self_attention import SelfAttentionBlock, SelfAttentionEncoder

# Tokens further away than that are as good as that far away.
FARTHEST = 64

# Optimisers with a step size of their own move every parameter by about the learning rate a step:
# at that pace a bias would hardly tell one distance from another after the hundreds of a fit.
BIAS_PACE = 10.0

# A span that is learned ends over so many tokens, and is that share of the window at first.
SPAN_RAMP = 8.0
FIRST_SPAN = 0.5


@dataclass(frozen=True)
class Nearness:
    """Which tokens of a list may read which.

    Attributes
    ----------
    window : int, default=64
        The largest distance; None for any.
    adaptive : bool, default=False
        Whether each head learns how much of the window it looks over.
    causal : bool, default=False
        Whether only earlier tokens are read.
    """

    window: int | None = FARTHEST
    adaptive: bool = False
    causal: bool = False


class LocalBlock(SelfAttentionBlock):
    r"""A `SelfAttentionBlock` whose tokens read those near them in their list.

    A head reads token *j* from token *i* of the same list with the weight

    .. math:: \alpha_{ij} = \frac{m(|i - j|)\, e^{q_i \cdot k_j / \sqrt{D / H} + b_{j - i}}}
              {\sum_{l} m(|i - l|)\, e^{q_i \cdot k_l / \sqrt{D / H} + b_{l - i}}},

    with a bias *b* learned for each relative position [1]_, and *m* 1 within the window and 0
    beyond. With a span that is learned, :math:`m(x) = \min(\max((R + z - x) / R, 0), 1)`, where
    each head learns its own *z* [2]_; the blocks that are computed shrink with the longest.

    Parameters
    ----------
    embedding_dim, n_heads, dropout, generator
        As for `SelfAttentionBlock`.
    nearness : Nearness
        Which tokens may read which.

    References
    ----------
    .. [1] Shaw, Uszkoreit and Vaswani, "Self-attention with relative position representations",
       NAACL 2018.
    .. [2] Sukhbaatar et al., "Adaptive attention span in transformers", ACL 2019.
    """

    def __init__(
        self,
        embedding_dim: int,
        n_heads: int,
        dropout: float,
        generator: torch.Generator,
        nearness: Nearness,
    ) -> None:
        super().__init__(embedding_dim, n_heads, dropout, generator)
        self.nearness = nearness
        farthest = min(nearness.window or FARTHEST, FARTHEST)
        self.bias = nn.Parameter(torch.zeros(n_heads, 2 * farthest + 1))
        self.span = nn.Parameter(torch.full((n_heads,), FIRST_SPAN)) if nearness.adaptive else None

    def mix(self, query: Tensor, key: Tensor, value: Tensor, among: Any) -> Tensor:
        """Return what tokens (1, H, N, D/H) read in the `Lists` ``among`` them."""
        near = self.near(among.longest)
        mixed = local_attention(query[0], key[0], value[0], among.number, near)
        return mixed.unsqueeze(0)

    def near(self, longest: int) -> Tensor:
        """Return what distances add to similarities (H, S, 3 S), for lists of so many tokens."""
        farthest = max(longest - 1, 1)
        window = min(self.nearness.window or farthest, farthest)
        if self.span is None:
            return near_bias(BIAS_PACE * self.bias, window, window, self.nearness.causal)
        assert self.nearness.window is not None
        span = self.span.clamp(0, 1) * self.nearness.window
        window = min(window, math.ceil(float(span.detach().max()) + SPAN_RAMP))
        near = near_bias(BIAS_PACE * self.bias, window, window, self.nearness.causal)
        index = torch.arange(3 * window, device=near.device)
        distance = (index - window - index[:window].unsqueeze(1)).abs()
        share = ((SPAN_RAMP + span[:, None, None] - distance) / SPAN_RAMP).clamp(max=1)
        within = share > 0
        return near + torch.where(within, share, 1.0).log().masked_fill(~within, -torch.inf)


def local_encoder(
    embedding_dim: int,
    n_heads: int,
    n_layers: int,
    dropout: float,
    nearness: Nearness,
    generator: torch.Generator,
) -> SelfAttentionEncoder:
    """Return a stack of `LocalBlock`.

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
    nearness : Nearness
        Which tokens may read which.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    encoder : SelfAttentionEncoder
        Takes tokens (1, N, D), and their `Lists` in the place of a mask.
    """
    block = partial(LocalBlock, nearness=nearness)
    return SelfAttentionEncoder(embedding_dim, n_heads, n_layers, dropout, generator, block)


class FieldContext(nn.Module):
    r"""What the words about a token say of how much a query should read it.

    Words become :math:`h_p` by self attention among those of their field, and add

    .. math:: a_{ip} = q_i \cdot W_k \mathrm{LN}(h_p) / \sqrt{D}

    to the scores that query *i* gives the tokens of word *p*. What is read of them stays their own.

    Parameters
    ----------
    encoder : SelfAttentionEncoder or ListEncoder
        Relates the words of a field, see `local_encoder`; in no order: `ListEncoder`.
    n_queries : int
        Q.
    embedding_dim : int
        D.
    sharpness : float
        Standard deviation of the initial queries.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self,
        encoder: SelfAttentionEncoder | ListEncoder,
        n_queries: int,
        embedding_dim: int,
        sharpness: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.query = nn.Parameter(torch.empty(n_queries, embedding_dim))
        nn.init.normal_(self.query, std=sharpness, generator=generator)
        self.norm = nn.LayerNorm(embedding_dim)
        self.key = linear(embedding_dim, embedding_dim, generator)

    def forward(self, words: Tensor, length: Tensor) -> Tensor:
        """Return scores (N, Q) of words (N, D), of which ``length`` (F,) are in each field."""
        encoded = self.encoder(words.unsqueeze(0), Lists.of_lengths(length)).squeeze(0)
        key = self.key(self.norm(encoded))
        scores: Tensor = key @ self.query.to(key.dtype).mT * key.shape[-1] ** -0.5
        return scores
