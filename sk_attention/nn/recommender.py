"""The network of the recommender: a user's history -> scores of all items.

Shapes: B histories, L tokens, D embedding_dim, H heads, N targets, I items, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .features import PartlyKnown
from .history.candidate_reading import CandidateReading
from .history.events import EventTokens
from .history.recency import Moments, Recency
from .history.sampling import NegativeSampler
from .history.self_reading import SelfReading
from .history.session_reading import SessionReading
from .items import Described, ItemVectors
from .layers import Dropout

# The best items by the history's vector, which candidates then rank anew by reading the history.
RERANKED = 256

# Items that stand for all in a step that trains candidates to read.
NEGATIVES = 512

# Weights of candidates held at once, of each head.
WEIGHTS_AT_A_TIME = 2**20


class Scoring(NamedTuple):
    """What gives the scores of all items: hidden @ items.T + bias, never held at once."""

    hidden: Tensor  # N D
    items: Tensor | ItemVectors  # I D, or what makes the vectors of those that are asked for
    bias: Tensor  # I


class Reading(NamedTuple):
    """What gives the scores of candidates: each reads the history on its own."""

    reader: CandidateReading
    tokens: Tensor  # B L D
    moments: Moments
    position: Tensor  # N
    items: Tensor | ItemVectors  # I D
    sampler: NegativeSampler


class Surroundings(NamedTuple):
    """What a network of histories reads beside items and times."""

    items: Described | None = None  # what is said of the items
    past: PartlyKnown | None = None  # of each event
    context: PartlyKnown | None = None  # of each moment at which something is asked
    user: PartlyKnown | None = None  # of each user


NOTHING_ELSE = Surroundings()


class Reranking(NamedTuple):
    """Scores of all items; to those of the best ones is added what they read of the history."""

    scoring: Scoring
    reading: Reading
    n_candidates: int


class Disliking(NamedTuple):
    """What gives the scores, and what was turned down where targets were taken."""

    ranking: Scoring | Reranking
    item: Tensor  # M, codes
    target: Tensor  # M, at which of the targets
    weight: Tensor  # M


class HistoryNetwork(nn.Module):
    r"""A history is read, and scores the items by their own vectors.

    Item *i* has the vector :math:`e_i`, which is also its token in the history [1]_. A learned
    token stands before the first event. Where times are known, what is asked is what comes next at
    a certain time: the time since then to each event biases the attention, and the time since the
    last event is added to its token.

    What else is known of an event is added to its token, too. What is known of the user, and of the
    moment when it is asked what comes next, is added where that is asked: the token of the last
    event before it. So attention may go where they make it go. Items that read the history on their
    own do so whatever the user and the moment, which speak for items by themselves where nothing
    else does: :math:`a \cdot e_i` is added, with *a* the sum of what is known.

    The kinds of attention:

    - "self": the history becomes a vector :math:`h` by causal self attention, and scores
      :math:`h \cdot e_i + b_i`.
    - "cross": each item reads the history on its own (`CandidateReading`), and scores
      :math:`c_i + b_i`.
    - "double": both; the best items by the first score are ranked by
      :math:`h \cdot e_i + c_i + b_i`.
    - "hierarchical": as "self", but attention goes to sessions, and to the events within them.

    Parameters
    ----------
    attention : {"self", "cross", "double", "hierarchical"}
        The kind.
    share : Tensor of shape (I,)
        How much of the interactions each item has. Codes are 1 to I, 0 is an unknown item and
        I + 1 the start of a history.
    embedding_dim : int
        D.
    n_heads : int
        H.
    n_layers : int
        Blocks of self attention.
    dropout : float
        Of tokens and blocks.
    max_history : int
        L at the most.
    usual_gap : float or None
        Unit of time; None where times are not known.
    generator : torch.Generator
        Source of the initial weights.
    beside : Surroundings, default=NOTHING_ELSE
        What else is read.
    looks_at_all : bool, default=True
        Whether the loss in training looks at all items. Otherwise the vectors of those alone are
        worked out that it asks for.

    References
    ----------
    .. [1] Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018.
    """

    # What grows with the catalogue, and has sparse gradients by a sampled loss.
    tables = ("items.embedding", "item_bias")

    def __init__(
        self,
        attention: str,
        share: Tensor,
        embedding_dim: int,
        n_heads: int,
        n_layers: int,
        dropout: float,
        max_history: int,
        usual_gap: float | None,
        generator: torch.Generator,
        beside: Surroundings = NOTHING_ELSE,
        looks_at_all: bool = True,
    ) -> None:
        super().__init__()
        self.n_items, self.max_history = len(share), max_history
        self.looks_at_all = looks_at_all
        self.items = ItemVectors(self.n_items, embedding_dim, beside.items, generator)
        self.item_bias = nn.Parameter(torch.zeros(self.n_items))
        self.events = EventTokens(embedding_dim, beside.past, dropout, usual_gap)
        self.context, self.user_features = beside.context, beside.user
        self.asked_dropout = Dropout(dropout)
        self.encoder: SelfReading | None = None
        if attention != "cross":
            recency = Recency(max_history, n_heads, usual_gap is not None)
            kind = SessionReading if attention == "hierarchical" else SelfReading
            self.encoder = kind(embedding_dim, n_heads, n_layers, dropout, recency, generator)
        self.reader: CandidateReading | None = None
        if attention in ("cross", "double"):
            recency = Recency(max_history, n_heads, usual_gap is not None)
            self.reader = CandidateReading(embedding_dim, n_heads, recency, generator)
            self.sampler = NegativeSampler(share, NEGATIVES)

    def forward(self, inputs: Mapping[str, Tensor]) -> Scoring | Reranking | Disliking:
        """Return what scores the items at each ``position`` of the tokens ``item`` (B, L)."""
        ranking = self.ranking(inputs)
        if "disliked" not in inputs:
            return ranking
        names = ("disliked", "disliked_target", "disliked_weight")
        return Disliking(ranking, *(inputs[name] for name in names))

    def ranking(self, inputs: Mapping[str, Tensor]) -> Scoring | Reranking:
        """Return what scores the items, whatever was turned down."""
        tokens, moments, position = self._tokens(inputs)
        few = self.training and not self.looks_at_all
        items = self.items if few else self.item_vectors()
        hidden = self._first(inputs, tokens, moments, position)
        if hidden is None:  # scores begin with the biases alone
            nothing = tokens.new_zeros(len(position), 0)
            scoring = Scoring(nothing, tokens.new_zeros(self.n_items, 0), self.item_bias)
        else:
            scoring = Scoring(_as_computed(hidden), items, self.item_bias)
        if self.reader is None:
            return scoring
        reading = Reading(self.reader, tokens, moments, position, items, self.sampler)
        return Reranking(scoring, reading, self.n_candidates)

    @property
    def n_candidates(self) -> int:
        """How many of the best items read the history: all of them, if nothing else does."""
        if self.reader is None:
            return 0
        return self.n_items if self.encoder is None else min(RERANKED, self.n_items)

    def item_vectors(self) -> Tensor:
        """Return the vectors of the items (I, D)."""
        return self.items.all()

    def hidden(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the vector of each history (N, D).

        Where only candidates read it, it is what an item reads of which nothing is known.
        """
        tokens, moments, position = self._tokens(inputs)
        if self.encoder is None:
            assert self.reader is not None
            return self.reader.general(tokens, moments, position)
        hidden = self._first(inputs, tokens, moments, position)
        assert hidden is not None
        return hidden

    def first_vector(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what the items score before they read the history, as vectors (N, D)."""
        tokens, moments, position = self._tokens(inputs)
        hidden = self._first(inputs, tokens, moments, position)
        return tokens.new_zeros(len(position), tokens.shape[-1]) if hidden is None else hidden

    @property
    def reads_askers(self) -> bool:
        """Whether anything is read of users or of the moment when something is asked."""
        return self.context is not None or self.user_features is not None

    def expectation(self, inputs: Mapping[str, Tensor]) -> Scoring:
        """Return what the vectors of `hidden` say of all items, whatever these read themselves."""
        return Scoring(self.hidden(inputs), self.item_vectors(), self.item_bias)

    def all_scores(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the scores of all items (N, I), what they read themselves among them."""
        outputs = self.ranking(inputs)
        hidden, items, bias = outputs.scoring if isinstance(outputs, Reranking) else outputs
        assert isinstance(items, Tensor)
        scores = F.linear(hidden, items.to(hidden.dtype)).to(bias.dtype) + bias
        return scores if self.reader is None else scores + self.candidate_scores(inputs)

    def candidate_scores(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return what each ``candidate`` (N, K), or all items, score of what they read."""
        weights, worth = self.read_candidates(inputs)
        return (weights * worth).sum((1, 3))

    def read_candidates(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return where candidates look and what that is worth to them, (N, H, K, L) each.

        ``candidate`` (N, K) are positions of items, -1 for an item of which nothing is known; all
        items where there is none.
        """
        tokens, moments, position = self._tokens(inputs)
        vectors = self.item_vectors()
        if "candidate" in inputs:
            candidate = inputs["candidate"]
            known = (candidate >= 0).unsqueeze(-1)
            vectors = vectors[candidate.clamp(min=0)] * known
        assert self.reader is not None
        return self.reader.read(tokens, moments, position, vectors)

    @property
    def embedding(self) -> nn.Parameter:
        """The items' own vectors (I + 2, D), by their codes."""
        return self.items.embedding

    @property
    def hidden_dim(self) -> int:
        """Size of `hidden`."""
        return self.embedding.shape[1]

    def attention(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where the history is read from each ``position`` (N, L), the mean over heads.

        That is by the ``candidate`` (N, 1) where candidates read, else by the last block.
        """
        if self.reader is not None and "candidate" in inputs:
            return self.read_candidates(inputs)[0].mean(1).squeeze(1)
        tokens, moments, position = self._tokens(inputs)
        if self.encoder is None:
            assert self.reader is not None
            return self.reader.weights(tokens, moments, position)
        return self.encoder.weights(self._with_askers(tokens, inputs), moments, position)

    def _tokens(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Moments, Tensor]:
        """Return the tokens (B, L, D), when they were, and which of them are asked."""
        tokens, moments = self.events(inputs, self.items)
        return tokens, moments, inputs["position"]

    def _first(
        self, inputs: Mapping[str, Tensor], tokens: Tensor, moments: Moments, position: Tensor
    ) -> Tensor | None:
        """Return what the items score before they read the history (N, D); None for nothing."""
        if self.encoder is not None:
            hidden: Tensor = self.encoder(self._with_askers(tokens, inputs), moments, position)
            return hidden
        if not self.reads_askers:
            return None
        known = self._with_askers(torch.zeros_like(tokens), inputs)
        return known.flatten(0, 1)[position]

    def _with_askers(self, tokens: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Add what is known of users, and of the moments after the tokens (B, L, D)."""
        if not self.reads_askers:
            return tokens
        known = tokens.new_zeros(())
        if self.context is not None:
            known = known + self.context(inputs)
        if self.user_features is not None:
            known = known + self.user_features(inputs).unsqueeze(1)
        added: Tensor = self.asked_dropout(known * tokens.shape[-1] ** 0.5)
        return tokens + added

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what reads histories, as ``torch.compile`` takes the arguments.

        The tables of items, whose gradients are sparse, stay outside.
        """
        for part in (self.encoder, self.reader):
            if part is not None:
                part.compile(*args, **kwargs)

    def take_over(self, other: HistoryNetwork, codes: Tensor) -> None:
        """Take the weights of a network that knows some of the items; the others come last.

        Parameters
        ----------
        other : HistoryNetwork
            Of the same sizes, with fewer items or as many.
        codes : Tensor of shape (n_items,), dtype int64
            The codes that its items have here.
        """
        state = other.state_dict()
        del state["items.embedding"]
        bias = state.pop("item_bias")
        self.load_state_dict(state, strict=False)
        self.items.take_over(other.items, codes)
        with torch.no_grad():
            self.item_bias[:] = bias.min()
            self.item_bias[codes - 1] = bias

    def rows_at_a_time(self, n_candidates: int = 0) -> int:
        """Return how many windows to score at once, where so many candidates read each."""
        n_weights = n_candidates * self.max_history
        return min(64, max(1, WEIGHTS_AT_A_TIME // max(n_weights, 1)))


def _as_computed(hidden: Tensor) -> Tensor:
    """Return vectors in the precision of the products around them."""
    kind = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else hidden
