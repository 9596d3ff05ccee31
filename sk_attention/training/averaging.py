"""The weights a network is judged and used by: a moving average of those that are trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# A decay of 0 has no logarithm; this one leaves as little of what was before.
LEAST_DECAY = 1e-30

# Rows of a table that are settled at once, so that no copy of all of it is held.
ROWS_AT_A_TIME = 2**16


class WeightAverage:
    r"""An exponential moving average of a module's weights, taken after every step.

    .. math:: \bar\theta_t = d_t\,\bar\theta_{t-1} + (1 - d_t)\,\theta_t, \qquad
              d_t = \min\left(1 - \frac{1}{s}, \frac{1 + t}{10 + t}\right)

    with *s* the steps of a pass: the average of a pass, shorter at first. It does what a falling
    learning rate does, averages the noise of single batches away [1]_, but at any time, so that
    nobody need know beforehand how long training will take.

    The module holds the average; `training_weights` puts the weights that are trained in its place.

    Tables of which a step touches few rows are averaged row by row: a row that keeps its weights
    for some steps is averaged over all of them at once, before it next changes.

    Parameters
    ----------
    module : nn.Module
        Its weights at the start are those of the average too.
    tables : collection of str, default=()
        Names of the parameters whose gradients are sparse.

    References
    ----------
    .. [1] Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, module: nn.Module, tables: Collection[str] = ()) -> None:
        named = dict(module.named_parameters())
        self.tables = [TableAverage(named.pop(name)) for name in tables]
        self.parameters: list[Tensor] = list(named.values())
        self.other = [parameter.detach().clone() for parameter in self.parameters]
        self.n_steps = 0

    @contextmanager
    def training_weights(self) -> Iterator[None]:
        """Let the module hold the weights that are trained.

        Yields
        ------
        None
        """
        self._swap()
        try:
            yield
        finally:
            for table in self.tables:
                table.settle()
            self._swap()

    @torch.no_grad()
    def before_step(self) -> None:
        """Settle the rows that have a gradient, which is coalesced: the next step changes them."""
        for table in self.tables:
            if table.weights.grad is not None:
                table.settle_rows(table.weights.grad.indices()[0])

    @torch.no_grad()
    def update(self, steps_per_pass: int) -> None:
        """Take the step just done into the average; the module holds the weights in training.

        Parameters
        ----------
        steps_per_pass : int
            Steps of a pass.
        """
        self.n_steps += 1
        decay = min(1.0 - 1.0 / steps_per_pass, (1 + self.n_steps) / (10 + self.n_steps))
        torch._foreach_lerp_(self.other, self.parameters, 1.0 - decay)
        for table in self.tables:
            table.log_decay += math.log(max(decay, LEAST_DECAY))

    @torch.no_grad()
    def _swap(self) -> None:
        pairs = zip(self.parameters, self.other, strict=True)
        for parameter, other in [*pairs, *((table.weights, table.other) for table in self.tables)]:
            held = parameter.clone()
            parameter.copy_(other)
            other.copy_(held)


class TableAverage:
    r"""The average of a table's rows, each up to date as of some step.

    A row whose weights stay :math:`\theta` from step *s* to step *t* has the average
    :math:`\bar\theta_t = D\,\bar\theta_s + (1 - D)\,\theta` with :math:`D = \prod_{r=s+1}^{t} d_r`.

    Parameters
    ----------
    weights : nn.Parameter of shape (R, ...)
        The table.
    """

    def __init__(self, weights: nn.Parameter) -> None:
        self.weights = weights
        self.other = weights.detach().clone()
        self.log_decay = 0.0  # the sum of log d since all rows were settled
        self.settled = torch.zeros(len(weights), dtype=torch.float64, device=weights.device)

    def settle_rows(self, rows: Tensor) -> None:
        """Bring some rows' averages up to date, before these rows change.

        Parameters
        ----------
        rows : Tensor of dtype int64
            Which.
        """
        share = 1.0 - (self.log_decay - self.settled[rows]).exp()
        self.settled[rows] = self.log_decay
        share = share.to(self.other.dtype).view(-1, *[1] * (self.other.ndim - 1))
        self.other[rows] = torch.lerp(self.other[rows], self.weights[rows], share)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring all rows' averages up to date."""
        for rows in torch.arange(len(self.other), device=self.other.device).split(ROWS_AT_A_TIME):
            self.settle_rows(rows)
        self.log_decay = 0.0
        self.settled.zero_()
