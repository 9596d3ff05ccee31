"""The network of the multi-task estimators: tokens -> context -> reading -> towers.

Shapes: B batch, T tokens, D embedding_dim, K tasks, M members, C outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .encoders import (
    FieldPooling,
    Nearness,
    SelfAttentionEncoder,
    StepContext,
    local_encoder,
    present_tokens,
    unordered_encoder,
)
from .reading import Reading, TaskMixture
from .tokens import Tokens, bag_codes
from .towers import GatedTowers, LinearTowers

# Tokens begin with a length of about 1 at any size; what is normalised has the root of its size. In
# towers that read both, what tasks share would drown large tokens: above this size it shrinks.
SHARED_DIM = 16

# Rows are evaluated so many at a time that what a layer writes stays near the processor.
CELLS_AT_A_TIME = 2**21


@dataclass(frozen=True)
class Sizes:
    """The sizes of a `MultiTaskNetwork`; the words are those of the estimators' parameters."""

    attention: str
    embedding_dim: int
    n_heads: int
    n_layers: int
    n_members: int
    hidden_layer_sizes: tuple[int, ...]
    dropout: float
    sharpness: float
    normalization: str = "softmax"
    efficient: str | None = None
    nearness: Nearness | None = None  # where tokens have an order
    n_channels: int | None = None  # where X is steps of so many numbers


class Read(NamedTuple):
    """What the tasks read in a batch of rows."""

    tokens: Tensor  # B T D, or B Q T D where each query makes tokens of its own
    weights: Tensor  # B K T
    representation: Tensor  # B K D


