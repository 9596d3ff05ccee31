"""The network that foretells what an interaction will be like: a class or a number.

Shapes: B histories, L tokens, N interactions asked for, K candidates, D embedding_dim, H heads,
M members, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .features import FeatureVectors, PartlyKnown
from .history.asked_reading import AskedReading
from .history.events import EventTokens
from .history.recency import Moments, Recency
from .history.self_reading import SelfReading
from .history.session_reading import SessionReading
from .items import ItemVectors
from .layers import CodeDropout, Dropout
from .towers.pooled import PooledTowers

# Share of the users that are hidden in a step, to learn what an unknown one means.
UNKNOWN_SHARE = 0.1


class Asked(NamedTuple):
    """What is known of the interactions asked for, before their users' histories are read."""

    user: Tensor  # N D
    item: Tensor  # N D
    context: Tensor | None  # N D


class OutcomeNetwork(nn.Module):
    r"""User, item, context and history of an interaction -> its label.

    The events that came before are read as a whole, by causal self attention ("self") or session by
    session ("hierarchical"); or by attention from what is asked to the single events ("cross");
    "double" does the first and the last. An event's token says what became of it, too. What was
    read, beside the user, the item and the context, goes through a parameter-efficient ensemble of
    MLPs.

    Parameters
    ----------
    attention : {"self", "cross", "double", "hierarchical"}
        How histories are read.
    items : ItemVectors
        The items.
    n_users : int
        Codes are 1 to n_users, 0 is an unknown user.
    past : FeatureVectors or None
        What else is known of events.
    context, user_features : PartlyKnown or None
        What else is known of the interaction asked about, and of its user.
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
        Of tokens, blocks and MLPs.
    max_history : int
        L at the most.
    usual_gap : float or None
        Unit of time; None where times are not known.
    generator : torch.Generator
        Source of the initial weights.
    """

    # What grows with the catalogue, of which a step takes a few rows.
    tables = ("items.embedding",)

    def __init__(
        self,
        attention: str,
        items: ItemVectors,
        n_users: int,
        past: FeatureVectors | None,
        context: PartlyKnown | None,
        user_features: PartlyKnown | None,
        n_heads: int,
        n_layers: int,
        n_members: int,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        max_history: int,
        usual_gap: float | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim = items.embedding.shape[1]
        self.items = items
        self.events = EventTokens(dim, past, dropout, usual_gap)
        self.user = nn.Parameter(torch.empty(n_users + 1, dim))
        nn.init.normal_(self.user, std=dim**-0.5, generator=generator)
        self.hide = CodeDropout(UNKNOWN_SHARE)
        self.context, self.user_features = context, user_features
        timed = usual_gap is not None
        self.encoder: SelfReading | None = None
        if attention != "cross":
            kind = SessionReading if attention == "hierarchical" else SelfReading
            recency = Recency(max_history, n_heads, timed)
            self.encoder = kind(dim, n_heads, n_layers, dropout, recency, generator)
        self.reading: AskedReading | None = None
        if attention in ("cross", "double"):
            self.recency = Recency(max_history, n_heads, timed)
            self.reading = AskedReading(dim, n_heads, generator)
        n_read = (self.encoder is not None) + (self.reading is not None)
        self.hidden_dim = n_read * dim
        n_inputs = (2 + (context is not None) + 2 * n_read) * dim
        self.dropout = Dropout(dropout)
        self.towers = PooledTowers(
            n_inputs, n_members, [n_outputs], hidden_layer_sizes, dropout, generator
        )
        self.user_bias = nn.Parameter(torch.zeros(n_users + 1, n_outputs))
        self.item_bias = nn.Parameter(torch.zeros(len(items) + 2, n_outputs))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return outputs (N, 1, M, C) of the interactions at ``position``, float32 at least."""
        asked = self._asked(inputs)
        read = self._read(asked, inputs)
        return self._outputs(asked, read, inputs["user"], inputs["asked_item"])

    def candidate_outputs(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return outputs (N, K, M, C) of the items ``candidate`` (N, K), codes, for each position.

        Everything else is as in `forward`: each item is asked about on its own.
        """
        code = inputs["candidate"]
        shape, position = (*code.shape, -1), inputs["position"]
        user, item, context = self._asked({**inputs, "asked_item": code})
        known = user.unsqueeze(1) + item
        if context is not None:
            known, context = known + context.unsqueeze(1), context.unsqueeze(1).expand(shape)
        tokens, moments = self.events(inputs, self.items)
        read = []
        if self.encoder is not None:
            found = self.encoder(tokens, moments, position)
            read.append(found.unsqueeze(1).expand(shape))
        if self.reading is not None:
            own = tokens[position // tokens.shape[1]]
            read.append(self.reading(known, own, self.recency(moments.at(position))))
        asked = Asked(
            user.unsqueeze(1).expand(shape).flatten(0, 1),
            item.flatten(0, 1),
            None if context is None else context.flatten(0, 1),
        )
        outputs = self._outputs(
            asked,
            [found.flatten(0, 1) for found in read],
            inputs["user"].repeat_interleave(code.shape[1]),
            code.flatten(),
        )
        return outputs.view(*code.shape, *outputs.shape[2:])

    def _outputs(self, asked: Asked, read: Sequence[Tensor], user: Tensor, item: Tensor) -> Tensor:
        """Return outputs (N, 1, M, C) by what is known, what was read, and codes (N,)."""
        parts = [part for part in asked if part is not None]
        for found in read:
            parts += [found, found * asked.item]
        x = self.dropout(torch.cat(parts, dim=-1))
        outputs: Tensor = self.towers(x.unsqueeze(1))
        base = F.embedding(user, self.user_bias) + F.embedding(item, self.item_bias)
        return outputs + base[:, None, None]

    def hidden(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what each interaction reads of the history (N, n_readings x D)."""
        return torch.cat(self._read(self._asked(inputs), inputs), dim=-1)

    def attention(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where each interaction asked about looks (N, L), the mean over heads."""
        tokens, moments = self.events(inputs, self.items)
        position = inputs["position"]
        if self.reading is None:
            assert self.encoder is not None
            return self.encoder.weights(tokens, moments, position)
        weights = self.reading.weights(
            *self._question(self._asked(inputs), tokens, moments, position)
        )
        return weights.mean(dim=1).flatten(0, 1)[position]

    def _asked(self, inputs: Mapping[str, Tensor]) -> Asked:
        scale = self.user.shape[1] ** 0.5
        user = F.embedding(self.hide(inputs["user"]), self.user) * scale
        if self.user_features is not None:
            said = self.user_features(inputs)  # a row for each history, not for each target
            assert len(said) == len(inputs["item"])
            user = user + said[inputs["position"] // inputs["item"].shape[1]]
        item = self.items(inputs["asked_item"]) * scale
        return Asked(user, item, None if self.context is None else self.context(inputs))

    def _read(self, asked: Asked, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return what is read of the histories, each (N, D)."""
        tokens, moments = self.events(inputs, self.items)
        position, read = inputs["position"], []
        if self.encoder is not None:
            read.append(self.encoder(tokens, moments, position))
        if self.reading is not None:
            found = self.reading(*self._question(asked, tokens, moments, position))
            read.append(found.flatten(0, 1)[position])
        return read

    def _question(
        self, asked: Asked, tokens: Tensor, moments: Moments, position: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is asked, in the places of the tokens (B, L, D); these; and their biases."""
        known = asked.user + asked.item
        if asked.context is not None:
            known = known + asked.context
        place = known.new_zeros(tokens.shape[0] * tokens.shape[1], tokens.shape[2])
        known = place.index_copy(0, position, known).view(tokens.shape)
        return known, tokens, self.recency(moments.everywhere())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what reads histories, and the towers, as ``torch.compile`` takes the arguments.

        The tables of items, whose gradients are sparse, stay outside.
        """
        for part in (self.encoder, self.reading, self.towers):
            if part is not None:
                part.compile(*args, **kwargs)

    def take_over(self, other: OutcomeNetwork, items: Tensor, users: Tensor) -> None:
        """Take the weights of a network that knows some of the items and users.

        Parameters
        ----------
        other : OutcomeNetwork
            Of the same sizes, with fewer items and users or as many.
        items, users : Tensor of dtype int64
            The codes that its items and users have here. Others begin as users and items of whom
            nothing is known.
        """
        state = other.state_dict()
        user, user_bias, item_bias = (
            state.pop(name) for name in ("user", "user_bias", "item_bias")
        )
        del state["items.embedding"]
        self.load_state_dict(state, strict=False)
        self.items.take_over(other.items, items)
        with torch.no_grad():
            self.user[:] = user[0]
            self.user[users] = user[1:]
            self.user_bias[:] = user_bias[0]
            self.user_bias[users] = user_bias[1:]
            self.item_bias[:] = item_bias[0]
            self.item_bias[items] = item_bias[1:-1]

    def rows_at_a_time(self) -> int:
        """Return how many histories to score at once."""
        return 256
