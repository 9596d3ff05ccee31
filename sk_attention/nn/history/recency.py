"""How long ago events were: biases of attention by lag and by time.

Shapes: B histories, L tokens, T moments at which something is asked, H heads, N targets.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

# Gaps in time are told apart by half octaves, from 2 ** -10 to 2 ** 10 of the usual gap.
GAP_OCTAVES = 10
N_GAPS = 4 * GAP_OCTAVES + 1

# Exponents within +-30 can be raised, multiplied and summed in float32 without a look at the
# largest among them.
LARGEST_EXPONENT = 30.0


def bounded(exponent: Tensor) -> Tensor:
    """Return ``exponent``, held within +-30.

    Parameters
    ----------
    exponent : Tensor
        Products of queries and keys, or biases; far smaller in practice.

    Returns
    -------
    exponent : Tensor
        Of the same shape.
    """
    return exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)


def gap_codes(later: Tensor, earlier: Tensor, usual_gap: float) -> Tensor:
    r"""Return which bucket of a logarithmic scale the time between two events falls into.

    .. math:: \mathrm{round}\big(2 \log_2(\Delta t / \bar{\Delta}) + 2 o\big),

    clipped to the scale, with :math:`\bar{\Delta}` the usual gap and *o* the octaves of the scale
    to either side of it.

    Parameters
    ----------
    later, earlier : Tensor
        Times, of shapes that broadcast.
    usual_gap : float
        The unit of time.

    Returns
    -------
    codes : Tensor of dtype int64
        From 0 to N_GAPS - 1.
    """
    gap = (later - earlier).clamp(min=0) / usual_gap
    octave = gap.clamp(2.0**-GAP_OCTAVES, 2.0**GAP_OCTAVES).log2()
    return (2 * (octave + GAP_OCTAVES)).round().long()


class Distances(NamedTuple):
    """How far back each token lies from where something is asked, in events and in time."""

    lag: Tensor  # (T, L) or (B, T, L), negative for tokens that come later
    gaps: Tensor | None  # (B, T, L), codes; None where times are not known


class Moments(NamedTuple):
    """When the tokens were, and when it is asked what comes next after each of them."""

    time: Tensor  # B L
    asked: Tensor  # B L
    usual_gap: float | None  # None where times are not known
    session: Tensor | None = None  # (B, L), equal for successive tokens of one session

    def everywhere(self) -> Distances:
        """Return the distances from every token to every other (T = L)."""
        steps = torch.arange(self.time.shape[1], device=self.time.device)
        return Distances(steps[:, None] - steps, self._gaps(self.asked, self.time))

    def at(self, position: Tensor) -> Distances:
        """Return the distances (N, 1, L) from the tokens at ``position`` (N,) of the flat B x L."""
        length = self.time.shape[1]
        row, step = position // length, position % length
        lag = step[:, None, None] - torch.arange(length, device=position.device)
        return Distances(lag, self._gaps(self.asked[row, step][:, None], self.time[row]))

    def last_gap(self) -> Tensor:
        """Return how long ago each token is when what comes next is asked, as codes (B, L)."""
        assert self.usual_gap is not None
        return gap_codes(self.asked, self.time, self.usual_gap)

    def _gaps(self, asked: Tensor, time: Tensor) -> Tensor | None:
        if self.usual_gap is None:
            return None
        return gap_codes(asked[:, :, None], time[:, None, :], self.usual_gap)


class Recency(nn.Module):
    """Learned biases of attention: by how many events and how much time lie between [1]_.

    Parameters
    ----------
    max_history : int
        L at the most.
    n_heads : int
        H.
    timed : bool
        Whether times are known.

    References
    ----------
    .. [1] Zhai et al., "Actions speak louder than words: trillion-parameter sequential transducers
       for generative recommendations", ICML 2024.
    """

    def __init__(self, max_history: int, n_heads: int, timed: bool) -> None:
        super().__init__()
        self.lag_bias = nn.Parameter(torch.zeros(max_history, n_heads))
        self.gap_bias = nn.Parameter(torch.zeros(N_GAPS, n_heads)) if timed else None

    def forward(self, distances: Distances) -> Tensor:
        """Return the bias (B, H, T, L) or (H, T, L), -inf for what comes later."""
        lag, gaps = distances
        bias = self.lag_bias[lag.clamp(min=0)]
        if self.gap_bias is not None:
            assert gaps is not None
            bias = bias + self.gap_bias[gaps]
        return bias.movedim(-1, -3).masked_fill((lag < 0).unsqueeze(-3), -torch.inf)
