"""Items drawn for a loss that does not look at all of them.

Shapes: I items, S drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .layers import Drawing

# Half of what is drawn for the sampled softmax comes from all items alike, half by popularity: the
# popular items are those that score high, and the others must not be forgotten.
POPULAR_SHARE = 0.5


def draw_negatives(n_negatives: int, log_share: Tensor, generator: torch.Generator) -> Tensor:
    """Draw items with replacement, in proportion to ``exp(log_share)``.

    Parameters
    ----------
    n_negatives : int
        S.
    log_share : Tensor of shape (I,)
        Logarithms of how often each item is drawn; they need not sum to 1.
    generator : torch.Generator
        Source of the draw, on the device of ``log_share``.

    Returns
    -------
    codes : Tensor of shape (S,), dtype int64
        Positions of the items, from 0.
    """
    return _draw(n_negatives, _cumulated(log_share), generator)


def _cumulated(log_share: Tensor) -> Tensor:
    # in double precision: the shares of millions of items are lost in a float32 sum
    return log_share.double().exp().cumsum(0)


def _draw(n_negatives: int, cumulated: Tensor, generator: torch.Generator) -> Tensor:
    place = torch.rand(
        n_negatives, generator=generator, dtype=cumulated.dtype, device=cumulated.device
    )
    total = cumulated[-1]
    # rounding must not lead behind the last item that can be drawn
    place = (place * total).clamp(max=torch.nextafter(total, total.new_zeros(())))
    return torch.searchsorted(cumulated, place, right=True)


def mixed_log_share(weight: Tensor, popular_share: float) -> Tensor:
    r"""Return the logarithm of how often each item is drawn from a mixture.

    .. math:: \log\left(\frac{1 - \pi}{I} + \pi \frac{w_i}{\sum_j w_j}\right)

    Parameters
    ----------
    weight : Tensor of shape (I,)
        w, how popular each item is.
    popular_share : float
        :math:`\pi`, the share that is drawn by popularity.

    Returns
    -------
    log_share : Tensor of shape (I,), dtype float64
        Of shares that sum to 1.
    """
    weight = weight.double()
    return ((1 - popular_share) / len(weight) + popular_share * weight / weight.sum()).log()


class Drawn(NamedTuple):
    """Items that were drawn, and the logarithm of each one's chance in a single draw."""

    code: Tensor  # S
    log_share: Tensor  # S


class Negatives(Drawing):
    """Draws items, from its own generator while there is one; on the CPU, where so few are quick.

    Parameters
    ----------
    n_negatives : int
        S.
    log_share : Tensor of shape (I,)
        Logarithms of the items' shares, which sum to 1.
    """

    def __init__(self, n_negatives: int, log_share: Tensor) -> None:
        super().__init__()
        self.n_negatives = n_negatives
        self.log_share = log_share
        self.cumulated = _cumulated(log_share)

    def forward(self, device: torch.device) -> Drawn:
        """Return a new draw on ``device``."""
        assert self.generator is not None  # drawing is for training, which hands one over
        code = _draw(self.n_negatives, self.cumulated, self.generator)
        return Drawn(code.to(device), self.log_share[code].to(device, torch.float32))
