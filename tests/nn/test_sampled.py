import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.layers import seed_draws
from sk_attention.nn.negatives import Drawn, draw_negatives, mixed_log_share
from sk_attention.nn.ranking import RankingLoss, missed_gain, next_item_cross_entropy
from sk_attention.nn.recommender import Scoring
from sk_attention.nn.sampled import first_bias, gbce, gbce_beta, sampled_softmax, training_loss

N_TARGETS, N_ITEMS = 12, 9
POPULARITY = torch.arange(1.0, N_ITEMS + 1)
LOG_SHARE = mixed_log_share(POPULARITY, 0.5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scoring(dtype=torch.float64, spread=1.0):
    """Scores, targets and weights of mean 1."""
    own = generator()
    hidden = spread * torch.randn(N_TARGETS, 4, generator=own, dtype=dtype)
    items = torch.randn(N_ITEMS, 4, generator=own, dtype=dtype)
    bias = torch.randn(N_ITEMS, generator=own, dtype=dtype)
    target = torch.randint(1, N_ITEMS + 1, (N_TARGETS,), generator=own)
    weight = torch.rand(N_TARGETS, generator=own, dtype=dtype)
    leaves = [tensor.requires_grad_() for tensor in (hidden, items, bias)]
    return Scoring(*leaves), target, weight / weight.mean()


def draw(n_negatives=5, seed=1):
    code = draw_negatives(n_negatives, LOG_SHARE, generator(seed))
    return Drawn(code, LOG_SHARE[code])


def dense(gradients):
    return [gradient.to_dense() if gradient.is_sparse else gradient for gradient in gradients]


class Dense(torch.autograd.Function):
    """What gradcheck, which takes no sparse gradients, needs before the parameters."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad.to_dense()


def softmax_by_hand(outputs, target, weight, drawn):
    total = 0.0
    for n in range(len(target)):
        scores = (outputs.items @ outputs.hidden[n] + outputs.bias).tolist()
        own = int(target[n]) - 1
        size = math.exp(scores[own])
        for code, log_share in zip(drawn.code.tolist(), drawn.log_share.tolist(), strict=True):
            if code != own:
                size += math.exp(scores[code]) / math.exp(log_share) / len(drawn.code)
        total += float(weight[n]) * (math.log(size) - scores[own])
    return total / len(target)


def gbce_by_hand(outputs, target, weight, drawn):
    rate = len(drawn.code) / (N_ITEMS - 1)
    beta = rate * (0.75 * (1 - 1 / rate) + 1 / rate)
    total = 0.0
    for n in range(len(target)):
        scores = (outputs.items @ outputs.hidden[n] + outputs.bias).tolist()
        own = int(target[n]) - 1
        loss = -beta * math.log(1 / (1 + math.exp(-scores[own])))
        for code in drawn.code.tolist():
            if code != own:
                loss -= math.log(1 - 1 / (1 + math.exp(-scores[code])))
        total += float(weight[n]) * loss / (len(drawn.code) + 1)
    return total / len(target)


over_losses = pytest.mark.parametrize(
    ("loss", "by_hand"), [(sampled_softmax, softmax_by_hand), (gbce, gbce_by_hand)]
)


@over_losses
def test_losses_equal_plain_loops(loss, by_hand):
    outputs, target, weight = scoring()
    drawn = draw()
    assert len(set((target - 1).tolist()) & set(drawn.code.tolist())) > 1  # some are hits
    found = loss(outputs, target, weight, drawn)
    assert found.shape == (1,)
    assert found.item() == pytest.approx(by_hand(outputs, target, weight, drawn))


@over_losses
def test_losses_pass_gradcheck(loss, by_hand):
    outputs, target, weight = scoring()
    drawn = draw()

    def of(hidden, items, bias):
        dense = Scoring(hidden, Dense.apply(items), Dense.apply(bias))
        return loss(dense, target, weight, drawn)

    assert torch.autograd.gradcheck(of, tuple(outputs))


@over_losses
def test_gradients_touch_targets_and_drawn_items_alone(loss, by_hand):
    outputs, target, weight = scoring()
    drawn = draw(2)
    some = Scoring(outputs.hidden[:3], outputs.items, outputs.bias)
    value = loss(some, target[:3], weight[:3], drawn)
    items, bias = torch.autograd.grad(value, outputs[1:])
    touched = sorted({*(target[:3] - 1).tolist(), *drawn.code.tolist()})
    for gradient in (items, bias):
        assert gradient.is_sparse
        assert gradient.coalesce().indices()[0].tolist() == touched


@over_losses
def test_a_target_of_weight_zero_counts_for_nothing(loss, by_hand):
    outputs, target, weight = scoring()
    weight[:6] = 0.0
    drawn = draw()
    value = loss(outputs, target, weight, drawn)
    (gradient, *_) = torch.autograd.grad(value, outputs)
    assert not gradient[:6].any()
    target[:6] = 0  # an unknown item, which must weigh nothing
    assert_close(loss(outputs, target, weight, drawn), value)


@over_losses
@pytest.mark.parametrize("spread", [1.0, 1e3])
def test_losses_are_finite_where_scores_are_huge_or_all_drawn_items_are_hits(loss, by_hand, spread):
    outputs, target, weight = scoring(spread=spread)
    same = Drawn(torch.zeros(3, dtype=torch.int64), LOG_SHARE[:3])
    value = loss(outputs, torch.ones_like(target), weight, same)
    gradients = torch.autograd.grad(value, outputs)
    assert value.isfinite()
    assert all(gradient.isfinite().all() for gradient in dense(gradients))
    if loss is sampled_softmax:  # there is nothing beside the target
        assert value.item() == pytest.approx(0.0)


@over_losses
def test_losses_in_bf16_are_roughly_the_same(loss, by_hand):
    outputs, target, weight = scoring(torch.float32)
    rough = Scoring(outputs.hidden.bfloat16(), outputs.items, outputs.bias)
    found = loss(rough, target, weight, draw())
    assert found.dtype == torch.float32
    assert_close(found, loss(outputs, target, weight, draw()), rtol=0.02, atol=0.0)


@over_losses
def test_no_target_costs_nothing(loss, by_hand):
    outputs, target, weight = scoring()
    empty = Scoring(outputs.hidden[:0], outputs.items, outputs.bias)
    assert loss(empty, target[:0], weight[:0], draw()).tolist() == [0.0]


# ---- what is estimated -------------------------------------------------------------------------


def test_the_sum_over_all_items_is_estimated_without_bias():
    """The mean over draws of exp(loss), for one target, is the sum over all items, divided."""
    outputs, target, _ = scoring()
    one = Scoring(outputs.hidden[:1], outputs.items, outputs.bias)
    with torch.no_grad():
        draws = [
            sampled_softmax(one, target[:1], torch.ones(1), draw(4, seed)).exp().item()
            for seed in range(2000)
        ]
        full = next_item_cross_entropy(one, target[:1], torch.ones(1)).exp().item()
    error = torch.tensor(draws).std().item() / len(draws) ** 0.5
    assert error < 0.03 * full
    assert abs(sum(draws) / len(draws) - full) < 4 * error


def naive(outputs, target, weight, drawn):
    """The target's score corrected too, as if it had been drawn."""
    own = LOG_SHARE[target - 1] + math.log(len(drawn.code))
    scores = outputs.hidden @ outputs.items.T + outputs.bias
    others = (scores[:, drawn.code] - drawn.log_share - math.log(len(drawn.code))).masked_fill(
        drawn.code == (target - 1).unsqueeze(1), -torch.inf
    )
    own = scores.gather(1, (target - 1).unsqueeze(1)) - own.unsqueeze(1)
    losses = torch.logsumexp(torch.cat([own, others], 1), 1) - own.squeeze(1)
    return (losses * weight).mean().unsqueeze(0)


def test_mean_gradient_is_nearly_that_of_the_full_loss_and_nearer_with_more_drawn():
    outputs, target, weight = scoring()
    full = torch.autograd.grad(next_item_cross_entropy(outputs, target, weight), outputs)

    def distance(loss, n_negatives, n_draws=200):
        mean = [torch.zeros_like(part) for part in full]
        for seed in range(n_draws):
            value = loss(outputs, target, weight, draw(n_negatives, seed))
            for part, one in zip(mean, dense(torch.autograd.grad(value, outputs)), strict=True):
                part += one / n_draws
        off = [(a - b).norm() for a, b in zip(mean, full, strict=True)]
        return float(sum(off) / sum(part.norm() for part in full))

    few, many = distance(sampled_softmax, 64), distance(sampled_softmax, 256)
    assert many < 0.01 < few < 0.05
    assert distance(naive, 256) > 10 * many


# ---- gBCE --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_negatives", "n_items", "calibration", "beta"),
    [
        (256, 1001, 0.0, 1.0),  # the usual binary cross entropy
        (250, 1001, 1.0, 0.25),  # the share of the others that is drawn
        (250, 1001, 0.75, 0.4375),  # 0.25 (0.75 (1 - 4) + 4)
        (1, 1001, 0.75, 0.25075),
        (2000, 1001, 0.75, 1.0),  # no more than all
        (5, 1, 0.75, 1.0),
    ],
)
def test_beta_is_the_papers(n_negatives, n_items, calibration, beta):
    assert gbce_beta(n_negatives, n_items, calibration) == pytest.approx(beta)


