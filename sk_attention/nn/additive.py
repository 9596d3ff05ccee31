"""The network whose outputs are sums over tokens.

Shapes: B batch, T tokens, D embedding_dim, K tasks, R readers of a task, C outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .multi_task import Sizes, TaskNetwork
from .tokens import Tokens
from .towers import AdditiveTowers


class AdditiveNetwork(TaskNetwork):
    """A network that can say what each token adds to each output.

    Every reader of a task has a query of its own, and a linear tower on the values that it reads;
    the outputs of a task are the mean over its readers. Context moves the attention weights, never
    the values, and no task sees what another reads.

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
    """

    def __init__(
        self,
        tokens: Tokens,
        n_tokens: int,
        n_outputs: Sequence[int],
        sizes: Sizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(tokens, len(n_outputs), sizes.n_members, sizes, generator)
        self.towers = AdditiveTowers(
            n_tokens, sizes.embedding_dim, sizes.n_members, n_outputs, generator
        )

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
        """Return the outputs (B, K, 1, C) of tokens (B, T, D), those of a single member."""
        outputs: Tensor = self.towers(self.reading.value(tokens), self._reader_weights(tokens))
        return outputs.unsqueeze(2)

    def contributions(self, tokens: Tensor) -> Tensor:
        """Return what each token adds to each output (B, K, C, T)."""
        return self.towers.contributions(self.reading.value(tokens), self._reader_weights(tokens))

    def task_weights(self) -> Tensor:
        """Return omega (K,): the tasks share nothing, so that all weigh alike."""
        return torch.full((self.n_tasks,), 1.0 / self.n_tasks)

    def cells_of_a_row(self) -> int:
        """Return how many numbers the towers hold at once for a row, about."""
        n_tokens, dim, n_columns = self.towers.weight.shape
        return n_tokens * (dim + n_columns)

    def _reader_weights(self, tokens: Tensor) -> Tensor:
        """Return the attention weights of each reader of each task (B, K, R, T)."""
        there = self.present(tokens)
        return self.by_task(self.reading.weights(self.encode(tokens, there), there).mean(1))
