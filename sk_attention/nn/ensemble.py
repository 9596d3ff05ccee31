"""Networks of the same sizes that answer together.

Shapes: B batch, T tokens, D embedding_dim, K tasks, M members, C outputs, N networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from .multi_task import Read, TaskNetwork


class NetworkEnsemble(nn.Module):
    """The members of all networks as those of one, in all that is asked of a network.

    A token is the tokens of all networks side by side, so that what is done to tokens is done to
    each; where a task looks, and what it reads, is the mean over the networks.

    Parameters
    ----------
    networks : sequence of TaskNetwork
        N networks, all built alike.
    """

    def __init__(self, networks: Sequence[TaskNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def like(self) -> TaskNetwork:
        """The last network, whose sizes and kind are those of all."""
        return self._each()[-1]

    def _each(self) -> list[TaskNetwork]:
        return [network for network in self.networks if isinstance(network, TaskNetwork)]

    def _pairs(self, tokens: Tensor) -> Iterator[tuple[TaskNetwork, Tensor]]:
        return zip(self._each(), tokens.chunk(len(self.networks), dim=-1), strict=True)

    def tokens(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return tokens (B, T, N x D), or (B, Q, T, N x D), of encoded rows."""
        return torch.cat([network.tokens(inputs) for network in self._each()], dim=-1)

    def answer(self, tokens: Tensor) -> Tensor:
        """Return the outputs (B, K, N x M, C) of tokens (B, T, N x D)."""
        return torch.cat([network.answer(part) for network, part in self._pairs(tokens)], dim=2)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs (B, K, N x M, C) of encoded rows."""
        return torch.cat([network(inputs) for network in self._each()], dim=2)

    def read(self, inputs: Mapping[str, Tensor]) -> Read:
        """Return what each task reads in encoded rows."""
        tokens, weights, representation = zip(
            *(network.read(inputs) for network in self._each()), strict=True
        )
        return Read(torch.cat(tokens, dim=-1), _mean(weights), _mean(representation))

    def rollout(self, tokens: Tensor) -> Tensor:
        """Return where each task looks, traced to the features (B, K, T), see `TaskNetwork`."""
        return _mean([network.rollout(part) for network, part in self._pairs(tokens)])

    def task_weights(self) -> Tensor:
        """Return omega (K,): how much each task weighs in what the tasks share."""
        return _mean([network.task_weights() for network in self._each()])

    def rows_at_a_time(self) -> int:
        """Return how many rows to evaluate at once: as one network would, they take turns."""
        return self.like.rows_at_a_time()


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors of the same shape."""
    return torch.stack(list(tensors)).mean(dim=0)