def test_gbce_starts_from_the_scores_that_are_best_without_a_history():
    start = first_bias("gbce", POPULARITY, 5)
    share = POPULARITY / POPULARITY.sum()
    beta = gbce_beta(5, N_ITEMS, 0.75)

    def expected_loss(score):  # over targets and draws; hits are rare in a catalogue that is large
        positive, negative = torch.nn.functional.softplus(-score), softplus(score)
        return beta * (share * positive).sum() + 5 * negative.mean()

    softplus = torch.nn.functional.softplus
    score = start.double().requires_grad_()
    (gradient,) = torch.autograd.grad(expected_loss(score), score)
    assert_close(gradient, torch.zeros_like(gradient), atol=1e-6, rtol=0.0)
    for kind in ("sampled_softmax", "cross_entropy"):
        assert not first_bias(kind, POPULARITY, 5).any()


# ---- the module --------------------------------------------------------------------------------


def test_cross_entropy_draws_nothing():
    assert training_loss("cross_entropy", POPULARITY, 5) is next_item_cross_entropy


@pytest.mark.parametrize(
    ("kind", "function", "popular_share"),
    [("sampled_softmax", sampled_softmax, 0.5), ("gbce", gbce, 0.0)],
)
def test_each_step_draws_anew_and_scoring_ranks_all(kind, function, popular_share):
    outputs, target, weight = scoring()
    loss = RankingLoss(training_loss(kind, POPULARITY, 5))
    seed_draws(loss, generator(4))
    own, log_share = generator(4), mixed_log_share(POPULARITY, popular_share)
    for _ in range(2):
        code = draw_negatives(5, log_share, own)
        expected = function(outputs, target, weight, Drawn(code, log_share[code].float()))
        assert_close(loss.train()(outputs, target, weight), expected)
    assert_close(loss.eval()(outputs, target, weight), missed_gain(outputs, target, weight))
