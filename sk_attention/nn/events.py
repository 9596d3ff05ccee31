"""Events of a history -> tokens, and how much each is favoured by how long ago it was.

Shapes: B histories, L tokens, D embedding_dim, H heads, I items.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .features import FeatureVectors
from .layers import CodeDropout, Dropout
from .recommender import N_GAPS, gap_codes

# Share of the events that are hidden in training, to learn what an unknown item means.
UNKNOWN_SHARE = 0.02

# Share of the items whose own vector is hidden in a step, to learn what their features say.
HIDDEN_SHARE = 0.1


class ItemVectors(nn.Module):
    r"""The vector of each item: one of its own, and what its features say.

    .. math:: e_i = u_i + \sum_j t_j(x_{ij})

    An item that nobody met in training has the vector of an unknown item for its own. That one is
    learned: in each step some items are taken for unknown.

    Parameters
    ----------
    n_items : int
        I; codes are 1 to I, 0 is an unknown item and I + 1 the start of a history.
    embedding_dim : int
        D.
    features : FeatureVectors or None
        What the features say; they are read from ``codes``.
    codes : mapping of str to Tensor of shape (I, F)
        The features of the items.
    met : Tensor of shape (I,), dtype bool
        Which items are trained on.
    generator : torch.Generator
        Source of the initial vectors, normal with variance 1 / D.
    """

    code: Tensor

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        features: FeatureVectors | None,
        codes: Mapping[str, Tensor],
        met: Tensor,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_items = n_items
        self.embedding = nn.Parameter(torch.empty(n_items + 2, embedding_dim))
        nn.init.normal_(self.embedding, std=embedding_dim**-0.5, generator=generator)
        self.features = features
        self.names = list(codes)
        for number, name in enumerate(self.names):  # a buffer's name must not hold a dot
            self.register_buffer(f"codes_{number}", codes[name])
        self.register_buffer("code", torch.arange(1, n_items + 1) * met)
        self.hide = CodeDropout(HIDDEN_SHARE)

    def forward(self) -> Tensor:
        """Return the vectors (I + 2, D) of all codes."""
        if self.features is None:
            return self.embedding
        codes = {name: getattr(self, f"codes_{n}") for n, name in enumerate(self.names)}
        vectors = F.embedding(self.hide(self.code), self.embedding) + self.features(codes)
        return torch.cat([self.embedding[:1], vectors, self.embedding[-1:]])


class EventTokens(nn.Module):
    r"""The tokens of events, and the bias with which attention looks back at them.

    A token is the item's vector, what else is known of the event, and, where times are known, how
    long it was until what is asked for. The bias of an event says how long ago it was, in events
    and in time [1]_.

    Parameters
    ----------
    items : ItemVectors
        The items.
    features : FeatureVectors or None
        What else is known of events.
    n_heads : int
        H.
    dropout : float
        Share of the tokens' entries that is dropped in training.
    max_history : int
        L at the most.
    usual_gap : float or None
        Unit of time; None where times are not known.

    References
    ----------
    .. [1] Zhai et al., "Actions speak louder than words: trillion-parameter sequential transducers
       for generative recommendations", ICML 2024.
    """

    def __init__(
        self,
        items: ItemVectors,
        features: FeatureVectors | None,
        n_heads: int,
        dropout: float,
        max_history: int,
        usual_gap: float | None,
    ) -> None:
        super().__init__()
        self.start, dim = items.n_items + 1, items.embedding.shape[1]
        self.features = features
        self.usual_gap = usual_gap
        self.lag_bias = nn.Parameter(torch.zeros(max_history, n_heads))
        if usual_gap is not None:
            self.gap_bias = nn.Parameter(torch.zeros(N_GAPS, n_heads))
            self.gap_embedding = nn.Parameter(torch.zeros(N_GAPS, dim))
        self.hide = CodeDropout(UNKNOWN_SHARE)
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (B, L, D), and biases (H, L, L) or (B, H, L, L), -inf for later events.

        ``vectors`` are those of all items, as `ItemVectors` returns them.
        """
        item = inputs["item"]
        steps = torch.arange(item.shape[1], device=item.device)
        lag = steps[:, None] - steps
        bias = self.lag_bias[lag.clamp(min=0)].permute(2, 0, 1)  # H L L
        tokens = F.embedding(self.hide(item), vectors) * vectors.shape[1] ** 0.5
        if self.features is not None:
            event = (item != self.start).unsqueeze(-1)  # before the first there is none
            tokens = tokens + self.features(inputs) * event
        if self.usual_gap is not None:
            asked, time = inputs["asked"], inputs["time"]
            gaps = gap_codes(asked[:, :, None], time[:, None, :], self.usual_gap)
            bias = bias + self.gap_bias[gaps].permute(0, 3, 1, 2)  # B H L L
            last = gaps.diagonal(dim1=1, dim2=2)
            tokens = tokens + F.embedding(last, self.gap_embedding)
        return self.dropout(tokens), bias.masked_fill(lag < 0, -torch.inf)
