"""Losses of a ranking of all items, computed a slice of the targets at a time.

Shapes: N targets, D embedding_dim, I items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .recommender import Scoring

# Scores held at once: so few that they stay near the processor.
SCORES_AT_A_TIME = 2**20

TrainingLoss = Callable[[Scoring, Tensor, Tensor], Tensor]


def target_slices(n_targets: int, n_items: int) -> Iterator[slice]:
    """Yield slices of the targets, so small that their scores of all items are quick to hold.

    Parameters
    ----------
    n_targets : int
        N.
    n_items : int
        I.

    Yields
    ------
    rows : slice
        Consecutive targets.
    """
    size = max(SCORES_AT_A_TIME // max(n_items, 1), 32)
    for start in range(0, n_targets, size):
        yield slice(start, start + size)


def item_scores(hidden: Tensor, items: Tensor, bias: Tensor) -> Tensor:
    """Return the scores (N, I), float32 at least.

    Parameters
    ----------
    hidden : Tensor of shape (N, D)
        Histories.
    items : Tensor of shape (I, D)
        Items, in the same dtype.
    bias : Tensor of shape (I,)
        What an item scores whatever the history.

    Returns
    -------
    scores : Tensor of shape (N, I)
        The higher, the better.
    """
    return F.linear(hidden, items).to(bias.dtype) + bias


class _LinearCrossEntropy(torch.autograd.Function):
    """Cross entropy of a linear layer, with its gradients, while a slice of scores is at hand.

    The scores of all targets are never held, and none is computed twice.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, items: Tensor, bias: Tensor, code: Tensor, weight: Tensor
    ) -> Tensor:
        total = bias.new_zeros(())
        to_hidden, to_items, to_bias = map(torch.zeros_like, (hidden, items, bias))
        vectors = items.to(hidden.dtype)
        for rows in target_slices(len(code), len(items)):
            scores = item_scores(hidden[rows], vectors, bias)
            own, its_weight = code[rows].unsqueeze(1), weight[rows].unsqueeze(1).to(bias.dtype)
            largest = scores.amax(1, keepdim=True)
            target_score = scores.gather(1, own)
            share = scores.sub_(largest).exp_()
            size = share.sum(1, keepdim=True)
            total += (its_weight * (size.log() + largest - target_score)).sum()
            share.mul_(its_weight / size).scatter_add_(1, own, -its_weight)
            to_bias += share.sum(0)
            share = share.to(hidden.dtype)
            to_hidden[rows] = share @ vectors
            to_items += share.T @ hidden[rows]
        ctx.save_for_backward(to_hidden, to_items, to_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        to_hidden, to_items, to_bias = ctx.saved_tensors
        return grad.to(to_hidden.dtype) * to_hidden, grad * to_items, grad * to_bias, None, None


def next_item_cross_entropy(outputs: Scoring, target: Tensor, weight: Tensor) -> Tensor:
    r"""Return the weighted mean cross entropy of the next item among all items.

    .. math:: L = \frac{1}{N} \sum_n w_n \Big( \log \sum_i e^{s_{ni}} - s_{n y_n} \Big)

    Parameters
    ----------
    outputs : Scoring
        What gives the scores s.
    target : Tensor of shape (N,), dtype int64
        Item codes from 1; unknown items (0) must weigh nothing.
    weight : Tensor of shape (N,)
        w, of mean 1.

    Returns
    -------
    loss : Tensor of shape (1,)
        The loss.
    """
    hidden, items, bias = outputs
    assert isinstance(items, Tensor)
    code = (target - 1).clamp(min=0)
    total: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, items, bias, code, weight
    )
    return (total / max(len(target), 1)).unsqueeze(0)


def expected_items(outputs: Scoring) -> tuple[Tensor, Tensor]:
    r"""Return the mean vector of the items that are expected next, and how high they score.

    .. math:: \bar{e}_n = \sum_i p_{ni} e_i, \quad p_{ni} = e^{s_{ni} - z_n}, \quad
              z_n = \log \sum_i e^{s_{ni}}

    Parameters
    ----------
    outputs : Scoring
        What gives the scores s.

    Returns
    -------
    vectors : Tensor of shape (N, D)
        Mean vectors.
    height : Tensor of shape (N,)
        z.
    """
    hidden, items, bias = outputs
    assert isinstance(items, Tensor)
    vectors, heights = [], []
    for rows in target_slices(len(hidden), len(items)):
        scores = item_scores(hidden[rows], items.to(hidden.dtype), bias)
        vectors.append(scores.softmax(1).to(items.dtype) @ items)
        heights.append(scores.logsumexp(1))
    return torch.cat(vectors), torch.cat(heights)


def missed_gain(outputs: Scoring, target: Tensor, weight: Tensor, k: int = 10) -> Tensor:
    r"""Return 1 - NDCG@k of one target each: what a ranking of all items leaves to be gained.

    Parameters
    ----------
    outputs : Scoring
        What gives the scores.
    target : Tensor of shape (N,), dtype int64
        Item codes from 1, 0 for an unknown item: a miss.
    weight : Tensor of shape (N,)
        Weights of mean 1.
    k : int, default=10
        Positions that count.

    Returns
    -------
    missed : Tensor of shape (1,)
        From 0 to 1. Items that tie with the target count half.
    """
    hidden, items, bias = outputs
    assert isinstance(items, Tensor)
    gains = []
    for rows in target_slices(len(target), len(items)):
        scores = item_scores(hidden[rows], items.to(hidden.dtype), bias)
        own = scores.gather(1, (target[rows] - 1).clamp(min=0).unsqueeze(1))
        above = (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        gain = torch.where(above < k, 1 / torch.log2(above + 2), 0.0)
        gains.append(gain * (target[rows] > 0))
    gain = torch.cat(gains) if gains else hidden.new_zeros(0)
    return 1.0 - ((gain * weight).sum() / max(len(target), 1)).unsqueeze(0)


class RankingLoss(nn.Module):
    """What a ranking is trained by, and what is missed of NDCG@10 otherwise.

    Parameters
    ----------
    in_training : callable, default=next_item_cross_entropy
        Outputs, target and weight -> loss (1,).
    """

    def __init__(self, in_training: TrainingLoss = next_item_cross_entropy) -> None:
        super().__init__()
        self.in_training = in_training

    def forward(self, outputs: Scoring, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss (1,) of targets (N,) of weights (N,)."""
        loss = self.in_training if self.training else missed_gain
        return loss(outputs, target, weight)
