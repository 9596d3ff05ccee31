"""How sure a softmax of scores may be.

Shapes: N rows, I items.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The temperature stays between 1 / 16 and 16.
LARGEST = 16.0

# Steps at the most; Newton's method takes about five.
N_STEPS = 30


def best_temperature(scores: Tensor, target: Tensor, weight: Tensor) -> float:
    r"""Return the temperature at which a softmax foretells the targets best [1]_.

    .. math:: T = \arg\min_T \sum_n w_n \Big( \log \sum_i e^{s_{ni} / T} - s_{n y_n} / T \Big)

    The sum is convex in :math:`\beta = 1 / T`. Its slope is how much higher the scores are expected
    to be than the targets' are, its curvature their variance: Newton's steps, halving where one
    would leave what is left of the range.

    Parameters
    ----------
    scores : Tensor of shape (N, I)
        s.
    target : Tensor of shape (N,), dtype int64
        y, positions of items.
    weight : Tensor of shape (N,)
        w, not negative.

    Returns
    -------
    temperature : float
        T, from 1 / 16 to 16.

    References
    ----------
    .. [1] Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    own = scores.gather(1, target.unsqueeze(1)).squeeze(1)
    low, high, beta = 1.0 / LARGEST, LARGEST, 1.0
    for _ in range(N_STEPS):
        share = torch.softmax(scores * beta, dim=1)
        mean = (share * scores).sum(1)
        variance = (share * scores.square()).sum(1) - mean.square()
        slope = float((weight * (mean - own)).sum())
        curvature = float((weight * variance).sum())
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = beta - slope / curvature if curvature > 0 else 0.0
        if not low < step < high:
            step = (low * high) ** 0.5
        if abs(step - beta) < 1e-5 * beta:
            break
        beta = step
    return 1.0 / beta
