"""Building blocks that draw their random numbers from a generator of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def linear(n_in: int, n_out: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    """Return an ``nn.Linear`` drawn from ``generator``, leaving torch's global one untouched.

    Parameters
    ----------
    n_in : int
        Size of the input.
    n_out : int
        Size of the output.
    generator : torch.Generator
        Source of the initial weights, uniform in +-1 / sqrt(n_in).
    bias : bool, default=True
        Whether the layer adds a bias, zero at first.

    Returns
    -------
    layer : nn.Linear
        The initialised layer, float32 on the CPU.
    """
    layer: nn.Linear = torch.nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias)
    uniform_(layer.weight, n_in, generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def uniform_(parameter: Tensor, n_in: int, generator: torch.Generator) -> None:
    """Fill ``parameter`` in place with a uniform draw in +-1 / sqrt(n_in).

    Parameters
    ----------
    parameter : Tensor
        Any shape.
    n_in : int
        How many terms are summed where the parameter is used.
    generator : torch.Generator
        Source of the draw.
    """
    bound = max(n_in, 1) ** -0.5
    nn.init.uniform_(parameter, -bound, bound, generator=generator)


class Drawing(nn.Module):
    """A layer that draws from a generator of its own while training."""

    def __init__(self) -> None:
        super().__init__()
        self.generator: torch.Generator | None = None


class Dropout(Drawing):
    """Dropout that draws from its own generator, so that threads cannot disturb each other.

    Parameters
    ----------
    p : float
        Probability of zeroing an element while training.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements of ``x`` with probability ``p`` and scale the rest by ``1 / (1 - p)``."""
        if not self.training or self.p == 0.0:
            return x
        keep = torch.empty_like(x).bernoulli_(1.0 - self.p, generator=self.generator)
        return x * keep / (1.0 - self.p)


class CodeDropout(Dropout):
    """Dropout of codes: those that are dropped become 0, the code of what is not known.

    Parameters
    ----------
    p : float
        Probability of dropping a code while training.
    """

    def forward(self, codes: Tensor) -> Tensor:
        """Put 0 in the place of ``codes`` with probability ``p``."""
        if not self.training or self.p == 0.0:
            return codes
        keep = torch.empty(codes.shape, device=codes.device)
        return codes * keep.bernoulli_(1.0 - self.p, generator=self.generator).to(codes.dtype)


class TokenDropout(Dropout):
    """Dropout of tokens: the mass of those that are dropped becomes 0, that of others stays.

    Parameters
    ----------
    p : float
        Probability of dropping a token while training.
    """

    def forward(self, mass: Tensor) -> Tensor:
        """Put 0 in the place of ``mass`` with probability ``p``."""
        if not self.training or self.p == 0.0:
            return mass
        return mass * torch.empty_like(mass).bernoulli_(1.0 - self.p, generator=self.generator)


def seed_draws(module: nn.Module, generator: torch.Generator | None) -> None:
    """Hand ``generator`` to every `Drawing` inside ``module`` (None takes it away again).

    Parameters
    ----------
    module : nn.Module
        Any network or loss.
    generator : torch.Generator or None
        On the device where its layers draw.
    """
    for layer in module.modules():
        if isinstance(layer, Drawing):
            layer.generator = generator
