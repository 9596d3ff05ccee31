import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.history.candidate_reading import (
    CandidateReading,
    Candidates,
    History,
    scores_everywhere,
    weights_and_worth,
)
from sk_attention.nn.history.recency import Recency
from tests._networks import LENGTH, N_ITEMS, histories, network


def drawn(seed=0, n_histories=3, n_candidates=4):
    """Histories, a bias that looks back only, and candidates that are the same for all."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    history = History(*(normal(n_histories, 2, LENGTH, 4) for _ in range(2)))
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    bias = normal(n_histories, 2, LENGTH, LENGTH).masked_fill(later, -torch.inf)
    return history, bias, Candidates(*(normal(2, n_candidates, 4) for _ in range(2)))


# ---- by plain loops ----------------------------------------------------------------------------


def test_scores_at_all_moments_are_those_written_out():
    history, bias, candidates = drawn()
    scores = scores_everywhere(history, bias, candidates)
    assert scores.shape == (3, LENGTH, 4)
    for b, t, c in torch.cartesian_prod(*(torch.arange(n) for n in scores.shape)).tolist():
        expected = 0.0
        for head in range(2):
            query, worth = candidates.query[head, c], candidates.worth[head, c]
            keys, values = history.key[b, head, : t + 1], history.value[b, head, : t + 1]
            near = [
                float(query @ key) / 2 + float(bias[b, head, t, j]) for j, key in enumerate(keys)
            ]
            total = sum(map(math.exp, near))
            shares = [math.exp(exponent) / total for exponent in near]
            expected += sum(
                share * float(worth @ value) for share, value in zip(shares, values, strict=True)
            )
        assert float(scores[b, t, c]) == pytest.approx(expected)


def test_weights_at_one_moment_are_those_of_all_moments():
    history, bias, candidates = drawn()
    everywhere = scores_everywhere(history, bias, candidates)
    for t in range(LENGTH):
        weights, worth = weights_and_worth(history, bias[:, :, t : t + 1], candidates)
        assert weights.shape == worth.shape == (3, 2, 4, LENGTH)
        assert not weights[..., t + 1 :].any()
        assert_close(weights.sum(-1), torch.ones(3, 2, 4, dtype=torch.float64))
        assert_close((weights * worth).sum((1, 3)), everywhere[:, t])


@torch.no_grad()
def test_score_of_an_item_is_the_sum_of_what_each_event_adds():
    """q' . sum_j alpha_j v_j, with the network's own weights, item by item."""
    own, inputs = network("cross"), histories()
    scores = own.candidate_scores(inputs)
    weights, _ = own.read_candidates(inputs)
    tokens, _, _ = own._tokens(inputs)
    value = own.reader.key_value(own.reader.norm(tokens))[..., 8:]
    for n in range(3 * LENGTH):
        history = value[n // LENGTH]
        for i in range(N_ITEMS):
            expected = sum(
                own.item_vectors()[i, 4 * h : 4 * h + 4]
                @ (weights[n, h, i] @ history[:, 4 * h : 4 * h + 4])
                for h in range(2)
            )
            assert_close(scores[n, i], expected)


@torch.no_grad()
def test_weights_are_the_softmax_of_products_and_biases_written_out():
    own, inputs = network("cross"), histories()
    reader = own.reader
    tokens, _, _ = own._tokens(inputs)
    keys = reader.key_value(reader.norm(tokens))[..., :8]
    queries = reader.query(own.item_vectors() * 8**0.5)
    weights, _ = own.read_candidates(inputs)
    for n in (0, 4, 7, 14):
        b, t = divmod(n, LENGTH)
        for i in range(N_ITEMS):
            for h in range(2):
                dims, near = slice(4 * h, 4 * h + 4), []
                for j in range(t + 1):
                    gap = float(inputs["asked"][b, t] - inputs["time"][b, j])
                    bucket = round(2 * (min(max(math.log2(gap / 10.0), -10), 10) + 10))
                    bias = reader.recency.lag_bias[t - j, h] + reader.recency.gap_bias[bucket, h]
                    near.append(float(queries[i, dims] @ keys[b, j, dims] / 2.0 + bias))
                total = sum(map(math.exp, near))
                expected = [math.exp(exponent) / total for exponent in near]
                assert weights[n, h, i, : t + 1].tolist() == pytest.approx(expected, abs=1e-9)
                assert not weights[n, h, i, t + 1 :].any()


# ---- numbers -----------------------------------------------------------------------------------


def test_gradients_are_right():
    (key, value), bias, candidates = drawn(n_histories=2, n_candidates=3)
    leaves = [part.requires_grad_() for part in (key, value, *candidates)]

    def everywhere(key, value, query, worth):
        return scores_everywhere(History(key, value), bias, Candidates(query, worth))

    assert torch.autograd.gradcheck(everywhere, leaves)


def test_huge_products_give_finite_scores_and_gradients():
    history, bias, candidates = drawn()
    huge = [(1e4 * part).float().requires_grad_() for part in (*history, *candidates)]
    scores = scores_everywhere(History(*huge[:2]), 1e4 * bias.float(), Candidates(*huge[2:]))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(part.grad.isfinite().all() for part in huge)


def test_no_event_is_mixed_with_another():
    """What an event adds beside its weight is its own: another event changes no key or value."""
    own, inputs = network("cross"), histories()
    changed = {**inputs, "item": inputs["item"].clone()}
    changed["item"][:, 2] = (inputs["item"][:, 2] + 1) % (N_ITEMS + 2)
    before, after = (own.reader.history(own._tokens(table)[0]) for table in (inputs, changed))
    kept = [0, 1, 3, 4]
    for one, other in zip(before, after, strict=True):
        assert_close(one[:, :, kept], other[:, :, kept])


def test_what_is_read_is_worth_nothing_at_first():
    generator = torch.Generator().manual_seed(0)
    reader = CandidateReading(8, 2, Recency(LENGTH, 2, timed=False), generator)
    history = reader.history(torch.randn(3, LENGTH, 8, generator=generator))
    assert not history.value.any()
    assert history.key.all()
