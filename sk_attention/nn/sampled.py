"""Losses of a ranking against a few items that were drawn, for catalogues of very many.

Shapes: N targets, D embedding_dim, I items, S drawn items, the same for all targets.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .items import vectors_of
from .negatives import POPULAR_SHARE, Drawn, Negatives, mixed_log_share
from .ranking import TrainingLoss, item_scores, next_item_cross_entropy
from .recommender import Scoring
from .rows import take_rows

# How far gBCE goes from the usual cross entropy (0) to calibrated probabilities (1).
CALIBRATION = 0.75

SampledFunction = Callable[[Scoring, Tensor, Tensor, Drawn], Tensor]


def sampled_softmax(outputs: Scoring, target: Tensor, weight: Tensor, drawn: Drawn) -> Tensor:
    r"""Return the weighted mean cross entropy of the next item, its denominator estimated.

    .. math:: L = \frac{1}{N} \sum_n w_n \Big( \log \hat Z_n - s_{n y_n} \Big), \qquad
              \hat Z_n = e^{s_{n y_n}}
              + \frac{1}{S} \sum_{j : d_j \ne y_n} e^{s_{n d_j} - \log q_{d_j}}

    The mean of :math:`\hat Z_n` over the draws is the sum over all items: the target is always
    there and enters as it is, while what was drawn stands for the others, divided by how often it
    is drawn (*q*) [1]_. To correct the target's score, too, as is often done, would be to push
    popular targets down.

    Parameters
    ----------
    outputs : Scoring
        What gives the scores s.
    target : Tensor of shape (N,), dtype int64
        y, item codes from 1; unknown items (0) must weigh nothing.
    weight : Tensor of shape (N,)
        w, of mean 1.
    drawn : Drawn
        Items d, and log q.

    Returns
    -------
    loss : Tensor of shape (1,)
        The loss.

    References
    ----------
    .. [1] Khrylchenko et al., "Correcting the LogQ correction: revisiting sampled softmax for
       large-scale retrieval", RecSys 2025.
    """
    own, others, hit = _scores(outputs, target, drawn)
    correction = drawn.log_share.to(others.dtype) + log(max(len(drawn.code), 1))
    others = (others - correction).masked_fill(hit, -torch.inf)
    scores = torch.cat([own.unsqueeze(1), others], dim=1)
    losses = torch.logsumexp(scores, dim=1) - own
    return _mean(losses, weight)


def gbce(outputs: Scoring, target: Tensor, weight: Tensor, drawn: Drawn) -> Tensor:
    r"""Return the generalised binary cross entropy [1]_, against items drawn uniformly.

    .. math:: L = \frac{-1}{N (S + 1)} \sum_n w_n \Big( \beta \log \sigma(s_{n y_n})
              + \sum_{j : d_j \ne y_n} \log(1 - \sigma(s_{n d_j})) \Big)

    with :math:`\beta` as `gbce_beta` has it: a few negatives instead of all make a model too sure
    of its positives, and the power below 1 takes that back.

    Parameters
    ----------
    outputs : Scoring
        What gives the scores s.
    target : Tensor of shape (N,), dtype int64
        y, item codes from 1; unknown items (0) must weigh nothing.
    weight : Tensor of shape (N,)
        w, of mean 1.
    drawn : Drawn
        Items d.

    Returns
    -------
    loss : Tensor of shape (1,)
        The loss.

    References
    ----------
    .. [1] Petrov and Macdonald, "gSASRec: reducing overconfidence in sequential recommendation
       trained with negative sampling", RecSys 2023.
    """
    own, others, hit = _scores(outputs, target, drawn)
    n_drawn = len(drawn.code)
    beta = gbce_beta(n_drawn, len(outputs.items), CALIBRATION)
    negative = F.softplus(others).masked_fill(hit, 0.0).sum(1)
    return _mean((beta * F.softplus(-own) + negative) / (n_drawn + 1), weight)


def gbce_beta(n_negatives: int, n_items: int, calibration: float) -> float:
    r"""Return the power of the positives' probability in `gbce`.

    .. math:: \beta = \alpha \Big( t \big(1 - \frac{1}{\alpha}\big) + \frac{1}{\alpha} \Big),
              \qquad \alpha = \min\Big( \frac{S}{I - 1}, 1 \Big)

    Parameters
    ----------
    n_negatives : int
        S.
    n_items : int
        I.
    calibration : float
        t: 0 gives 1, the usual binary cross entropy; 1 gives :math:`\alpha`, probabilities that
        are calibrated.

    Returns
    -------
    beta : float
        From 0 to 1.
    """
    rate = min(n_negatives / max(n_items - 1, 1), 1.0)
    return calibration * (rate - 1.0) + 1.0


def _scores(outputs: Scoring, target: Tensor, drawn: Drawn) -> tuple[Tensor, Tensor, Tensor]:
    """Return the scores of targets (N,) and of drawn items (N, S), and which of these are hits."""
    hidden, items, bias = outputs
    code = (target - 1).clamp(min=0)
    own = (hidden.to(bias.dtype) * vectors_of(items, code)).sum(1) + take_rows(bias, code)
    vectors = vectors_of(items, drawn.code).to(hidden.dtype)
    others = item_scores(hidden, vectors, take_rows(bias, drawn.code))
    return own, others, drawn.code == code.unsqueeze(1)


def _mean(losses: Tensor, weight: Tensor) -> Tensor:
    return ((losses * weight).sum() / max(len(losses), 1)).unsqueeze(0)


class SampledLoss(nn.Module):
    """A loss against items that are drawn anew in each step.

    Parameters
    ----------
    function : callable
        `sampled_softmax` or `gbce`.
    negatives : Negatives
        Draws the items.
    """

    def __init__(self, function: SampledFunction, negatives: Negatives) -> None:
        super().__init__()
        self.function = function
        self.negatives = negatives

    def forward(self, outputs: Scoring, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss (1,) of targets (N,) of weights (N,)."""
        return self.function(outputs, target, weight, self.negatives(target.device))


