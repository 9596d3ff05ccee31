"""How sure a softmax of scores may be.

Shapes: N rows, I items.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The temperature stays between 1 / 16 and 16; what is added weighs 16 temperatures at the most.
LARGEST = 16.0

# By how much the temperature changes at the most where something is added to the scores.
LARGEST_CHANGE = 8.0

# Steps at the most; Newton's method takes about five.
N_STEPS = 30

# Scores looked at together.
SCORES_AT_A_TIME = 2**20


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


def best_temperature_and_weight(
    scores: Tensor, gains: Tensor, target: Tensor, weight: Tensor
) -> tuple[float, float]:
    r"""Return the temperature and the weight of what is added to scores that foretell best.

    .. math:: T, a = \arg\min_{T, a \ge 0} \sum_n w_n \Big(
              \log \sum_i e^{(s_{ni} + a f_{ni}) / T} - (s_{n y_n} + a f_{n y_n}) / T \Big)

    The sum is convex in :math:`1 / T` and :math:`a / T`, which Newton's steps find, halved where
    one does not lead down. T stays within 8 times the temperature of the scores alone, to either
    side, so that scores which say no more than the gains do still count, and a within 16 T.

    Parameters
    ----------
    scores : Tensor of shape (N, I)
        s.
    gains : Tensor of shape (N, I)
        f, of the same dtype.
    target : Tensor of shape (N,), dtype int64
        y, positions of items.
    weight : Tensor of shape (N,)
        w, not negative.

    Returns
    -------
    temperature : float
        T.
    added : float
        a.
    """
    features = scores, gains
    alone = 1.0 / best_temperature(scores, target, weight)
    lowest = torch.tensor([alone / LARGEST_CHANGE, 0.0]).double()
    highest = torch.tensor([alone * LARGEST_CHANGE, LARGEST]).double()
    point = torch.tensor([alone, 0.0]).double()
    loss, slope, curvature = _loss_and_slopes(features, point, target, weight)
    for _ in range(N_STEPS):
        step = _downhill(point, slope, curvature, lowest, highest)
        size = 1.0
        while size > 1e-3:
            trial = (point + size * step).clamp(lowest, highest)
            there = _loss_and_slopes(features, trial, target, weight)
            if there[0] <= loss:
                break
            size /= 2
        else:
            break
        moved = float((trial - point).abs().max())
        point, (loss, slope, curvature) = trial, there
        if moved < 1e-4 * float(point.abs().max()):
            break
    inverse, added = point.tolist()
    return 1.0 / inverse, added / inverse


def _downhill(
    point: Tensor, slope: Tensor, curvature: Tensor, lowest: Tensor, highest: Tensor
) -> Tensor:
    """Return Newton's step (2,) within the directions that do not lead out of the range."""
    free = ~(((point <= lowest) & (slope > 0)) | ((point >= highest) & (slope < 0)))
    step = torch.zeros_like(point)
    ridge = 1e-9 * curvature.diagonal().max().clamp(min=1e-9)
    some = curvature[free][:, free] + ridge * torch.eye(int(free.sum())).double()
    step[free] = torch.linalg.solve(some, -slope[free])
    return step


def _loss_and_slopes(
    features: tuple[Tensor, Tensor], point: Tensor, target: Tensor, weight: Tensor
) -> tuple[float, Tensor, Tensor]:
    """Return the loss at a point (2,), its slope (2,) and its curvature (2, 2)."""
    loss, slope, curvature = 0.0, torch.zeros(2).double(), torch.zeros(2, 2).double()
    inverse, added = point.tolist()
    for rows in torch.arange(len(target)).split(max(SCORES_AT_A_TIME // features[0].shape[1], 1)):
        some = [feature[rows] for feature in features]
        code, its_weight = target[rows, None], weight[rows].double()
        log_share = torch.log_softmax(inverse * some[0] + added * some[1], dim=1)
        share = log_share.exp()
        loss -= float((its_weight * log_share.gather(1, code).squeeze(1)).sum())
        off = [feature - (share * feature).sum(1, keepdim=True) for feature in some]
        for j, one in enumerate(off):
            slope[j] -= (its_weight * one.gather(1, code).squeeze(1)).sum()
            for k, other in enumerate(off):
                curvature[j, k] += (its_weight * (share * one * other).sum(1)).sum()
    return loss, slope, curvature
