"""The weights a network is judged and used by: a moving average of those that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    r"""An exponential moving average of a module's weights, taken after every step.

    .. math:: \bar\theta_t = d_t\,\bar\theta_{t-1} + (1 - d_t)\,\theta_t, \qquad
              d_t = \min\left(1 - \frac{1}{s}, \frac{1 + t}{10 + t}\right)

    with *s* the steps of a pass: the average of a pass, shorter at first. It does what a falling
    learning rate does, averages the noise of single batches away [1]_, but at any time, so that
    nobody need know beforehand how long training will take.

    The module holds the average; `training_weights` puts the weights that are trained in its place.

    Parameters
    ----------
    module : nn.Module
        Its weights at the start are those of the average too.

    References
    ----------
    .. [1] Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters: list[Tensor] = list(module.parameters())
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
            self._swap()

    def update(self, steps_per_pass: int) -> None:
        """Take the step just done into the average; the module holds the weights in training.

        Parameters
        ----------
        steps_per_pass : int
            Steps of a pass.
        """
        self.n_steps += 1
        decay = min(1.0 - 1.0 / steps_per_pass, (1 + self.n_steps) / (10 + self.n_steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.other, self.parameters, 1.0 - decay)

    def _swap(self) -> None:
        with torch.no_grad():
            for parameter, other in zip(self.parameters, self.other, strict=True):
                held = parameter.clone()
                parameter.copy_(other)
                other.copy_(held)
