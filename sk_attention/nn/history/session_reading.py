"""Attention in two steps: within each session of a history, then across the sessions.

Shapes: B histories, L tokens, T moments, H heads, S sessions, D embedding_dim.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.attention import merge_heads, split_heads
from sk_attention.nn.layers import linear

from .recency import Moments, Recency, bounded
from .self_reading import HistoryBlock, SelfReading


class TwoLevels(NamedTuple):
    """Which tokens form a session, and how long ago each token and each session was."""

    within: Tensor  # (B, H, T, L) or (H, T, L), -inf for tokens that come later
    across: Tensor  # B H T S
    member: Tensor  # B 1 L S, 1 where a token is of a session


def session_numbers(session: Tensor) -> Tensor:
    """Return the number of the run of equal entries that each entry of a row belongs to.

    Parameters
    ----------
    session : Tensor of shape (B, L)
        Equal for successive tokens of one session.

    Returns
    -------
    numbers : Tensor of shape (B, L), dtype int64
        From 0 on.
    """
    begins = (session[:, 1:] != session[:, :-1]).long()
    return F.pad(begins, (1, 0)).cumsum(1)


def two_level_weights(within: Tensor, across: Tensor, levels: TwoLevels) -> Tensor:
    r"""Return the product of the weights of sessions and of the tokens within them [1]_.

    .. math:: \alpha_{tj} = \beta_{t s(j)}\, a_{tj}, \qquad
              a_{tj} = \frac{e^{x_{tj}}}{\sum_{i \in s(j)} e^{x_{ti}}}, \qquad
              \beta_{ts} = \mathrm{softmax}_s\Big(\log \sum_{j \in s} e^{x_{tj}} + c_{ts} +
              \sum_{j \in s} a_{tj}\, y_{tj}\Big)

    The sums go over tokens that do not come later than *t*. A session asks to be read by how much
    its tokens ask for, and by what was read within it. Where *c* and *y* are 0, this is the softmax
    of x over all tokens.

    Parameters
    ----------
    within : Tensor of shape (B, H, T, L)
        Products of queries and keys; x is their sum with ``levels.within``.
    across : Tensor of shape (B, H, T, L)
        y, products of other queries and keys.
    levels : TwoLevels
        Sessions; its ``across`` is c.

    Returns
    -------
    weights : Tensor of shape (B, H, T, L)
        Rows sum to 1; 0 for tokens that come later.

    References
    ----------
    .. [1] Ying et al., "Sequential recommender system based on hierarchical attention network",
       IJCAI 2018.
    """
    member = levels.member
    near = bounded(levels.within).exp() * (levels.within > -torch.inf)
    share = bounded(within).exp() * near
    size = share @ member  # B H T S
    # 1 instead of 0 for sessions yet to come, of which no token has a share
    token_share = share / (size @ member.mT).masked_fill(near == 0, 1.0)
    pooled = (token_share * across) @ member
    to_come = size == 0
    session = size.masked_fill(to_come, 1.0).log() + levels.across + pooled
    session = session.masked_fill(to_come, -torch.inf)
    return token_share * (torch.softmax(session, dim=-1) @ member.mT)


class SessionBlock(HistoryBlock):
    """A `HistoryBlock` that reads each session, then weighs the sessions: `two_level_weights`.

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
    """

    def __init__(
        self, embedding_dim: int, n_heads: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__(embedding_dim, n_heads, dropout, generator)
        self.query_key_across = linear(embedding_dim, 2 * embedding_dim, generator)
        # attention begins as if there were no sessions: random ones hide the tokens that tell most
        nn.init.zeros_(self.query_key_across.weight[:embedding_dim])

    def mixed(self, tokens: Tensor, bias: TwoLevels) -> Tensor:
        """Return what tokens (B, L, D) read, the heads side by side."""
        _, _, value = self._heads(tokens)
        return merge_heads(self.weights(tokens, bias).to(value.dtype) @ value)

    def weights(self, tokens: Tensor, bias: TwoLevels) -> Tensor:
        """Return the attention weights (B, H, L, L) of the same step."""
        query, key, _ = self._heads(tokens)
        parts = self.query_key_across(self.norm_attention(tokens)).chunk(2, dim=-1)
        query_across, key_across = (split_heads(part, self.n_heads) for part in parts)
        scale, dtype = query.shape[-1] ** -0.5, bias.across.dtype
        within = (query @ key.mT * scale).to(dtype)
        across = (query_across @ key_across.mT * scale).to(dtype)
        with torch.autocast(tokens.device.type, enabled=False):
            return two_level_weights(within, across, bias)


class SessionReading(SelfReading):
    """A stack of `SessionBlock`.

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
        Biases of the tokens within their session, which the blocks share.
    generator : torch.Generator
        Source of the initial weights.
    """

    block: type[HistoryBlock] = SessionBlock

    def __init__(
        self,
        embedding_dim: int,
        n_heads: int,
        n_layers: int,
        dropout: float,
        recency: Recency,
        generator: torch.Generator,
    ) -> None:
        super().__init__(embedding_dim, n_heads, n_layers, dropout, recency, generator)
        # how many sessions ago: at most as many as events
        self.session_bias = nn.Parameter(torch.zeros_like(recency.lag_bias))
        by_gap = recency.gap_bias
        self.session_gap_bias = None if by_gap is None else nn.Parameter(torch.zeros_like(by_gap))

    def _biases(self, moments: Moments) -> TwoLevels:
        distances = moments.everywhere()
        assert moments.session is not None
        number = session_numbers(moments.session)
        member = F.one_hot(number).unsqueeze(1).to(self.session_bias.dtype)
        ago = number[:, :, None] - torch.arange(member.shape[-1], device=number.device)
        across = self.session_bias[ago.clamp(min=0)]  # B T S H
        if self.session_gap_bias is not None:
            assert distances.gaps is not None
            gaps = distances.gaps.gather(2, _latest_tokens(member))
            across = across + self.session_gap_bias[gaps]
        return TwoLevels(self.recency(distances), across.movedim(-1, -3), member)


def _latest_tokens(member: Tensor) -> Tensor:
    """Return which token of each session was the latest at each moment (B, T, S)."""
    steps = torch.arange(member.shape[2], device=member.device)
    last = (steps[:, None] * member[:, 0].long()).amax(1, keepdim=True)
    return torch.minimum(last, steps[:, None])
