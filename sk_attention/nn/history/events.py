"""Events of a history -> tokens.

Shapes: B histories, L tokens, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sk_attention.nn.features import FeatureVectors, PartlyKnown
from sk_attention.nn.items import ItemVectors
from sk_attention.nn.layers import CodeDropout, Dropout

from .recency import N_GAPS, Moments

# Share of the events that are hidden in training, to learn what an unknown item means.
UNKNOWN_SHARE = 0.02


class EventTokens(nn.Module):
    r"""The tokens of events.

    A token is the item's vector, what else is known of the event, and, where times are known, how
    long it was until what is asked for. A learned token stands before the first event.

    Parameters
    ----------
    embedding_dim : int
        D.
    features : FeatureVectors, PartlyKnown or None
        What else is known of events.
    dropout : float
        Share of the tokens' entries that is dropped in training.
    usual_gap : float or None
        Unit of time; None where times are not known.
    """

    def __init__(
        self,
        embedding_dim: int,
        features: FeatureVectors | PartlyKnown | None,
        dropout: float,
        usual_gap: float | None,
    ) -> None:
        super().__init__()
        self.features = features
        self.usual_gap = usual_gap
        if usual_gap is not None:
            self.gap_embedding = nn.Parameter(torch.zeros(N_GAPS, embedding_dim))
        self.hide = CodeDropout(UNKNOWN_SHARE)
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], items: ItemVectors) -> tuple[Tensor, Moments]:
        """Return the tokens (B, L, D) of the events ``item`` (B, L), and when they were."""
        item = inputs["item"]
        moments = Moments(inputs["time"], inputs["asked"], self.usual_gap, inputs.get("session"))
        tokens = items(self.hide(item))
        tokens = tokens * tokens.shape[-1] ** 0.5
        if self.features is not None:
            is_event = item <= len(items)  # before the first there is none
            tokens = tokens + self.features(inputs) * is_event.unsqueeze(-1)
        if self.usual_gap is not None:
            tokens = tokens + F.embedding(moments.last_gap(), self.gap_embedding)
        return self.dropout(tokens), moments
