import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.history.recency import gap_codes
from sk_attention.nn.history.session_reading import (
    TwoLevels,
    session_numbers,
    two_level_weights,
)
from tests._networks import LENGTH, histories, network

LATER = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)


def drawn(sessions, seed=0):
    """Products and biases of one head; ``sessions`` are those of each history's tokens."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    number = torch.tensor(sessions)
    n, n_sessions = len(number), int(number.max()) + 1
    member = torch.nn.functional.one_hot(number).unsqueeze(1).double()
    bias = normal(n, 1, LENGTH, LENGTH).masked_fill(LATER, -torch.inf)
    levels = TwoLevels(bias, normal(n, 1, LENGTH, n_sessions), member)
    return normal(n, 1, LENGTH, LENGTH), normal(n, 1, LENGTH, LENGTH), levels


def test_sessions_are_numbered_by_runs():
    session = torch.tensor([[7, 7, 2, 7, 7], [-1, 0, 0, 0, 5], [3, 3, 3, 3, 3]])
    expected = [[0, 0, 1, 2, 2], [0, 1, 1, 1, 2], [0, 0, 0, 0, 0]]
    assert session_numbers(session).tolist() == expected


def test_weights_of_sessions_and_within_them_are_those_written_out():
    sessions = [[0, 0, 1, 1, 1], [0, 1, 2, 2, 3], [0, 0, 0, 0, 0]]
    within, across, levels = drawn(sessions)
    weights = two_level_weights(within, across, levels)
    for b, own in enumerate(sessions):
        for t in range(LENGTH):
            share, asked = {}, {}
            for s in sorted(set(own[: t + 1])):
                tokens = [j for j in range(t + 1) if own[j] == s]
                exponents = {
                    j: float(within[b, 0, t, j] + levels.within[b, 0, t, j]) for j in tokens
                }
                total = sum(map(math.exp, exponents.values()))
                share.update({j: math.exp(exponents[j]) / total for j in tokens})
                pooled = sum(share[j] * float(across[b, 0, t, j]) for j in tokens)
                asked[s] = math.log(total) + pooled + float(levels.across[b, 0, t, s])
            total = sum(map(math.exp, asked.values()))
            expected = [share[j] * math.exp(asked[own[j]]) / total for j in range(t + 1)]
            assert weights[b, 0, t, : t + 1].tolist() == pytest.approx(expected)
            assert not weights[b, 0, t, t + 1 :].any()
            assert sum(expected) == pytest.approx(1.0)


def test_a_single_session_is_plain_attention():
    within, across, levels = drawn([[0] * LENGTH])
    plain = torch.softmax(within + levels.within, dim=-1)
    assert_close(two_level_weights(within, across, levels), plain)


def test_sessions_of_which_nothing_is_said_are_plain_attention():
    within, across, levels = drawn([[0, 0, 1, 1, 2], [0, 1, 2, 2, 3]])
    nothing = levels._replace(across=torch.zeros_like(levels.across))
    plain = torch.softmax(within + levels.within, dim=-1)
    assert_close(two_level_weights(within, torch.zeros_like(across), nothing), plain)


def test_sessions_of_one_event_are_plain_attention_by_the_sum_of_both_queries():
    within, across, levels = drawn([list(range(LENGTH))])
    plain = torch.softmax(within + levels.within + across + levels.across, dim=-1)
    assert_close(two_level_weights(within, across, levels), plain)


def test_attention_begins_as_if_there_were_no_sessions():
    """In a new network it does not matter where sessions end."""
    own, inputs = network("hierarchical"), histories()
    with torch.no_grad():
        own.encoder.session_bias.zero_()
        own.encoder.session_gap_bias.zero_()
        for block in own.encoder.blocks:
            block.query_key_across.bias.zero_()
    expected = own.hidden(inputs)
    assert_close(own.hidden({**inputs, "session": torch.zeros_like(inputs["session"])}), expected)


def test_gradients_are_right():
    within, across, levels = drawn([[0, 0, 1, 1, 2], [0, 1, 1, 1, 1]])
    leaves = [within.requires_grad_(), across.requires_grad_(), levels.across.requires_grad_()]

    def weights(within, across, session):
        return two_level_weights(within, across, levels._replace(across=session))

    assert torch.autograd.gradcheck(weights, leaves)


def test_huge_products_give_finite_weights_that_sum_to_one():
    within, across, levels = drawn([[0, 0, 1, 1, 2]])
    weights = two_level_weights(
        1e4 * within.float(),
        1e4 * across.float(),
        TwoLevels(1e4 * levels.within.float(), levels.across.float(), levels.member.float()),
    )
    assert_close(weights.sum(-1), torch.ones(1, 1, LENGTH))
    assert not weights[:, :, LATER].any()


@torch.no_grad()
def test_sessions_are_biased_by_how_many_and_how_long_ago_they_were():
    own, inputs = network("hierarchical"), histories()
    inputs["session"] = torch.tensor([[4, 4, 4, 9, 9], [0, 1, 1, 1, 0], [5, 5, 5, 5, 5]])
    number = [[0, 0, 0, 1, 1], [0, 1, 1, 1, 2], [0, 0, 0, 0, 0]]
    encoder = own.encoder
    levels = encoder._biases(own._tokens(inputs)[1])
    for b in range(3):
        for t in range(LENGTH):
            for s in range(number[b][t] + 1):
                last = max(j for j in range(t + 1) if number[b][j] == s)
                gap = gap_codes(inputs["asked"][b, t], inputs["time"][b, last], 10.0)
                expected = encoder.session_bias[number[b][t] - s] + encoder.session_gap_bias[gap]
                assert_close(levels.across[b, :, t, s], expected)


def test_block_reads_values_by_its_weights():
    own, inputs = network("hierarchical", n_layers=1), histories()
    (block,) = own.encoder.blocks
    tokens, moments, _ = own._tokens(inputs)
    levels = own.encoder._biases(moments)
    value = block.query_key_value(block.norm_attention(tokens)).chunk(3, dim=-1)[2]
    weights = block.weights(tokens, levels)
    heads = [weights[:, head] @ value[..., 4 * head : 4 * head + 4] for head in range(2)]
    assert_close(block.mixed(tokens, levels), torch.cat(heads, dim=-1))
