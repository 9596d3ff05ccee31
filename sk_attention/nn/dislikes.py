"""What is learned of items that users turned down.

Shapes: N targets, M items turned down, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .items import vectors_of
from .layers import Drawing
from .recommender import Disliking, Scoring
from .rows import take_rows

# So many are compared in one step: where items read the history, each gathers all of it.
DISLIKES_AT_A_TIME = 512


def disliked_loss(outputs: Disliking, target: Tensor) -> Tensor:
    r"""Return how little the items that were taken lead those that were turned down instead.

    .. math:: L = \frac{1}{N} \sum_m v_m \log \big( 1 + e^{s_{n_m d_m} - s_{n_m y_{n_m}}} \big)

    This is the cross entropy of the target :math:`y_n` among two items, itself and one that was
    turned down at that place of the history, :math:`d_m`. It says nothing of other items, needs no
    sample of them, and no longer pushes where the target is well ahead.

    Parameters
    ----------
    outputs : Disliking
        What gives the scores s, those of the reading included; d, n and v.
    target : Tensor of shape (N,), dtype int64
        y, item codes from 1.

    Returns
    -------
    loss : Tensor of shape (1,)
        The loss.
    """
    ranking, item, place, weight = outputs
    codes = torch.stack([target[place], item], dim=1) - 1
    if isinstance(ranking, Scoring):
        scores = pair_scores(ranking, place, codes)
    else:
        scores = pair_scores(ranking.scoring, place, codes)
        reading = ranking.reading
        vectors = vectors_of(reading.items, codes)
        weights, worth = reading.reader.read(
            reading.tokens, reading.moments, reading.position[place], vectors
        )
        scores = scores + (weights * worth).sum((1, 3))
    losses = F.softplus(scores[:, 1] - scores[:, 0]) * weight
    return losses.sum().unsqueeze(0) / max(len(target), 1)


def pair_scores(scoring: Scoring, place: Tensor, codes: Tensor) -> Tensor:
    """Return the scores of two items each.

    Parameters
    ----------
    scoring : Scoring
        What gives them.
    place : Tensor of shape (M,), dtype int64
        Which of the histories.
    codes : Tensor of shape (M, 2), dtype int64
        Positions of items.

    Returns
    -------
    scores : Tensor of shape (M, 2)
        The higher, the better.
    """
    vectors = vectors_of(scoring.items, codes).to(scoring.hidden.dtype)
    products = (scoring.hidden[place].unsqueeze(1) * vectors).sum(2)
    return products.to(scoring.bias.dtype) + take_rows(scoring.bias, codes)


class LossOfDislikes(Drawing):
    """A loss of rankings, and in training that of what was turned down.

    Of more than ``DISLIKES_AT_A_TIME`` a step draws so many, on the CPU as `Negatives` does.

    Parameters
    ----------
    ranking : callable
        Outputs, target and weight -> loss (1,).
    """

    def __init__(self, ranking: Callable[[Any, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.ranking = ranking

    def forward(self, outputs: Any, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss (1,) of targets (N,) of weights (N,)."""
        if not isinstance(outputs, Disliking):
            return self.ranking(outputs, target, weight)
        loss = self.ranking(outputs.ranking, target, weight)
        return loss + disliked_loss(self._drawn(outputs), target)

    def _drawn(self, outputs: Disliking) -> Disliking:
        """Keep as many as a step compares, with weights by which the loss is expected to stay."""
        ranking, item, place, weight = outputs
        if len(item) <= DISLIKES_AT_A_TIME:
            return outputs
        order = torch.randperm(len(item), generator=self.generator)
        some = order[:DISLIKES_AT_A_TIME].to(item.device)
        scale = len(item) / DISLIKES_AT_A_TIME
        return Disliking(ranking, item[some], place[some], weight[some] * scale)
