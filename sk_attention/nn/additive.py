"""The network whose outputs are sums over tokens.

Shapes: B batch, T tokens, D embedding_dim, K tasks, R readers of a task, C outputs, N tokens of all
bags of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .multi_task import Read, Sizes, TaskNetwork
from .tokens import Tokens, bag_codes
from .towers import AdditiveTowers


class AdditiveNetwork(TaskNetwork):
    """A network that can say what each token adds to each output.

    Every reader of a task has a query of its own, and a linear tower on the values that it reads;
    the outputs of a task are the mean over its readers. Context moves the attention weights, never
    the values, and no task sees what another reads. A task that pools fields reads every token of
    theirs with the weight of the field times that within it.

    A text, or another field of several tokens, has a learned key that does not depend on what it
    holds: its words say what they say, and not how much is read of other fields. Otherwise they
    would speak through those, and what a text tells would be told of its neighbours
    (docs/decisions/0021-contributions-of-tokens.md).

    Parameters
    ----------
    tokens : Tokens
        Turns encoded rows into tokens.
    n_tokens : int
        T.
    n_outputs : sequence of int
        Outputs of each task.
    sizes : Sizes
        Everything else: ``n_members`` are the readers, and towers have no hidden layers.
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
        super().__init__(tokens, len(n_outputs), sizes.n_members, sizes, generator, own)
        self.towers = AdditiveTowers(
            n_tokens, sizes.embedding_dim, sizes.n_members, n_outputs, generator
        )
        n_texts = 0 if tokens.bags is None else len(tokens.bags.empty)
        n_texts += 0 if tokens.vectors is None else len(tokens.vectors.sizes)
        self.text_key: nn.Parameter | None = None
        if n_texts:
            self.text_key = nn.Parameter(torch.empty(n_texts, sizes.embedding_dim))
            nn.init.normal_(self.text_key, std=sizes.embedding_dim**-0.5, generator=generator)

    def forbid(self, forbidden: Tensor) -> None:
        """Keep tasks from tokens, for good.

        Where keys are the tokens' own, nothing of a token then reaches the task: its attention is
        exactly 0, and no other token's attention or value depends on it.

        Parameters
        ----------
        forbidden : Tensor of shape (K, T), dtype bool
            True where a task must not read a token.
        """
        self.reading.forbidden = forbidden.repeat_interleave(self.n_readers, dim=0)

    def answer(self, tokens: Tensor) -> Tensor:
        """Return the outputs (B, K, 1, C) of tokens as in `read_tokens`: a single member's."""
        outputs: Tensor = self.towers(self.reading.value(tokens), self.reader_weights(tokens))
        return outputs.unsqueeze(2)

    def contributions(self, tokens: Tensor) -> Tensor:
        """Return what each token adds to each output (B, K, C, T)."""
        return self.towers.contributions(self.reading.value(tokens), self.reader_weights(tokens))

    def bag_contributions(self, inputs: Mapping[str, Tensor], mean: Tensor) -> Tensor:
        r"""Return what each token of fields of several tokens adds to each output (N, K, C).

        A field's token is the mean of its tokens' vectors by the attention :math:`\alpha_{ij|f}`
        within it, and outputs are linear in it: so token *j* adds

        .. math:: c_{ij} = \alpha_{ij|f} \Big(s_{ij} - \sum_{k \in f} \alpha_{ik|f} s_{ik}
                  + c_{if} - \bar c_{if}\Big),

        where :math:`c_{if}` is what the field adds and :math:`s_{ij}` what it would add if there
        were nothing in it but the token. They sum to :math:`c_{if} - \bar c_{if}`.

        Parameters
        ----------
        inputs : mapping of str to Tensor
            Encoded rows, such as have bags.
        mean : Tensor of shape (K, C, T)
            :math:`\bar c_{if}`: what to count from.
        """
        bags = self.tokens.bags
        assert bags is not None
        codes = bag_codes(inputs)
        id, value, length, _ = codes
        n_bags = length.shape[1]
        field = torch.repeat_interleave(length.flatten())  # of each token
        row, bag = field // n_bags, field % n_bags
        tokens = self.tokens(inputs)
        weights = self.reader_weights(tokens)
        gates = self.towers.gates(weights)  # B K R T
        effects = gates.new_empty(len(id), *mean.shape[:2])  # N K C
        values = F.linear(bags.vectors(id, value), self.reading.value.weight)
        for j in range(n_bags):
            own, token = (bag == j).nonzero().squeeze(1), j - n_bags
            effects[own] = self.towers.within(values[own], gates[row[own], ..., token], token)
        within = bags.within(*codes).unsqueeze(-1)  # N Q 1
        added = within * effects
        whole = self.towers.contributions(self.reading.value(tokens), weights) - mean  # B K C T
        whole = whole[..., -n_bags:].movedim(-1, 1).flatten(0, 1)  # BF K C
        rest: Tensor = whole - torch.zeros_like(whole).index_add(0, field, added)
        return added + within * rest[field]

    def task_weights(self) -> Tensor:
        """Return omega (K,): the tasks share nothing, so that all weigh alike."""
        return torch.full((self.n_tasks,), 1.0 / self.n_tasks)

    def cells_of_a_row(self) -> int:
        """Return how many numbers the towers hold at once for a row, about."""
        n_tokens, dim, n_columns = self.towers.weight.shape
        return n_tokens * (dim + n_columns)

    def read_tokens(self, tokens: Tensor) -> Read:
        """Return what each task reads in tokens: the mean over its readers."""
        weights = self.reader_weights(tokens)  # B K R T
        values = self.reading.value(tokens)  # B T D, or B Q T D
        values = values.unsqueeze(1) if values.ndim == 3 else values
        representation = weights.to(values.dtype).mean(2).unsqueeze(2) @ values
        return Read(tokens, weights.mean(2), representation.squeeze(2))

    def reader_weights(self, tokens: Tensor) -> Tensor:
        """Return the attention weights of each reader of each task (B, K, R, T)."""
        if self.text_key is not None:
            own = tokens[:, 0] if tokens.ndim == 4 else tokens  # but for texts all lists are alike
            keys = self.text_key.to(tokens.dtype).expand(len(tokens), -1, -1)
            tokens = torch.cat([own[:, : -len(self.text_key)], keys], dim=1)
        fields, within, there = self.fields(tokens)
        lists = fields.flatten(0, -3)
        weights = self.reading.weights(self.encode(lists, there), there).mean(1)
        weights = self.by_task(weights, fields)
        if self.pooling is None or within is None:
            return weights
        of_tokens: Tensor = weights[..., self.pooling.field] * within.unsqueeze(2)
        return of_tokens
