import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.metrics import ndcg_at_k, target_ranks
from sk_attention.nn import reranking
from sk_attention.nn.ranking import next_item_cross_entropy
from sk_attention.nn.reranking import (
    RerankingLoss,
    candidate_cross_entropy,
    reranked_missed_gain,
)
from tests._networks import cut, histories, network, scores

N_ITEMS = 30
over_attentions = pytest.mark.parametrize("attention", ["cross", "double"])


def asked(attention, seed=0, n_histories=4):
    """A network, what it reads, targets and weights of mean 1."""
    own, inputs = network(attention, n_items=N_ITEMS), histories(n_histories, seed, N_ITEMS)
    generator = torch.Generator().manual_seed(seed)
    n_targets = len(inputs["position"])
    target = torch.randint(1, N_ITEMS + 1, (n_targets,), generator=generator)
    weight = torch.rand(n_targets, generator=generator, dtype=torch.float64)
    return own, inputs, target, weight / weight.mean()


# ---- cross entropy -----------------------------------------------------------------------------


@over_attentions
def test_cross_entropy_of_few_items_is_that_of_all(attention):
    own, inputs, target, weight = asked(attention)
    loss = candidate_cross_entropy(own(inputs), target, weight)
    losses = F.cross_entropy(scores(own, inputs), target - 1, reduction="none")
    assert loss.shape == (1,)
    assert_close(loss[0], (losses * weight).mean())
    loss.backward()
    gradients = [p.grad.to_dense() for p in own.parameters() if p.grad is not None]
    own.zero_grad()
    (F.cross_entropy(scores(own, inputs), target - 1, reduction="none") * weight).mean().backward()
    expected = [p.grad.to_dense() for p in own.parameters() if p.grad is not None]
    assert len(gradients) == len(expected)
    for found, exact in zip(gradients, expected, strict=True):
        assert_close(found, exact)


@over_attentions
def test_a_sample_spares_the_target_and_counts_others_as_often_as_they_stand_for(attention):
    own, inputs, target, weight = asked(attention)
    outputs, everything = own(inputs), scores(own, inputs)
    codes = torch.tensor([3, 7, 8, 20])
    correction = torch.tensor([0.5, -1.0, 2.0, 0.1], dtype=torch.float64)

    def fixed():
        return codes, correction

    reading = outputs.reading._replace(sampler=fixed)
    loss = candidate_cross_entropy(outputs._replace(reading=reading), target, weight)
    losses = []
    for n, code in enumerate((target - 1).tolist()):
        drawn = [(c, k) for c, k in zip(codes.tolist(), correction.tolist(), strict=True)]
        others = [everything[n, c] + k for c, k in drawn if c != code]
        losses.append(
            torch.stack([everything[n, code], *others]).logsumexp(0) - everything[n, code]
        )
    assert_close(loss[0], (torch.stack(losses) * weight).mean())


@over_attentions
def test_targets_may_be_some_of_the_tokens(attention):
    own, inputs, target, weight = asked(attention)
    position = torch.tensor([1, 4, 5, 13, 19])
    some = {**inputs, "position": position}
    weight = weight[position]
    loss = candidate_cross_entropy(own(some), target[position], weight)
    losses = F.cross_entropy(scores(own, some), target[position] - 1, reduction="none")
    assert_close(loss[0], (losses * weight).mean())


def test_unknown_targets_of_no_weight_change_nothing():
    own, inputs, target, weight = asked("double")
    target[3], weight[3] = 0, 0.0
    loss = candidate_cross_entropy(own(inputs), target, weight)
    assert loss.isfinite().all()


def test_low_precision_comes_near():
    own, inputs, target, weight = asked("double")
    own, weight = own.float(), weight.float()
    exact = candidate_cross_entropy(own(inputs), target, weight)
    with torch.autocast("cpu", torch.bfloat16):
        rough = candidate_cross_entropy(own(inputs), target, weight)
    assert rough.dtype == torch.float32
    assert_close(rough, exact, rtol=0.05, atol=0.0)


# ---- what is missed ----------------------------------------------------------------------------


def ranked_anew(own, inputs, n_best):
    """Scores by which the items are ranked: the best by vector come first, by the sum."""
    scoring = own(inputs).scoring
    first = (scoring.hidden @ scoring.items.T + scoring.bias).detach()
    best = first.topk(n_best).indices
    return (first - 1e3).scatter(1, best, scores(own, inputs).detach().gather(1, best)).numpy()


@pytest.mark.parametrize(
    ("attention", "n_best"), [("cross", N_ITEMS), ("double", 12), ("double", N_ITEMS)]
)
@pytest.mark.parametrize("at_once", [2**20, 1])
def test_missed_gain_is_what_the_ranking_leaves(attention, n_best, at_once, monkeypatch):
    monkeypatch.setattr(reranking, "WEIGHTS_AT_A_TIME", at_once)
    own, inputs, target, weight = asked(attention)
    target[[2, 9]] = 0
    outputs = own(inputs)._replace(n_candidates=n_best)
    with torch.no_grad():
        missed = reranked_missed_gain(outputs, target, weight)
    ranks = target_ranks(ranked_anew(own, inputs, n_best), target.numpy() - 1)
    gain = ndcg_at_k(*ranks, k=10, average=None)
    np.testing.assert_allclose(missed, 1 - (gain * weight.numpy()).mean())


def test_loss_is_of_both_rankings_in_training_and_of_the_last_otherwise():
    own, inputs, target, weight = asked("double")
    outputs, loss = own(inputs), RerankingLoss()
    both = next_item_cross_entropy(outputs.scoring, target, weight)
    both = both + candidate_cross_entropy(outputs, target, weight)
    assert_close(loss.train()(outputs, target, weight), both)
    expected = reranked_missed_gain(outputs, target, weight)
    assert_close(loss.eval()(outputs, target, weight), expected)


def test_items_are_not_ranked_by_popularity_alone_where_candidates_read():
    own, inputs, target, weight = asked("cross")
    outputs = own(inputs)
    expected = candidate_cross_entropy(outputs, target, weight)
    assert_close(RerankingLoss(None).train()(outputs, target, weight), expected)


def test_nothing_asked_misses_everything():
    own, inputs, target, weight = asked("double")
    nothing = {**cut(inputs), "position": torch.zeros(0, dtype=torch.int64)}
    assert reranked_missed_gain(own(nothing), target[:0], weight[:0]).tolist() == [1.0]
