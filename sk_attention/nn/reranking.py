"""Losses of candidates that read the history: in training a sample of the items, then the best.

Shapes: B histories, L tokens, N targets, D embedding_dim, I items, C sampled items, K candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .items import vectors_of
from .ranking import TrainingLoss, item_scores, next_item_cross_entropy
from .recommender import WEIGHTS_AT_A_TIME, Reranking
from .rows import take_rows


def candidate_cross_entropy(outputs: Reranking, target: Tensor, weight: Tensor) -> Tensor:
    r"""Return the weighted mean cross entropy of the next item among a sample of the items.

    .. math:: L = \frac{1}{N} \sum_n w_n \Big( \log \big( e^{s_{n y_n}} +
              \sum_{i \in S \setminus y_n} e^{s_{ni} + l_i} \big) - s_{n y_n} \Big)

    The correction *l* of the sample *S* spares the target, which was not drawn [1]_.

    Parameters
    ----------
    outputs : Reranking
        What gives the scores s, those of the reading included; its sampler draws S.
    target : Tensor of shape (N,), dtype int64
        Item codes from 1; unknown items (0) must weigh nothing.
    weight : Tensor of shape (N,)
        w, of mean 1.

    Returns
    -------
    loss : Tensor of shape (1,)
        The loss.

    References
    ----------
    .. [1] Khrylchenko et al., "Correcting the logQ correction: revisiting sampled softmax for
       large-scale retrieval", RecSys 2025.
    """
    scoring, reading = outputs.scoring, outputs.reading
    code = (target - 1).clamp(min=0)
    sampled, correction = reading.sampler()
    targets, vectors = (vectors_of(reading.items, which) for which in (code, sampled))
    read_own, read_others = reading.reader(
        reading.tokens, reading.moments, reading.position, targets, vectors
    )
    hidden, n_dims = scoring.hidden, scoring.hidden.shape[1]  # 0 where the biases are all there is
    own = (hidden * targets[:, :n_dims]).sum(1).to(scoring.bias.dtype)
    own = read_own + own + take_rows(scoring.bias, code)
    others = read_others + item_scores(
        hidden, vectors[:, :n_dims].to(hidden.dtype), take_rows(scoring.bias, sampled)
    )
    others = (others + correction).masked_fill(sampled == code.unsqueeze(1), -torch.inf)
    total = torch.logaddexp(others.logsumexp(1), own)
    loss: Tensor = ((total - own) * weight).sum().unsqueeze(0) / max(len(target), 1)
    return loss


def reranked_missed_gain(outputs: Reranking, target: Tensor, weight: Tensor, k: int = 10) -> Tensor:
    r"""Return 1 - NDCG@k of one target each, the best items ranked anew by what they read.

    Parameters
    ----------
    outputs : Reranking
        What gives the scores. All items are ranked by its scoring; the best ``n_candidates``, at
        least k or all, by the sum with what they read.
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
    reading, n_read = outputs.reading, outputs.n_candidates
    per_target = max(len(reading.items), n_read * reading.tokens.shape[1])
    size = max(WEIGHTS_AT_A_TIME // per_target, 1)
    gains = [weight.new_zeros(0)]
    for start in range(0, len(target), size):
        rows = slice(start, start + size)
        scores, best = _best_scores(outputs, rows)
        is_own = best == (target[rows] - 1).unsqueeze(1)
        own = torch.where(is_own, scores, -torch.inf).amax(1, keepdim=True)
        above = (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
        gain = torch.where(above < k, 1 / torch.log2(above + 2), 0.0)
        gains.append(gain * is_own.any(1))
    return 1.0 - ((torch.cat(gains) * weight).sum() / max(len(target), 1)).unsqueeze(0)


def _best_scores(outputs: Reranking, rows: slice) -> tuple[Tensor, Tensor]:
    """Return the scores of the items ranked anew, and which these are (n, K) or (1, I)."""
    hidden, items, bias = outputs.scoring
    reading, n_read = outputs.reading, outputs.n_candidates
    assert isinstance(items, Tensor) and isinstance(reading.items, Tensor)
    scores = item_scores(hidden[rows], items.to(hidden.dtype), bias)
    if n_read < len(bias):
        scores, best = scores.topk(n_read, dim=1)
        vectors = reading.items[best]
    else:
        best = torch.arange(n_read, device=scores.device).unsqueeze(0)
        vectors = reading.items
    weights, worth = reading.reader.read(
        reading.tokens, reading.moments, reading.position[rows], vectors
    )
    return scores + (weights * worth).sum((1, 3)), best


class RerankingLoss(nn.Module):
    """Cross entropy of what is ranked first and of what is ranked anew; else what NDCG@10 misses.

    Parameters
    ----------
    in_training : callable or None, default=next_item_cross_entropy
        What is ranked first is trained by: outputs, target and weight -> loss (1,). None where all
        items are ranked anew, and what comes first is a part of that alone.
    """

    def __init__(self, in_training: TrainingLoss | None = next_item_cross_entropy) -> None:
        super().__init__()
        self.in_training = in_training

    def forward(self, outputs: Reranking, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss (1,) of targets (N,) of weights (N,)."""
        if not self.training:
            return reranked_missed_gain(outputs, target, weight)
        loss = candidate_cross_entropy(outputs, target, weight)
        if self.in_training is not None:
            loss = loss + self.in_training(outputs.scoring, target, weight)
        return loss
