"""Losses of several kinds in one, beside the losses of one kind and plain loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.nn.losses import (
    ensemble_log_odds,
    ensemble_log_probability,
    ensemble_mean,
    task_cross_entropy,
    task_set_cross_entropy,
    task_squared_error,
)
from sk_attention.nn.mixed_losses import MixedTaskLoss

ROWS, MEMBERS = 5, 3
TYPES = ("multilabel", "regression", "classification", "regression")
COLUMNS = (2, 1, 1, 1)
OUTPUTS = (2, 1, 3, 1)


def draw(seed=0):
    """Outputs (B, K, M, C), targets (B, S) and weights (B, K) of four tasks."""
    own = torch.Generator().manual_seed(seed)
    outputs = torch.randn(ROWS, 4, MEMBERS, 3, generator=own, dtype=torch.float64)
    for task, size in enumerate(OUTPUTS):
        outputs[:, task, :, size:] = -torch.inf
    target = torch.randn(ROWS, 5, generator=own, dtype=torch.float64)
    target[:, :2] = torch.randint(2, (ROWS, 2), generator=own)
    target[:, 3] = torch.randint(3, (ROWS,), generator=own)
    weight = torch.rand(ROWS, 4, generator=own, dtype=torch.float64)
    weight[torch.rand(ROWS, 4, generator=own) < 0.3] = 0.0
    return outputs.requires_grad_(), target, weight


@given(st.integers(0, 99))
def test_loss_of_a_set_equals_a_loop_over_rows_members_and_labels(seed):
    outputs, target, weight = draw(seed)
    loss = task_set_cross_entropy(outputs[:, :1, :, :2], target[:, None, :2], weight[:, :1])
    total = 0.0
    for row in range(ROWS):
        for member in range(MEMBERS):
            own = outputs[row, 0, member, :2]
            cross = F.binary_cross_entropy_with_logits(own, target[row, :2], reduction="sum")
            total += weight[row, 0] * cross / MEMBERS
    assert_close(loss, (total / ROWS).reshape(1))


def test_loss_of_a_set_by_hand():
    # probabilities 3/4 of a label that is in the set, 1/2 of one that is not
    outputs = torch.tensor([math.log(3.0), 0.0]).view(1, 1, 1, 2)
    loss = task_set_cross_entropy(outputs, torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1))
    assert_close(loss, torch.tensor([math.log(4 / 3) + math.log(2)]))


def test_ensemble_of_sets_averages_probabilities():
    outputs = draw()[0][:, :1, :, :2]
    odds = ensemble_log_odds(outputs)
    assert odds.shape == (ROWS, 1, 1, 2)
    assert_close(torch.sigmoid(odds), torch.sigmoid(outputs).mean(2, keepdim=True))
    far = torch.tensor([-800.0, 800.0]).view(1, 1, 1, 2)
    assert_close(ensemble_log_odds(far), far)


@given(st.integers(0, 99))
def test_each_task_has_the_loss_of_its_kind(seed):
    outputs, target, weight = draw(seed)
    loss = MixedTaskLoss(TYPES, COLUMNS)(outputs, target, weight)
    of_set = task_set_cross_entropy(outputs[:, :1, :, :2], target[:, None, :2], weight[:, :1])
    numbers = task_squared_error(outputs[:, [1, 3], :, :1], target[:, [2, 4]], weight[:, [1, 3]])
    of_class = task_cross_entropy(outputs[:, 2:3], target[:, 3:4].long(), weight[:, 2:3])
    assert_close(loss, torch.cat([of_set, numbers[:1], of_class, numbers[1:]]))
    loss.sum().backward()
    assert torch.isfinite(outputs.grad).all()


def test_evaluation_is_about_the_ensemble():
    outputs, target, weight = draw()
    criterion = MixedTaskLoss(TYPES, COLUMNS)
    ensemble = criterion.ensemble(outputs)
    assert ensemble.shape == (ROWS, 4, 1, 3)
    assert_close(ensemble[:, 2:3], ensemble_log_probability(outputs[:, 2:3]))
    assert_close(ensemble[:, [1, 3], :, :1], ensemble_mean(outputs[:, [1, 3], :, :1]))
    assert torch.isneginf(ensemble[:, 0, :, 2:]).all()
    expected = criterion(ensemble, target, weight)
    assert_close(criterion.eval()(outputs, target, weight), expected)


def test_decisions_are_coded_as_targets():
    outputs, target, _ = draw()
    criterion = MixedTaskLoss(TYPES, COLUMNS)
    ensemble = criterion.ensemble(outputs).squeeze(2)
    decided = criterion.decide(ensemble)
    assert decided.shape == target.shape
    assert_close(decided[:, :2], (ensemble[:, 0, :2] > 0).double())
    assert_close(decided[:, 2], ensemble[:, 1, 0])
    assert_close(decided[:, 3], ensemble[:, 2].argmax(-1).double())


@pytest.mark.parametrize(
    ("kind", "loss", "ensemble"),
    [
        ("classification", task_cross_entropy, ensemble_log_probability),
        ("regression", task_squared_error, ensemble_mean),
    ],
)
def test_tasks_of_one_kind_have_its_loss_to_the_last_bit(kind, loss, ensemble):
    outputs, _, weight = draw()
    outputs = torch.randn(ROWS, 4, MEMBERS, 3 if kind == "classification" else 1)
    codes = torch.randint(3, (ROWS, 4))
    criterion = MixedTaskLoss([kind] * 4, [1] * 4)
    target = codes if kind == "classification" else codes.float()
    weight = weight.float()
    assert torch.equal(criterion(outputs, codes.float(), weight), loss(outputs, target, weight))
    assert torch.equal(criterion.ensemble(outputs), ensemble(outputs))
