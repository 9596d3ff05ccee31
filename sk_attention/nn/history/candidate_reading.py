"""How a candidate reads a history: cross attention from an item to what the user did.

Shapes: B histories, L tokens, T moments, H heads, D size of a head, N targets, C candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sk_attention.nn.attention import merge_heads, split_heads
from sk_attention.nn.layers import linear

from .recency import Moments, Recency, bounded


class History(NamedTuple):
    """What candidates read: each event's own key and value, not mixed with others."""

    key: Tensor  # B H L D
    value: Tensor  # B H L D


class Candidates(NamedTuple):
    """What items ask, and what they score of what they read."""

    query: Tensor  # H C D, or N H C D
    worth: Tensor  # of the same shape


def scores_everywhere(history: History, bias: Tensor, candidates: Candidates) -> Tensor:
    r"""Return what candidates score at all moments of the histories (B, T, C).

    .. math:: s_{ti} = \sum_h \frac{\sum_j g_{tj} m_{ij}\, (w_i \cdot v_j)}{\sum_j g_{tj} m_{ij}},
              \qquad m_{ij} = e^{q_i \cdot k_j / \sqrt{D}}, \quad g_{tj} = e^{b_{tj}},

    which is `weights_and_worth` written as matrix products: candidates are compared with the events
    once, not anew for each moment.

    Parameters
    ----------
    history : History
        Keys and values of the events.
    bias : Tensor of shape (B, H, T, L) or (H, T, L)
        b, -inf for events that come later.
    candidates : Candidates
        The same for all histories.

    Returns
    -------
    scores : Tensor of shape (B, T, C)
        Sums over the heads.
    """
    match = bounded(history.key @ candidates.query.mT * history.key.shape[-1] ** -0.5).exp()
    near = bounded(bias).exp() * (bias > -torch.inf)
    total = near @ (match * (history.value @ candidates.worth.mT))
    return (total / (near @ match)).to(bias.dtype).sum(1)


def weights_and_worth(
    history: History, bias: Tensor, candidates: Candidates
) -> tuple[Tensor, Tensor]:
    r"""Return where candidates look, and what they find worth there.

    .. math:: \alpha_{ij} = \mathrm{softmax}_j(q_i \cdot k_j / \sqrt{D} + b_j), \qquad
              s_i = \sum_h \sum_j \alpha_{ij}\, (w_i \cdot v_j)

    Parameters
    ----------
    history : History
        Keys and values of N histories.
    bias : Tensor of shape (N, H, C, L) or (N, H, 1, L)
        b, -inf for events that come later.
    candidates : Candidates
        Of shape (N, H, C, D), or (H, C, D) where they are the same for all.

    Returns
    -------
    weights : Tensor of shape (N, H, C, L)
        Rows sum to 1; 0 for events that come later.
    worth : Tensor of shape (N, H, C, L)
        Products of what candidates score with the events' values.
    """
    match = bounded(candidates.query @ history.key.mT * history.key.shape[-1] ** -0.5)
    near = bounded(bias).masked_fill(bias == -torch.inf, -torch.inf)
    weights = torch.softmax(match.to(bias.dtype) + near, dim=-1)
    return weights, (candidates.worth @ history.value.mT).to(bias.dtype)


class CandidateReading(nn.Module):
    r"""Cross attention from a candidate to a history, the Deep Interest Network's [1]_.

    Candidate *i* of vector :math:`e_i` asks :math:`q_i = W_q e_i + b_q`; the tokens :math:`x_j` of
    the history answer with keys and values of their own, :math:`W \mathrm{LN}(x_j)`. What it reads
    is scored by :math:`e_i` again, head by head, so that a score is the sum of what each event
    adds, as in attentive similarity of items [2]_.

    Parameters
    ----------
    embedding_dim : int
        H x D, a multiple of ``n_heads``.
    n_heads : int
        H.
    recency : Recency
        Biases by lag and time.
    generator : torch.Generator
        Source of the initial weights.

    References
    ----------
    .. [1] Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018.
    .. [2] He et al., "NAIS: neural attentive item similarity model for recommendation", TKDE 2018.
    """

    def __init__(
        self, embedding_dim: int, n_heads: int, recency: Recency, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_heads, self.recency = n_heads, recency
        self.norm = nn.LayerNorm(embedding_dim)
        self.key_value = linear(embedding_dim, 2 * embedding_dim, generator)
        # what is read is worth nothing at first: chance should not speak for items that are rare
        nn.init.zeros_(self.key_value.weight[embedding_dim:])
        self.query = linear(embedding_dim, embedding_dim, generator)

    def forward(
        self, tokens: Tensor, moments: Moments, position: Tensor, targets: Tensor, others: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what items score of what they read at each ``position`` of tokens (B, L, H x D).

        One item of its own at each, ``targets`` (N, H x D), and the same ``others`` (C, H x D)
        everywhere: (N,) and (N, C).
        """
        history = self.history(tokens)
        bias = self.recency(moments.everywhere())
        # the target of each moment, in the places of the tokens
        vectors = targets.new_zeros(tokens.shape[0] * tokens.shape[1], targets.shape[1])
        vectors = vectors.index_copy(0, position, targets).view(tokens.shape)
        weights, worth = weights_and_worth(history, bias, self.candidates(vectors))
        own = (weights * worth).sum((1, 3)).flatten()[position]
        read = scores_everywhere(history, bias, self.candidates(others))
        return own, read.flatten(0, 1)[position]

    def history(self, tokens: Tensor) -> History:
        """Return keys and values of tokens (B, L, H x D)."""
        parts = self.key_value(self.norm(tokens)).chunk(2, dim=-1)
        return History(*(split_heads(part, self.n_heads) for part in parts))

    def candidates(self, vectors: Tensor) -> Candidates:
        """Return what items of these vectors (..., C, H x D) ask, and what they score."""
        query = self.query(vectors * vectors.shape[-1] ** 0.5)  # at the scale of the tokens
        return Candidates(split_heads(query, self.n_heads), split_heads(vectors, self.n_heads))

    def read(
        self, tokens: Tensor, moments: Moments, position: Tensor, vectors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return `weights_and_worth` of items (N, C, H x D) or (C, H x D) at each ``position``."""
        history, bias = self._at(tokens, moments, position)
        return weights_and_worth(history, bias, self.candidates(vectors))

    def general(self, tokens: Tensor, moments: Moments, position: Tensor) -> Tensor:
        """Return what an item without a vector reads at each ``position`` (N, H x D)."""
        history, bias = self._at(tokens, moments, position)
        nobody = tokens.new_zeros(1, tokens.shape[-1])
        weights, _ = weights_and_worth(history, bias, self.candidates(nobody))
        return merge_heads(weights.to(tokens.dtype) @ history.value).squeeze(1)

    def weights(self, tokens: Tensor, moments: Moments, position: Tensor) -> Tensor:
        """Return where an item without a vector looks (N, L), the mean over heads."""
        nobody = tokens.new_zeros(1, tokens.shape[-1])
        return self.read(tokens, moments, position, nobody)[0].mean(1).squeeze(1)

    def _at(self, tokens: Tensor, moments: Moments, position: Tensor) -> tuple[History, Tensor]:
        row = position // tokens.shape[1]
        history = History(*(part[row] for part in self.history(tokens)))
        return history, self.recency(moments.at(position))
