"""Attention weights of which many are exactly 0.

Shapes: T tokens, along the last dimension unless sums say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Newton's steps to the threshold; it is reached after about ten for thousands of tokens.
MOST_STEPS = 50

# 1 / (alpha - 1) of the alpha-entmax: 2 for sparsemax, 1.5 for entmax.
POWERS = {"sparsemax": 1, "entmax": 2}


def _total(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)


def _top(x: Tensor) -> Tensor:
    return x.amax(-1, keepdim=True)


def sparse_weights(
    similarity: Tensor,
    normalization: str,
    mass: Tensor,
    total: Callable[[Tensor], Tensor] = _total,
    top: Callable[[Tensor], Tensor] = _top,
) -> Tensor:
    r"""Return weights that are a power of what rises above a threshold.

    .. math:: \alpha_j = m_j \Big[\frac{s_j}{p} - \tau\Big]_+^p, \qquad
              \tau \text{ such that } \sum_j \alpha_j = 1

    with :math:`p = 1` for sparsemax [1]_, the nearest distribution to *s*, and :math:`p = 2` for
    the 1.5-entmax [2]_, between that and the softmax. A token of mass :math:`m_j = 2` weighs as
    two of mass 1.

    The sum falls with the threshold and is convex, so that Newton's method from below finds it; the
    last step is left to the gradients, which the implicit function theorem makes exact.

    Parameters
    ----------
    similarity : Tensor of shape (..., T)
        s.
    normalization : {"sparsemax", "entmax"}
        Which power.
    mass : Tensor of shape (..., T)
        m, not negative; a token of mass 0 gets 0.
    total : callable, default=_total
        Sums a tensor of shape (..., T) over the tokens that a distribution is over, in a shape that
        broadcasts.
    top : callable, default=_top
        The same for the largest.

    Returns
    -------
    weights : Tensor of shape (..., T)
        Not negative; they sum to 1, or to 0 where all masses are 0.

    References
    ----------
    .. [1] Martins and Astudillo, "From softmax to sparsemax", ICML 2016.
    .. [2] Peters, Niculae and Martins, "Sparse sequence-to-sequence models", ACL 2019.

    Examples
    --------
    >>> import torch
    >>> from sk_attention.nn.sparsity import sparse_weights
    >>> similarity, mass = torch.tensor([1.0, 0.5, -1.0]), torch.ones(3)
    >>> sparse_weights(similarity, "sparsemax", mass)
    tensor([0.7500, 0.2500, 0.0000])
    """
    power = POWERS[normalization]
    real = mass > 0
    highest = top(similarity.detach().masked_fill(~real, -torch.inf))
    height = (similarity - torch.where(highest.isfinite(), highest, 0.0)) / power
    with torch.no_grad():
        # at this threshold some token alone has a weight of 1 at least
        alone = height - mass.clamp(min=torch.finfo(mass.dtype).tiny) ** (-1 / power)
        threshold = top(alone.masked_fill(~real, -torch.inf))
        threshold = torch.where(threshold.isfinite(), threshold, 0.0)
        for _ in range(MOST_STEPS):
            step = _newton(height, mass, threshold, power, total)
            if not (step > torch.finfo(step.dtype).eps * (1 + threshold.abs())).any():
                break
            threshold = threshold + step.clamp(min=0)
    threshold = threshold + _newton(height, mass, threshold, power, total)
    return mass * (height - threshold).clamp(min=0) ** power


def _newton(
    height: Tensor,
    mass: Tensor,
    threshold: Tensor,
    power: int,
    total: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return how much to raise the threshold; gradients pass to ``height``."""
    above = height - threshold
    share = mass * above.clamp(min=0) ** power
    slope = total((mass * (above > 0) * power * above.clamp(min=0) ** (power - 1)).detach())
    return (total(share) - 1.0) * (slope > 0) / torch.where(slope > 0, slope, 1.0)
