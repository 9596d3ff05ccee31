"""The network of the recommender: a user's history -> scores of all items.

Shapes: B histories, L tokens, D embedding_dim, H heads, N targets, I items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import merge_heads, split_heads
from .layers import CodeDropout, Dropout, linear

# Gaps in time are told apart by half octaves, from 2 ** -10 to 2 ** 10 of the usual gap.
GAP_OCTAVES = 10
N_GAPS = 4 * GAP_OCTAVES + 1

# Share of the events that are hidden in training, to learn what an unknown item means.
UNKNOWN_SHARE = 0.02


def gap_codes(later: Tensor, earlier: Tensor, usual_gap: float) -> Tensor:
    r"""Return which bucket of a logarithmic scale the time between two events falls into.

    .. math:: \mathrm{round}\big(2 \log_2(\Delta t / \bar{\Delta}) + 2 o\big),

    clipped to the scale, with :math:`\bar{\Delta}` the usual gap and *o* the octaves of the scale
    to either side of it.

    Parameters
    ----------
    later, earlier : Tensor
        Times, of shapes that broadcast.
    usual_gap : float
        The unit of time.

    Returns
    -------
    codes : Tensor of dtype int64
        From 0 to N_GAPS - 1.
    """
    gap = (later - earlier).clamp(min=0) / usual_gap
    octave = gap.clamp(2.0**-GAP_OCTAVES, 2.0**GAP_OCTAVES).log2()
    return (2 * (octave + GAP_OCTAVES)).round().long()


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

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return tokens (B, L, D); ``bias`` (B, H, L, L) or (H, L, L) is -inf for later ones."""
        query, key, value = self._heads(tokens)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        tokens = tokens + self.dropout(self.out(merge_heads(mixed)))
        hidden = F.gelu(self.expand(self.norm_hidden(tokens)))
        out: Tensor = tokens + self.dropout(self.contract(self.dropout(hidden)))
        return out

    def weights(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return the attention weights (B, H, L, L) of the same step."""
        query, key, _ = self._heads(tokens)
        similarity = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return torch.softmax(similarity.float() + bias, dim=-1)

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.query_key_value(self.norm_attention(tokens)).chunk(3, dim=-1)
        query, key, value = (split_heads(part, self.n_heads) for part in parts)
        return query, key, value


class Scoring(NamedTuple):
    """What gives the scores of all items: hidden @ items.T + bias, never held at once."""

    hidden: Tensor  # N D
    items: Tensor  # I D
    bias: Tensor  # I


class HistoryNetwork(nn.Module):
    r"""Causal self attention over a history, and scores by the items' own vectors.

    The history becomes :math:`h`, and item *i* scores :math:`h \cdot e_i + b_i`, where
    :math:`e_i` is also the token of item *i* in the history [1]_. A learned token stands before
    the first event. Where times are known, what is asked is what comes next at a certain time:
    the time since then to each event biases the attention, and the time since the last event is
    added to its token.

    Parameters
    ----------
    n_items : int
        I; codes are 1 to I, 0 is an unknown item and I + 1 the start of a history.
    embedding_dim : int
        D.
    n_heads : int
        H.
    n_layers : int
        Blocks.
    dropout : float
        Of tokens and blocks.
    max_history : int
        L at the most.
    usual_gap : float or None
        Unit of time; None where times are not known.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        n_heads: int,
        n_layers: int,
        dropout: float,
        max_history: int,
        usual_gap: float | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_items, self.max_history, self.usual_gap = n_items, max_history, usual_gap
        self.embedding = nn.Parameter(torch.empty(n_items + 2, embedding_dim))
        nn.init.normal_(self.embedding, std=embedding_dim**-0.5, generator=generator)
        self.item_bias = nn.Parameter(torch.zeros(n_items))
        self.lag_bias = nn.Parameter(torch.zeros(max_history, n_heads))
        if usual_gap is not None:
            self.gap_bias = nn.Parameter(torch.zeros(N_GAPS, n_heads))
            self.gap_embedding = nn.Parameter(torch.zeros(N_GAPS, embedding_dim))
        self.hide = CodeDropout(UNKNOWN_SHARE)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            HistoryBlock(embedding_dim, n_heads, dropout, generator) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(embedding_dim)

    def forward(self, inputs: Mapping[str, Tensor]) -> Scoring:
        """Return what scores the items at each ``position`` of the tokens ``item`` (B, L)."""
        tokens, bias = self._tokens(inputs)
        for block in self.blocks:
            tokens = block(tokens, bias)
        hidden = self.norm(tokens.flatten(0, 1)[inputs["position"]])
        if torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
        return Scoring(hidden, self.embedding[1 : self.n_items + 1], self.item_bias)

    @property
    def representation_dim(self) -> int:
        """Size of `representation`."""
        return self.embedding.shape[1]

    def representation(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the vector of the history at each ``position`` (N, D)."""
        hidden: Tensor = self(inputs).hidden
        return hidden

    def attention(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where the last block looks from each ``position`` (N, L), the mean over heads."""
        tokens, bias = self._tokens(inputs)
        *earlier, last = self.blocks
        for block in earlier:
            tokens = block(tokens, bias)
        assert isinstance(last, HistoryBlock)
        return last.weights(tokens, bias).mean(dim=1).flatten(0, 1)[inputs["position"]]

    def _tokens(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        item = inputs["item"]
        steps = torch.arange(item.shape[1], device=item.device)
        lag = steps[:, None] - steps
        bias = self.lag_bias[lag.clamp(min=0)].permute(2, 0, 1)  # H L L
        tokens = F.embedding(self.hide(item), self.embedding) * self.embedding.shape[1] ** 0.5
        if self.usual_gap is not None:
            asked, time = inputs["asked"], inputs["time"]
            gaps = gap_codes(asked[:, :, None], time[:, None, :], self.usual_gap)
            bias = bias + self.gap_bias[gaps].permute(0, 3, 1, 2)  # B H L L
            last = gaps.diagonal(dim1=1, dim2=2)
            tokens = tokens + F.embedding(last, self.gap_embedding)
        return self.dropout(tokens), bias.masked_fill(lag < 0, -torch.inf)

    def rows_at_a_time(self) -> int:
        """Return how many windows to score at once."""
        return 64
