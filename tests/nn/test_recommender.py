import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.recommender import N_GAPS, HistoryBlock, HistoryNetwork, gap_codes

N_ITEMS, LENGTH = 9, 5
over_times = pytest.mark.parametrize("usual_gap", [None, 10.0], ids=["no times", "times"])


def network(usual_gap=10.0, n_layers=2, seed=0, dropout=0.0):
    """A network whose biases and gaps are not zero, as they are at first."""
    generator = torch.Generator().manual_seed(seed)
    own = HistoryNetwork(N_ITEMS, 8, 2, n_layers, dropout, LENGTH, usual_gap, generator)
    for name, parameter in own.named_parameters():
        if "bias" in name or "gap" in name:
            parameter.data.normal_(generator=generator)
    return own.double().eval()


def histories(n_histories=3, seed=0):
    """Tokens with times, asked for what comes next at each of them."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_histories, LENGTH)
    steps = torch.rand(n_histories, LENGTH + 1, generator=generator, dtype=torch.float64)
    times = (30 * steps).cumsum(1)
    return {
        "item": torch.randint(N_ITEMS + 2, shape, generator=generator),
        "time": times[:, :-1],
        "asked": times[:, 1:],
        "position": torch.arange(n_histories * LENGTH),
    }


def hidden(own, inputs):
    return own(inputs).hidden.view(*inputs["item"].shape, -1)


# ---- gaps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "code"),
    [
        (10.0, 20),  # the usual gap is in the middle
        (20.0, 22),
        (10.0 * 2**0.5, 21),  # half an octave
        (5.0, 18),
        (12.0, 21),  # 2 log2 1.2 = 0.53
        (11.8, 20),  # 2 log2 1.18 = 0.48
        (10.0 * 2**10, N_GAPS - 1),
        (1e9, N_GAPS - 1),
        (10.0 * 2**-10, 0),
        (0.0, 0),
        (-5.0, 0),
    ],
)
def test_gap_codes_count_half_octaves_from_the_usual_gap(gap, code):
    later = torch.tensor([100.0 + gap, 100.0], dtype=torch.float64)
    codes = gap_codes(later, torch.tensor([100.0], dtype=torch.float64), 10.0)
    assert codes.dtype == torch.int64
    assert codes.tolist() == [code, 0]


def test_gap_codes_of_seconds_since_1970_are_exact_in_double_precision():
    now = torch.tensor([1.7e9], dtype=torch.float64)
    assert gap_codes(now + 1e-3, now, 1e-3).tolist() == [20]


# ---- the block, by plain loops -----------------------------------------------------------------


@torch.no_grad()
def test_weights_are_the_softmax_of_products_and_biases_written_out():
    own, inputs = network(n_layers=1), histories()
    (block,) = own.blocks
    tokens, bias = own._tokens(inputs)
    weights = block.weights(tokens, bias)
    assert weights.shape == (3, 2, LENGTH, LENGTH)
    q, k, _ = block.query_key_value(block.norm_attention(tokens)).chunk(3, dim=-1)
    for b in range(3):
        for head in range(2):
            dims = slice(4 * head, 4 * head + 4)
            for i in range(LENGTH):
                scores = []
                for j in range(i + 1):
                    gap = float(inputs["asked"][b, i] - inputs["time"][b, j])
                    bucket = round(2 * (min(max(math.log2(gap / 10.0), -10), 10) + 10))
                    scores.append(
                        float(q[b, i, dims] @ k[b, j, dims]) / 2.0  # the root of 4 dims
                        + float(own.lag_bias[i - j, head] + own.gap_bias[bucket, head])
                    )
                total = sum(map(math.exp, scores))
                expected = [math.exp(score) / total for score in scores]
                found = weights[b, head, i].tolist()
                assert found[: i + 1] == pytest.approx(expected, abs=1e-6)
                assert found[i + 1 :] == [0.0] * (LENGTH - i - 1)


def test_tokens_are_the_items_vectors_and_how_long_ago_the_last_event_was():
    own, inputs = network(), histories()
    tokens, _ = own._tokens(inputs)
    gap = gap_codes(inputs["asked"], inputs["time"], 10.0)
    expected = own.embedding[inputs["item"]] * 8**0.5 + own.gap_embedding[gap]
    assert_close(tokens, expected)


def test_block_mixes_the_values_by_its_weights():
    generator = torch.Generator().manual_seed(0)
    block = HistoryBlock(8, 2, 0.0, generator).double()
    tokens = torch.randn(3, LENGTH, 8, generator=generator, dtype=torch.float64)
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    bias = torch.zeros(2, LENGTH, LENGTH, dtype=torch.float64).masked_fill(later, -torch.inf)
    value = block.query_key_value(block.norm_attention(tokens)).chunk(3, dim=-1)[2]
    heads = [
        block.weights(tokens, bias)[:, head].double() @ value[..., 4 * head : 4 * head + 4]
        for head in range(2)
    ]
    mixed = tokens + block.out(torch.cat(heads, dim=-1))
    inner = torch.nn.functional.gelu(block.expand(block.norm_hidden(mixed)))
    expected = mixed + block.contract(inner)
    assert_close(block(tokens, bias), expected, rtol=1e-5, atol=1e-6)


# ---- the network -------------------------------------------------------------------------------


@over_times
@pytest.mark.parametrize("place", range(1, LENGTH))
def test_what_comes_later_changes_nothing_before(usual_gap, place):
    own, inputs = network(usual_gap), histories()
    changed = {**inputs, "item": inputs["item"].clone(), "time": inputs["time"].clone()}
    changed["item"][:, place] = (inputs["item"][:, place] + 1) % (N_ITEMS + 2)
    changed["time"][:, place] += 7.0
    before, after = hidden(own, inputs), hidden(own, changed)
    assert_close(after[:, :place], before[:, :place])
    assert not torch.isclose(after[:, place:], before[:, place:]).all(dim=-1).any()


@over_times
def test_padding_behind_changes_nothing(usual_gap):
    own, inputs = network(usual_gap), histories()
    short = {name: inputs[name][:, :3] for name in ("item", "time", "asked")}
    short["position"] = torch.arange(9)
    assert_close(hidden(own, short), hidden(own, inputs)[:, :3])
    weights = own.attention(inputs).view(3, LENGTH, LENGTH)
    assert_close(own.attention(short).view(3, 3, 3), weights[:, :3, :3])


@over_times
def test_attention_looks_back_only_and_sums_to_one(usual_gap):
    weights = network(usual_gap).attention(histories()).view(3, LENGTH, LENGTH)
    assert_close(weights.sum(-1), torch.ones(3, LENGTH, dtype=weights.dtype))
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    assert not weights[:, later].any()
    assert (weights[:, ~later] > 0).all()


@over_times
def test_a_history_gives_the_same_alone_and_among_others(usual_gap):
    own, inputs = network(usual_gap), histories()
    together = hidden(own, inputs)
    for row in range(3):
        alone = {name: inputs[name][row : row + 1] for name in ("item", "time", "asked")}
        alone["position"] = torch.arange(LENGTH)
        assert_close(hidden(own, alone), together[row : row + 1])


def test_positions_choose_what_is_scored():
    own, inputs = network(), histories()
    everything = own(inputs)
    some = own({**inputs, "position": torch.tensor([13, 2])})
    assert_close(some.hidden, everything.hidden[[13, 2]])
    assert_close(some.items, own.embedding[1 : N_ITEMS + 1])  # neither unknown nor start
    assert some.bias is own.item_bias


def test_when_is_asked_matters_only_where_times_are_known():
    inputs = histories()
    later = {**inputs, "asked": inputs["asked"] + 40.0}
    without, with_times = network(None), network()
    assert_close(hidden(without, later), hidden(without, inputs))
    assert not torch.allclose(hidden(with_times, later), hidden(with_times, inputs))


def test_all_times_may_be_shifted():
    own, inputs = network(), histories()
    shifted = {**inputs, "asked": inputs["asked"] + 512.0, "time": inputs["time"] + 512.0}
    assert_close(hidden(own, shifted), hidden(own, inputs))


@over_times
def test_every_parameter_learns(usual_gap):
    own = network(usual_gap)
    outputs = own(histories(40))
    scores = outputs.hidden @ outputs.items.T + outputs.bias
    scores.square().sum().backward()
    idle = [name for name, p in own.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_network_is_drawn_from_its_generator_alone():
    before = torch.get_rng_state()
    first = network(seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = network(seed=1).state_dict(), network(seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_autocast_hands_on_low_precision():
    own = network().float()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = own(histories())
    assert outputs.hidden.dtype == torch.bfloat16
    assert outputs.items.dtype == outputs.bias.dtype == torch.float32
    assert_close(outputs.hidden.float(), own(histories()).hidden, rtol=0.1, atol=0.1)
