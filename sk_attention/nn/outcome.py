"""The network that foretells what an interaction will be like: a class or a number.

Shapes: B histories, L tokens, N interactions asked for, D embedding_dim, H heads, M members, C
outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import merge_heads, split_heads
from .events import EventTokens, ItemVectors
from .features import FeatureVectors
from .layers import CodeDropout, Dropout, linear
from .recommender import HistoryBlock
from .towers.pooled import PooledTowers

# Share of the users that are hidden in a step, to learn what an unknown one means.
UNKNOWN_SHARE = 0.1


class CandidateReading(nn.Module):
    r"""What an item makes of a history: attention whose query is the item asked about.

    .. math:: \alpha_j = \mathrm{softmax}_j(q(c) \cdot k(x_j) / \sqrt{D / H} + b_j), \qquad
              z = \sum_j \alpha_j v(x_j)

    with *c* what is known of the interaction that is asked for, :math:`x_j` the events' own tokens
    and :math:`b_j` how long ago they were: target attention as in [1]_, normalised.

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
        self.norm_candidate = nn.LayerNorm(embedding_dim)
        self.norm_events = nn.LayerNorm(embedding_dim)
        self.query = linear(embedding_dim, embedding_dim, generator)
        self.key = linear(embedding_dim, embedding_dim, generator)
        self.value = linear(embedding_dim, embedding_dim, generator)

    def weights(self, candidate: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return the weights (B, H, L, L) with which candidates (B, L, D) read tokens (B, L, D)."""
        query = split_heads(self.query(self.norm_candidate(candidate)), self.n_heads)
        key = split_heads(self.key(self.norm_events(tokens)), self.n_heads)
        similarity = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        return torch.softmax(similarity.float() + bias, dim=-1)

    def forward(self, candidate: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return what candidates (B, L, D) read of tokens (B, L, D), up to their own position."""
        value = split_heads(self.value(self.norm_events(tokens)), self.n_heads)
        return merge_heads(self.weights(candidate, tokens, bias).to(value.dtype) @ value)


class Asked(NamedTuple):
    """What is known of the interactions asked for, before their users' histories are read."""

    user: Tensor  # N D
    item: Tensor  # N D
    context: Tensor  # N D, or empty


class OutcomeNetwork(nn.Module):
    r"""User, item, context and history of an interaction -> its label.

    The events that came before are read in two ways: by causal self attention, as a whole
    ("self"), and by attention from the item asked about to the single events ("cross"); "double"
    does both. An event's token says what became of it, too. What was read, beside the user, the
    item and the context, goes through a parameter-efficient ensemble of MLPs.

    Parameters
    ----------
    attention : {"self", "cross", "double"}
        How histories are read.
    events : EventTokens
        Turns events into tokens.
    items : ItemVectors
        The items.
    n_users : int
        Codes are 1 to n_users, 0 is an unknown user.
    context, user_features : FeatureVectors or None
        What else is known of the interaction, and of its user.
    n_heads : int
        H.
    n_layers : int
        Blocks of self attention.
    n_members : int
        M.
    n_outputs : int
        C.
    hidden_layer_sizes : sequence of int
        Hidden units of the MLPs.
    dropout : float
        Of the blocks and the MLPs.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self,
        attention: str,
        events: EventTokens,
        items: ItemVectors,
        n_users: int,
        context: FeatureVectors | None,
        user_features: FeatureVectors | None,
        n_heads: int,
        n_layers: int,
        n_members: int,
        n_outputs: int,
        hidden_layer_sizes: tuple[int, ...],
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim = items.embedding.shape[1]
        self.events, self.items = events, items
        self.user = nn.Parameter(torch.empty(n_users + 1, dim))
        nn.init.normal_(self.user, std=dim**-0.5, generator=generator)
        self.hide = CodeDropout(UNKNOWN_SHARE)
        self.context, self.user_features = context, user_features
        n_blocks = 0 if attention == "cross" else n_layers
        self.blocks = nn.ModuleList(
            HistoryBlock(dim, n_heads, dropout, generator) for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.reading = None if attention == "self" else CandidateReading(dim, n_heads, generator)
        n_read = bool(n_blocks) + (self.reading is not None)
        self.representation_dim = n_read * dim
        n_inputs = (2 + (context is not None) + 2 * n_read) * dim
        self.dropout = Dropout(dropout)
        self.towers = PooledTowers(
            n_inputs, n_members, [n_outputs], hidden_layer_sizes, dropout, generator
        )
        self.user_bias = nn.Parameter(torch.zeros(n_users + 1, n_outputs))
        self.item_bias = nn.Parameter(torch.zeros(items.n_items + 2, n_outputs))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return outputs (N, 1, M, C) of the interactions at ``position``, float32 at least."""
        asked, reads = self._read_all(inputs)
        parts = list(asked)
        for read in reads:
            parts += [read, read * asked.item]
        x = self.dropout(torch.cat(parts, dim=-1))
        outputs: Tensor = self.towers(x.unsqueeze(1))
        base = F.embedding(inputs["user"], self.user_bias)
        base = base + F.embedding(inputs["candidate"], self.item_bias)
        return outputs + base[:, None, None]

    def representation(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what each interaction reads of the history (N, n_readings x D)."""
        return torch.cat(self._read_all(inputs)[1], dim=-1)

    def attention(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where each interaction asked for looks (N, L), the mean over heads."""
        vectors = self.items()
        asked = self._asked(inputs, vectors)
        tokens, bias = self.events(inputs, vectors)
        if self.reading is not None:
            query = self._in_place(self._question(asked), tokens, inputs["position"])
            weights = self.reading.weights(query, tokens, bias)
        else:
            *earlier, last = self.blocks
            for block in earlier:
                tokens = block(tokens, bias)
            assert isinstance(last, HistoryBlock)
            weights = last.weights(tokens, bias)
        return weights.mean(dim=1).flatten(0, 1)[inputs["position"]]

    def _asked(self, inputs: Mapping[str, Tensor], vectors: Tensor) -> Asked:
        scale = vectors.shape[1] ** 0.5
        user = F.embedding(self.hide(inputs["user"]), self.user) * scale
        if self.user_features is not None:
            user = user + self.user_features(inputs)
        item = F.embedding(inputs["candidate"], vectors) * scale
        context = item.new_zeros(len(item), 0) if self.context is None else self.context(inputs)
        return Asked(user, item, context)

    def _read_all(self, inputs: Mapping[str, Tensor]) -> tuple[Asked, list[Tensor]]:
        vectors = self.items()
        asked = self._asked(inputs, vectors)
        tokens, bias = self.events(inputs, vectors)
        return asked, self._read(asked, tokens, bias, inputs["position"])

    def _question(self, asked: Asked) -> Tensor:
        """Return the one vector that stands for all that is known (N, D)."""
        known = asked.user + asked.item
        return known if self.context is None else known + asked.context

    def _read(self, asked: Asked, tokens: Tensor, bias: Tensor, position: Tensor) -> list[Tensor]:
        """Return what is read of the histories, each (N, D)."""
        read = []
        if self.reading is not None:
            query = self._in_place(self._question(asked), tokens, position)
            read.append(self.reading(query, tokens, bias))
        if len(self.blocks):
            for block in self.blocks:
                tokens = block(tokens, bias)
            read.append(self.norm(tokens))
        return [each.flatten(0, 1)[position] for each in read]

    def _in_place(self, asked: Tensor, tokens: Tensor, position: Tensor) -> Tensor:
        """Put what is asked (N, D) where the histories' tokens (B, L, D) stand for it."""
        place = asked.new_zeros(tokens.shape[0] * tokens.shape[1], tokens.shape[2])
        return place.index_copy(0, position, asked).view(tokens.shape)

    def rows_at_a_time(self) -> int:
        """Return how many histories to score at once."""
        return 256
