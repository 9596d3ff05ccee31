import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.encoders import FieldContext, Nearness, StepContext, local_encoder
from sk_attention.nn.encoders.local_attention import BIAS_PACE, SPAN_RAMP
from sk_attention.nn.encoders.step_attention import present_tokens
from sk_attention.nn.local import Lists, local_attention, near_bias

LENGTH = torch.tensor([4, 0, 1, 9, 2])
N_TOKENS, N_HEADS, SIZE = 16, 2, 3
NEARNESSES = [
    Nearness(2),
    Nearness(3, causal=True),
    Nearness(None),
    Nearness(20, adaptive=True),
    Nearness(4, adaptive=True, causal=True),
]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def encoder(nearness, dim=4, n_layers=1):
    generator = torch.Generator().manual_seed(0)
    own = local_encoder(dim, N_HEADS, n_layers, 0.0, nearness, generator).double()
    for block in own.blocks:
        block.bias.data.normal_(std=0.1, generator=generator)
        if block.span is not None:
            block.span.data.copy_(torch.tensor([0.05, 0.3]))
    return own


def reference(block, query, key, value, lists):
    """Plain loops over heads and pairs of tokens."""
    nearness, mixed = block.nearness, torch.zeros_like(value)
    farthest = block.bias.shape[1] // 2
    for head in range(query.shape[0]):
        for i in range(query.shape[1]):
            shares = {}
            for j in range(query.shape[1]):
                distance = j - i
                far = nearness.window is not None and abs(distance) > nearness.window
                if lists[i] != lists[j] or far or (nearness.causal and distance > 0):
                    continue
                place = max(-farthest, min(farthest, distance)) + farthest
                score = query[head, i] @ key[head, j] / math.sqrt(query.shape[-1])
                shares[j] = (score + BIAS_PACE * block.bias[head, place]).exp()
                if block.span is not None:
                    z = block.span[head].clamp(0, 1) * nearness.window
                    shares[j] = shares[j] * ((SPAN_RAMP + z - abs(distance)) / SPAN_RAMP).clamp(
                        0, 1
                    )
            total = sum(shares.values())
            mixed[head, i] = sum(share / total * value[head, j] for j, share in shares.items())
    return mixed


@pytest.mark.parametrize("nearness", NEARNESSES, ids=str)
def test_local_attention_equals_plain_loops(nearness):
    block = encoder(nearness).blocks[0]
    lists = Lists.of_lengths(LENGTH)
    parts = [drawn(1, N_HEADS, N_TOKENS, SIZE, seed=seed) for seed in range(3)]
    expected = reference(block, *(part[0] for part in parts), lists.number.tolist())
    assert_close(block.mix(*parts, lists)[0], expected)


@pytest.mark.parametrize("nearness", NEARNESSES, ids=str)
def test_a_list_does_not_depend_on_the_others(nearness):
    own, words = encoder(nearness, n_layers=2), drawn(1, N_TOKENS, 4)
    together = own(words, Lists.of_lengths(LENGTH))
    alone = own(words[:, 5:14], Lists.of_lengths(torch.tensor([9])))
    assert_close(together[:, 5:14], alone)


def test_causal_attention_never_looks_ahead():
    own, words = encoder(Nearness(None, causal=True), n_layers=2), drawn(1, N_TOKENS, 4)
    lists = Lists.of_lengths(torch.tensor([N_TOKENS]))
    changed = words.clone()
    changed[:, 10:] += drawn(6, 4, seed=1)
    before, after = own(words, lists), own(changed, lists)
    assert_close(before[:, :10], after[:, :10])
    assert (before[:, 10:] - after[:, 10:]).abs().amin(dim=-1).min() > 1e-6


def test_a_short_span_makes_small_blocks():
    block = encoder(Nearness(64, adaptive=True)).blocks[0]
    assert block.near(longest=4096).shape == (N_HEADS, 28, 84)  # 0.3 x 64 + 8 steps
    block.span.data.fill_(1.0)
    assert block.near(longest=4096).shape == (N_HEADS, 64, 192)


@pytest.mark.parametrize("nearness", [Nearness(2, causal=True), Nearness(6, adaptive=True)])
def test_gradients_are_right(nearness):
    own = encoder(nearness)
    lists = Lists.of_lengths(torch.tensor([4, 2]))
    names = list(dict(own.named_parameters()))

    def run(words, *parameters):
        state = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(own, state, (words, lists))

    inputs = [drawn(1, 6, 4), *(parameter.detach() for parameter in own.parameters())]
    assert torch.autograd.gradcheck(run, [own.clone().requires_grad_() for own in inputs])


def test_tokens_that_are_not_there_are_never_read():
    number = torch.tensor([0, 0, -1, 0, 1, -1, 1])
    near = near_bias(torch.zeros(1, 3, dtype=torch.float64), 3, 3, causal=False)
    query, key, value = (drawn(1, 7, 2, seed=seed) for seed in range(3))
    read = local_attention(query, key, value, number, near)
    key[:, [2, 5]], value[:, [2, 5]] = 9.0, 9.0
    real = number >= 0
    assert_close(local_attention(query, key, value, number, near)[:, real], read[:, real])


def test_scores_of_words_know_what_is_around_them():
    context = FieldContext(
        encoder(Nearness(2)), 3, 4, 1.0, torch.Generator().manual_seed(0)
    ).double()
    words = drawn(N_TOKENS, 4)
    scores = context(words, LENGTH)
    assert scores.shape == (N_TOKENS, 3)
    changed = words.clone()
    changed[8] += drawn(4, seed=1)  # the fourth word of the fourth field
    differs = ((context(changed, LENGTH) - scores).abs() > 1e-9).any(1).nonzero().squeeze(1)
    assert differs.tolist() == [6, 7, 8, 9, 10]


def test_steps_learn_from_those_around_them_and_keep_their_channels_apart():
    context = StepContext(encoder(Nearness(1)), 2)
    tokens = drawn(3, 10, 4)  # five steps of two channels
    tokens[1, 4:6] = 0.0  # a step that is not there
    there = present_tokens(tokens, 2)
    assert there.sum(1).tolist() == [10, 8, 10]
    told = context(tokens, there)
    assert_close(told[0, 2] - told[0, 3], tokens[0, 2] - tokens[0, 3])
    changed = tokens.clone()
    changed[1, 8:] += drawn(2, 4, seed=1)
    moved = (context(changed, there) - told).abs().sum(-1) > 1e-12
    assert moved.nonzero().tolist() == [[1, 6], [1, 7], [1, 8], [1, 9]]
    short = context(tokens[1:2, :4], there[1:2, :4])
    assert_close(told[1:2, :4], short)
