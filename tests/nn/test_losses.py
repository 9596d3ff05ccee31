import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, mean_squared_error
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.nn.losses import (
    ensemble_log_probability,
    ensemble_mean,
    task_cross_entropy,
    task_squared_error,
)

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))


def draw(shape, seed=0):
    """Logits (B, K, M, C), class codes, and weights of which some are 0."""
    own = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=own, dtype=torch.float64)
    codes = torch.randint(shape[-1], shape[:2], generator=own)
    weight = torch.rand(shape[:2], generator=own, dtype=torch.float64)
    weight[torch.rand(shape[:2], generator=own) < 0.3] = 0.0
    return logits, codes, weight


@given(SHAPES, st.integers(0, 99))
def test_cross_entropy_equals_a_loop_over_rows_and_members(shape, seed):
    logits, codes, weight = draw(shape, seed)
    n_rows, n_tasks, n_members, _ = shape
    loss = task_cross_entropy(logits, codes, weight)
    assert loss.shape == (n_tasks,)
    for task in range(n_tasks):
        total = 0.0
        for row in range(n_rows):
            for member in range(n_members):
                own = F.cross_entropy(logits[row, task, member], codes[row, task])
                total += weight[row, task] * own / n_members
        assert_close(loss[task], total / n_rows)


def test_cross_entropy_of_one_member_is_the_log_loss():
    logits, codes, weight = draw((40, 1, 1, 3))
    loss = task_cross_entropy(logits, codes, weight)
    probability = torch.softmax(logits[:, 0, 0], -1).numpy()
    expected = log_loss(
        codes[:, 0], probability, sample_weight=weight[:, 0].numpy(), labels=[0, 1, 2]
    )
    assert_allclose(loss.item(), expected * weight.mean().item())


@given(SHAPES, st.integers(0, 99))
def test_squared_error_equals_a_loop_over_rows_and_members(shape, seed):
    outputs, _, weight = draw((*shape[:3], 1), seed)
    target = torch.randn(shape[:2], dtype=torch.float64)
    loss = task_squared_error(outputs, target, weight)
    for task in range(shape[1]):
        total = 0.0
        for row in range(shape[0]):
            for member in range(shape[2]):
                error = outputs[row, task, member, 0] - target[row, task]
                total += weight[row, task] * error**2 / shape[2]
        assert_close(loss[task], total / shape[0])


def test_squared_error_of_one_member_is_the_mean_squared_error():
    outputs, _, weight = draw((40, 1, 1, 1))
    target = torch.randn(40, 1, dtype=torch.float64)
    loss = task_squared_error(outputs, target, weight)
    expected = mean_squared_error(
        target[:, 0], outputs[:, 0, 0, 0], sample_weight=weight[:, 0].numpy()
    )
    assert_allclose(loss.item(), expected * weight.mean().item())


def test_missing_labels_have_no_loss_and_no_gradient():
    logits, codes, weight = draw((6, 2, 3, 4))
    missing = weight == 0.0
    assert missing.any()
    logits.requires_grad_()
    task_cross_entropy(logits, codes, weight).sum().backward()
    assert (logits.grad[missing] == 0.0).all()
    assert (logits.grad[~missing] != 0.0).all()
    other = torch.where(missing, (codes + 1) % 4, codes)
    assert_close(
        task_cross_entropy(logits, other, weight), task_cross_entropy(logits, codes, weight)
    )


@pytest.mark.parametrize("loss", [task_cross_entropy, task_squared_error])
def test_a_task_without_labels_in_the_batch_has_the_loss_zero(loss):
    outputs = torch.randn(5, 2, 3, 1)
    weight = torch.tensor([[1.0, 0.0]]).expand(5, -1)
    losses = loss(outputs, torch.zeros(5, 2, dtype=torch.int64), weight)
    assert losses[1] == 0.0


def test_impossible_classes_cost_nothing_and_pass_no_gradient():
    logits = torch.tensor([1.0, 2.0, -torch.inf]).view(1, 1, 1, 3).requires_grad_()
    loss = task_cross_entropy(logits, torch.tensor([[1]]), torch.ones(1, 1))
    assert_close(loss, F.cross_entropy(torch.tensor([[1.0, 2.0]]), torch.tensor([1])).view(1))
    loss.backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[..., 2] == 0.0


def test_cross_entropy_has_the_right_gradients():
    logits, codes, weight = draw((3, 2, 2, 3))
    assert torch.autograd.gradcheck(
        lambda o: task_cross_entropy(o, codes, weight), logits.requires_grad_()
    )


def test_squared_error_has_the_right_gradients():
    outputs, _, weight = draw((3, 2, 2, 1))
    target = torch.randn(3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda o: task_squared_error(o, target, weight), outputs.requires_grad_()
    )


@given(SHAPES, st.integers(0, 99))
def test_ensemble_probability_is_the_mean_over_members(shape, seed):
    logits, _, _ = draw(shape, seed)
    log_probability = ensemble_log_probability(logits)
    assert log_probability.shape == (*shape[:2], 1, shape[3])
    expected = np.mean(torch.softmax(logits, -1).numpy(), axis=2, keepdims=True)
    assert_allclose(log_probability.exp().numpy(), expected)
    assert_allclose(log_probability.exp().sum(-1).numpy(), 1.0)


def test_ensemble_is_never_worse_than_its_members_on_average():
    logits, codes, weight = draw((50, 2, 8, 3))
    members = task_cross_entropy(logits, codes, weight)
    ensemble = task_cross_entropy(ensemble_log_probability(logits), codes, weight)
    assert (ensemble < members).all()


def test_ensemble_of_far_logits_stays_finite():
    log_probability = ensemble_log_probability(torch.tensor([[[[-900.0, 900.0]] * 2]]))
    assert_close(log_probability, torch.tensor([[[[-1800.0, 0.0]]]]))


def test_ensemble_keeps_impossible_classes_impossible():
    logits = torch.tensor([[[[0.0, -torch.inf], [1.0, -torch.inf]]]])
    assert_close(ensemble_log_probability(logits), torch.tensor([[[[0.0, -torch.inf]]]]))


def test_ensemble_of_numbers_is_their_mean():
    outputs = torch.tensor([1.0, 2.0, 6.0]).view(1, 1, 3, 1)
    assert_close(ensemble_mean(outputs), torch.tensor([[[[3.0]]]]))