def training_loss(kind: str, popularity: Tensor, n_negatives: int) -> TrainingLoss:
    """Return what a ranking is trained by.

    Parameters
    ----------
    kind : {"cross_entropy", "sampled_softmax", "gbce"}
        Which loss.
    popularity : Tensor of shape (I,)
        Weight of each item's interactions.
    n_negatives : int
        S.

    Returns
    -------
    loss : callable
        Outputs, target and weight -> loss (1,).
    """
    if kind == "cross_entropy":
        return next_item_cross_entropy
    if kind == "gbce":
        return SampledLoss(gbce, Negatives(n_negatives, mixed_log_share(popularity, 0.0)))
    negatives = Negatives(n_negatives, mixed_log_share(popularity, POPULAR_SHARE))
    return SampledLoss(sampled_softmax, negatives)


def first_bias(kind: str, popularity: Tensor, n_negatives: int) -> Tensor:
    r"""Return the biases of the items at first.

    They are the scores that `gbce` likes best where nothing is known of the history,
    :math:`\log(\beta \, p_i \, I / S)` with :math:`p_i` the share of item *i*. From scores of 0 the
    first steps would push all of them down by turning the items' vectors one way, where they tell
    nothing apart any more. A softmax does not look at what scores have in common.

    Parameters
    ----------
    kind : str
        As for `training_loss`.
    popularity : Tensor of shape (I,)
        Weight of each item's interactions, positive.
    n_negatives : int
        S.

    Returns
    -------
    bias : Tensor of shape (I,)
        0 but for "gbce".
    """
    if kind != "gbce":
        return torch.zeros(len(popularity))
    beta = gbce_beta(n_negatives, len(popularity), CALIBRATION)
    share = popularity / popularity.sum()
    return (beta * share * len(popularity) / n_negatives).log()
