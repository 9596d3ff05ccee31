"""Masked multi-task losses and the ensemble's predictions.

Shapes: B batch, K tasks, M members, C outputs. ``weight`` is 0 where a label is missing; the
estimators scale it so that each task's weights have the mean 1 over the training rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def task_cross_entropy(outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    r"""Return each task's cross entropy, the mean over its members' losses.

    .. math:: L_i = \frac{1}{B} \sum_b w_{bi} \frac{1}{M} \sum_m
              -\log \mathrm{softmax}(o_{bim})_{y_{bi}}

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, C)
        Logits.
    target : Tensor of shape (B, K), dtype int64
        Class codes; any valid code where the label is missing.
    weight : Tensor of shape (B, K)
        Weight of each label, 0 where it is missing.

    Returns
    -------
    loss : Tensor of shape (K,)
        One loss per task; 0 for a task without labels in the batch.
    """
    n_members = outputs.shape[2]
    codes = target.unsqueeze(-1).expand(-1, -1, n_members)
    loss = F.cross_entropy(outputs.flatten(0, 2), codes.flatten(), reduction="none")
    return _task_mean(loss.view(codes.shape).mean(dim=-1), weight)


def task_squared_error(outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    r"""Return each task's squared error, the mean over its members' losses.

    .. math:: L_i = \frac{1}{B} \sum_b w_{bi} \frac{1}{M} \sum_m (o_{bim} - y_{bi})^2

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, 1)
        Predicted numbers.
    target : Tensor of shape (B, K)
        Observed numbers; any finite number where the label is missing.
    weight : Tensor of shape (B, K)
        Weight of each label, 0 where it is missing.

    Returns
    -------
    loss : Tensor of shape (K,)
        One loss per task; 0 for a task without labels in the batch.
    """
    error = outputs.squeeze(-1) - target.unsqueeze(-1)
    return _task_mean(error.square().mean(dim=-1), weight)


def _task_mean(loss: Tensor, weight: Tensor) -> Tensor:
    return (loss * weight).sum(dim=0) / len(loss)


def ensemble_log_probability(outputs: Tensor) -> Tensor:
    r"""Return the logarithm of the members' mean probability.

    .. math:: \log \frac{1}{M} \sum_m \mathrm{softmax}(o_{bim})

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, C)
        Logits.

    Returns
    -------
    log_probability : Tensor of shape (B, K, 1, C)
        The ensemble as a single member, so that the losses take it for logits.
    """
    log_probability = torch.log_softmax(outputs, dim=-1)
    return torch.logsumexp(log_probability, dim=2, keepdim=True) - math.log(outputs.shape[2])


def ensemble_mean(outputs: Tensor) -> Tensor:
    """Return the members' mean prediction of a number.

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, 1)
        Predicted numbers.

    Returns
    -------
    mean : Tensor of shape (B, K, 1, 1)
        The ensemble as a single member.
    """
    return outputs.mean(dim=2, keepdim=True)


def task_set_cross_entropy(outputs: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    r"""Return each task's cross entropy of a set of labels, the mean over its members' losses.

    .. math:: L_i = \frac{1}{B} \sum_b w_{bi} \frac{1}{M} \sum_m \sum_l
              -\log \sigma\big((2 y_{bil} - 1)\, o_{biml}\big)

    with :math:`\sigma` the logistic function and :math:`y_{bil}` 1 where label *l* is in the set.

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, L)
        Log odds of each label.
    target : Tensor of shape (B, K, L)
        1 where a label is in the set, else 0; anything where the set is missing.
    weight : Tensor of shape (B, K)
        Weight of each set, 0 where it is missing.

    Returns
    -------
    loss : Tensor of shape (K,)
        One loss per task; 0 for a task without sets in the batch.
    """
    sign = 2.0 * target.unsqueeze(2) - 1.0
    loss = F.softplus(-sign * outputs).sum(dim=-1)
    return _task_mean(loss.mean(dim=-1), weight)


def ensemble_log_odds(outputs: Tensor) -> Tensor:
    r"""Return the log odds of the members' mean probability of each label.

    .. math:: \log \frac{\sum_m \sigma(o_{biml})}{\sum_m \sigma(-o_{biml})}

    Parameters
    ----------
    outputs : Tensor of shape (B, K, M, L)
        Log odds of each label.

    Returns
    -------
    log_odds : Tensor of shape (B, K, 1, L)
        The ensemble as a single member.
    """
    inside, outside = F.logsigmoid(outputs), F.logsigmoid(-outputs)
    return inside.logsumexp(dim=2, keepdim=True) - outside.logsumexp(dim=2, keepdim=True)
