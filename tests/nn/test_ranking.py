import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.metrics import ndcg_at_k, target_ranks
from sk_attention.nn import ranking
from sk_attention.nn.ranking import (
    RankingLoss,
    expected_items,
    item_scores,
    missed_gain,
    next_item_cross_entropy,
    target_slices,
)
from sk_attention.nn.recommender import Scoring


def scoring(n_targets=100, n_items=40, dim=5, dtype=torch.float64, seed=0):
    """Scores, targets and weights of mean 1."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n_targets, dim, generator=generator, dtype=dtype)
    items = torch.randn(n_items, dim, generator=generator, dtype=dtype)
    bias = torch.randn(n_items, generator=generator, dtype=dtype)
    target = torch.randint(1, n_items + 1, (n_targets,), generator=generator)
    weight = torch.rand(n_targets, generator=generator, dtype=dtype)
    leaves = [tensor.requires_grad_() for tensor in (hidden, items, bias)]
    return Scoring(*leaves), target, weight / weight.mean()


def reference(outputs, target, weight):
    losses = F.cross_entropy(
        outputs.hidden @ outputs.items.T + outputs.bias, target - 1, reduction="none"
    )
    return (losses * weight).mean().unsqueeze(0)


@pytest.fixture(params=[2**20, 1], ids=["one slice", "several slices"])
def slices(request, monkeypatch):
    monkeypatch.setattr(ranking, "SCORES_AT_A_TIME", request.param)
    return 1 if request.param > 1 else 4  # of 100 targets; none is smaller than 32


# ---- cross entropy -----------------------------------------------------------------------------


def test_targets_are_cut_into_slices(slices):
    rows = [part for piece in target_slices(100, 40) for part in range(100)[piece]]
    assert rows == list(range(100))
    assert len(list(target_slices(100, 40))) == slices


def test_cross_entropy_and_its_gradients_equal_torchs(slices):
    outputs, target, weight = scoring()
    loss, expected = (
        function(outputs, target, weight) for function in (next_item_cross_entropy, reference)
    )
    assert loss.shape == (1,)
    assert_close(loss, expected)
    # a factor behind the loss shows that the gradient that comes from there is passed on
    ours, torchs = (torch.autograd.grad(3.0 * value.sum(), outputs) for value in (loss, expected))
    assert_close(ours, torchs)


def test_cross_entropy_passes_gradcheck(slices):
    outputs, target, weight = scoring(n_targets=70, n_items=6, dim=3)

    def loss(hidden, items, bias):
        return next_item_cross_entropy(Scoring(hidden, items, bias), target, weight)

    assert torch.autograd.gradcheck(loss, tuple(outputs))


def test_a_target_of_weight_zero_counts_for_nothing(slices):
    outputs, target, weight = scoring()
    weight[:50] = 0.0
    loss = next_item_cross_entropy(outputs, target, weight)
    (gradient, *_) = torch.autograd.grad(loss.sum(), outputs)
    assert not gradient[:50].any()
    assert gradient[50:].any(dim=1).all()
    target[:50] = 0  # an unknown item, which must weigh nothing
    assert_close(next_item_cross_entropy(outputs, target, weight), loss)


def test_cross_entropy_is_finite_where_scores_are_huge():
    (hidden, items, bias), target, weight = scoring()
    huge = Scoring((1e3 * hidden).detach().requires_grad_(), items, bias)
    loss = next_item_cross_entropy(huge, target, weight)
    assert_close(loss, reference(huge, target, weight))
    loss.sum().backward()
    assert huge.hidden.grad.isfinite().all()


def test_cross_entropy_in_bf16_is_roughly_the_same(slices):
    outputs, target, weight = scoring(dtype=torch.float32)
    rough = Scoring(outputs.hidden.bfloat16(), outputs.items, outputs.bias)
    loss = next_item_cross_entropy(rough, target, weight)
    expected = reference(outputs, target, weight)
    assert loss.dtype == torch.float32
    assert_close(loss, expected, rtol=0.02, atol=0.0)
    ours, torchs = (torch.autograd.grad(value.sum(), outputs) for value in (loss, expected))
    assert [gradient.dtype for gradient in ours] == [torch.float32] * 3
    for gradient, exact in zip(ours, torchs, strict=True):
        assert F.cosine_similarity(gradient.flatten(), exact.flatten(), dim=0) > 0.999


def test_no_target_costs_nothing():
    outputs, target, weight = scoring(n_targets=0)
    assert next_item_cross_entropy(outputs, target, weight).tolist() == [0.0]
    assert missed_gain(outputs, target, weight).tolist() == [1.0]


# ---- missed gain -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 10])
def test_missed_gain_is_what_ndcg_lacks(k, slices):
    outputs, target, weight = scoring()
    target[::7] = 0  # unknown items are misses
    with torch.no_grad():
        missed = missed_gain(outputs, target, weight, k=k)
        scores = item_scores(*outputs).numpy()
    ranks = target_ranks(scores, target.numpy() - 1)
    ndcg = ndcg_at_k(*ranks, k=k, sample_weight=weight.numpy())
    assert 0.0 < ndcg < 1.0
    assert_allclose(missed.numpy(), [1.0 - ndcg])


def test_items_that_tie_with_the_target_count_half():
    outputs = Scoring(torch.zeros(1, 2), torch.zeros(5, 2), torch.tensor([0.0, 0, 0, 1, -1]))
    missed = missed_gain(outputs, torch.tensor([1]), torch.ones(1))
    assert_allclose(missed.numpy(), [1.0 - 1.0 / np.log2(2.0 + 1.0 + 2.0 / 2)])


def test_loss_is_cross_entropy_in_training_and_missed_gain_otherwise():
    outputs, target, weight = scoring()
    loss = RankingLoss()
    assert_close(
        loss.train()(outputs, target, weight), next_item_cross_entropy(outputs, target, weight)
    )
    assert_close(loss.eval()(outputs, target, weight), missed_gain(outputs, target, weight))


def test_expected_items_are_means_by_probability(monkeypatch):
    outputs, *_ = scoring(n_targets=70, n_items=9)
    hidden, items, bias = outputs
    scores = hidden @ items.T + bias
    expected = scores.softmax(1) @ items, scores.exp().sum(1).log()
    for size in (2**20, 1):
        monkeypatch.setattr(ranking, "SCORES_AT_A_TIME", size)
        for found, wanted in zip(expected_items(outputs), expected, strict=True):
            assert_close(found, wanted)