class TaskNetwork(nn.Module, ABC):
    """Tokens, a context for their keys, and a reading per task; what answers is for subclasses.

    ``attention="cross"``: the keys are the tokens' own. ``"self"``: the keys have been through
    self attention across fields, and one reading serves all tasks. ``"double"``: self attention
    across fields, then each task's own reading. ``"hierarchical"``: each task pools the tokens
    within each field, the fields' tokens have a context as in "double", and each task reads its
    own; a token's weight is its field's times that within the field.

    Steps have an order: in it each looks at those near it, and none at one that is not there.

    Parameters
    ----------
    tokens : Tokens
        Turns encoded rows into tokens.
    n_tasks : int
        K.
    n_readers : int
        Queries of each task; each reads what its task has pooled.
    sizes : Sizes
        Everything else.
    generator : torch.Generator
        Source of the initial weights.
    field : sequence of int
        The field of each token, which ``attention="hierarchical"`` looks at.
    """

    def __init__(
        self,
        tokens: Tokens,
        n_tasks: int,
        n_readers: int,
        sizes: Sizes,
        generator: torch.Generator,
        field: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.n_tasks = n_tasks
        self.n_readers = n_readers
        self.tokens = tokens
        self.pooling = (
            FieldPooling(
                field,
                n_tasks,
                sizes.embedding_dim,
                sizes.sharpness,
                generator,
                sizes.normalization,
            )
            if sizes.attention == "hierarchical"
            else None
        )
        self.n_channels = sizes.n_channels
        # whether its operations are the same whatever the values: no threshold is looked for, and
        # no span is learned
        adapts = sizes.nearness is not None and sizes.nearness.adaptive
        self.is_steady = sizes.normalization == "softmax" and not adapts
        self.encoder = build_encoder(sizes, generator)
        n_readings = 1 if sizes.attention == "self" else n_tasks
        self.reading = Reading(
            n_readings * n_readers,
            sizes.embedding_dim,
            sizes.n_heads,
            sizes.sharpness,
            generator,
            sizes.normalization,
        )

    def read(self, inputs: Mapping[str, Tensor]) -> Read:
        """Return what each task reads in encoded rows, without running the towers."""
        return self.read_tokens(self.tokens(inputs))

    def read_tokens(self, tokens: Tensor) -> Read:
        """Return what each task reads in tokens (B, T, D): the mean over its readers.

        Where each query makes tokens of its own they are (B, Q, T, D).
        """
        fields, within, there = self.fields(tokens)
        lists = fields.flatten(0, -3)  # BQ F D where each query has a list of its own
        weights, representation = (
            self.by_task(read, fields)
            for read in self.reading(lists, self.encode(lists, there), there)
        )
        if self.pooling is not None and within is not None:
            weights = weights[..., self.pooling.field] * within.unsqueeze(2)
        return Read(tokens, weights.mean(2), representation.mean(2))

    def rollout(self, tokens: Tensor) -> Tensor:
        """Return where each task looks (B, K, T), traced through self attention to the tokens."""
        weights = self.read_tokens(tokens).weights
        assert isinstance(self.encoder, SelfAttentionEncoder)
        return weights @ self.encoder.rollout(tokens).to(weights.dtype)

    @property
    def like(self) -> TaskNetwork:
        """The network itself, which says what an ensemble's networks are like."""
        return self

    def fields(self, tokens: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return what queries choose among, with what is chosen within it, and what is there.

        Parameters
        ----------
        tokens : Tensor of shape (B, T, D) or (B, Q, T, D)
            Tokens, each query's own in the second case.

        Returns
        -------
        fields : Tensor of shape (B, F, D) or (B, Q, F, D)
            Tokens that tasks choose among: fields, where tasks pool these.
        within : Tensor of shape (B, Q, T) or None
            Weight of each token within its field, where tasks pool fields.
        there : Tensor of shape (B, F) or (BQ, F), dtype bool, or None
            Which are of steps that are there; None where there are no steps.
        """
        fields, within, n_channels = tokens, None, self.n_channels
        if self.pooling is not None:
            fields, within = self.pooling(tokens, self.present(tokens))
            n_channels = n_channels and 1
        there = None
        if n_channels is not None:
            there = present_tokens(fields.flatten(0, -3), n_channels)
        return fields, within, there

    def within(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return where each task looks within the fields that hold several tokens.

        Parameters
        ----------
        inputs : mapping of str to Tensor
            Encoded rows.

        Returns
        -------
        weights : Tensor of shape (N, K)
            Attention of each token: that of its field times that within the field.
        """
        assert self.tokens.bags is not None
        codes = bag_codes(inputs)
        length = codes[2]
        fields = self.read(inputs).weights[..., -length.shape[1] :]  # B K F
        fields = fields.transpose(1, 2).flatten(0, 1).repeat_interleave(length.flatten(), dim=0)
        return fields * self.tokens.bags.within(*codes)

    def present(self, tokens: Tensor) -> Tensor | None:
        """Return which tokens (B, T) are of steps that are there; None where there are no steps."""
        return None if self.n_channels is None else present_tokens(tokens, self.n_channels)

    def encode(self, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Return the tokens with what they learn from each other (B, T, D): the keys' source."""
        if self.encoder is None:
            return tokens
        encoded: Tensor = self.encoder(tokens, token_mask)
        return encoded

    def by_task(self, read: Tensor, fields: Tensor) -> Tensor:
        """Return what queries read as (B, K, R, ...), R readers of each task.

        Parameters
        ----------
        read : Tensor of shape (B x Q, n_queries, ...)
            What every query has read in every list of `fields`.
        fields : Tensor of shape (B, F, D) or (B, Q, F, D)
            Where each query has a list of its own, it keeps what it read in that alone.
        """
        read = read.unflatten(1, (-1, self.n_readers))
        if fields.ndim == 4:
            read = read.unflatten(0, fields.shape[:2])  # B Q Q R ...
            read = read.diagonal(dim1=1, dim2=2).movedim(-1, 1)
        return read.expand(-1, self.n_tasks, -1, -1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs (B, K, M, C) of encoded rows, float32 at least."""
        return self.answer(self.tokens(inputs))

    @abstractmethod
    def answer(self, tokens: Tensor) -> Tensor:
        """Return the outputs (B, K, M, C) of tokens (B, T, D), float32 at least."""

    @abstractmethod
    def task_weights(self) -> Tensor:
        """Return omega (K,): how much each task weighs in what the tasks share."""

    def rows_at_a_time(self) -> int:
        """Return how many rows to evaluate at once: fewer for wide networks.

        Returns
        -------
        n_rows : int
            From 16 to 4096.
        """
        return min(max(CELLS_AT_A_TIME // self.cells_of_a_row(), 16), 4096)

    @abstractmethod
    def cells_of_a_row(self) -> int:
        """Return how many numbers the towers hold at once for a row, about."""


def build_encoder(
    sizes: Sizes, generator: torch.Generator
) -> SelfAttentionEncoder | StepContext | None:
    """Return what relates the fields of a row to each other.

    Parameters
    ----------
    sizes : Sizes
        Sizes of the network.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    encoder : nn.Module or None
        None where keys are the fields' own.
    """
    if sizes.attention == "cross":
        return None
    stack = sizes.embedding_dim, sizes.n_heads, sizes.n_layers, sizes.dropout
    if sizes.efficient is None and sizes.n_channels is not None:
        assert sizes.nearness is not None
        encoder = local_encoder(*stack, sizes.nearness, generator)
        # hierarchical attention has pooled the channels of a step before
        return StepContext(encoder, 1 if sizes.attention == "hierarchical" else sizes.n_channels)
    return unordered_encoder(*stack, sizes.efficient, generator)


class MultiTaskNetwork(TaskNetwork):
    """A network whose towers see all tokens, and what the other tasks read.

    Parameters
    ----------
    tokens : Tokens
        Turns encoded rows into tokens.
    n_tokens : int
        T.
    n_outputs : sequence of int
        Outputs of each task.
    sizes : Sizes
        Everything else.
    generator : torch.Generator
        Source of the initial weights.
    field : sequence of int, default=None
        The field of each token, for ``attention="hierarchical"``; None for a field each.
    """

    def __init__(
        self,
        tokens: Tokens,
        n_tokens: int,
        n_outputs: Sequence[int],
        sizes: Sizes,
        generator: torch.Generator,
        field: Sequence[int] | None = None,
    ) -> None:
        own = range(n_tokens) if field is None else field
        super().__init__(tokens, len(n_outputs), 1, sizes, generator, own)
        self.norm = nn.LayerNorm(sizes.embedding_dim, elementwise_affine=False)
        self.shared_scale = min(SHARED_DIM / sizes.embedding_dim, 1.0)
        self.mixture = TaskMixture(self.n_tasks)
        self.towers = GatedTowers(
            n_tokens,
            sizes.embedding_dim,
            sizes.n_members,
            n_outputs,
            sizes.hidden_layer_sizes,
            sizes.dropout,
            generator,
        )
        self.own_towers = LinearTowers(self.n_tasks, sizes.embedding_dim, max(n_outputs))

    def answer(self, tokens: Tensor) -> Tensor:
        """Return the outputs (B, K, M, C) of tokens (B, T, D), float32 at least."""
        _, weights, representation = self.read_tokens(tokens)
        representation = self.norm(representation)
        shared = self.shared_scale * self.mixture(representation)
        outputs: Tensor = self.towers(tokens, weights, shared)
        own: Tensor = self.own_towers(representation)
        return outputs + own.unsqueeze(2)  # one for all members

    def task_weights(self) -> Tensor:
        """Return omega (K,): how much each task weighs in what the tasks share."""
        return self.mixture.task_weights()

    def cells_of_a_row(self) -> int:
        """Return how many numbers the towers hold at once for a row, about."""
        n_members, _, n_inputs = self.towers.first.scale.shape
        return self.n_tasks * (n_inputs + n_members * self.towers.first.weight.shape[0])
