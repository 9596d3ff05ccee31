import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.history.recency import gap_codes
from sk_attention.nn.history.sampling import NegativeSampler
from sk_attention.nn.recommender import RERANKED
from tests._networks import ATTENTIONS, LENGTH, N_ITEMS, cut, histories, network, scores

over_attentions = pytest.mark.parametrize("attention", ATTENTIONS)
over_times = pytest.mark.parametrize("usual_gap", [None, 10.0], ids=["no times", "times"])


def by_place(values):
    return values.view(-1, LENGTH, values.shape[-1])


def test_tokens_are_the_items_vectors_and_how_long_ago_the_last_event_was():
    own, inputs = network(), histories()
    tokens, _, position = own._tokens(inputs)
    gap = gap_codes(inputs["asked"], inputs["time"], 10.0)
    expected = own.embedding[inputs["item"]] * 8**0.5 + own.events.gap_embedding[gap]
    assert_close(tokens, expected)
    assert position is inputs["position"]


def test_items_have_the_vectors_of_their_tokens_without_unknown_and_start():
    own = network()
    assert_close(own.item_vectors(), own.embedding[1 : N_ITEMS + 1])


@over_attentions
@over_times
@pytest.mark.parametrize("place", [1, 3, 4])
def test_what_comes_later_changes_nothing_before(attention, usual_gap, place):
    own, inputs = network(attention, usual_gap), histories()
    changed = {name: values.clone() for name, values in inputs.items()}
    changed["item"][:, place] = (inputs["item"][:, place] + 1) % (N_ITEMS + 2)
    changed["time"][:, place] += 7.0
    changed["session"][:, place:] += 1
    before, after = by_place(scores(own, inputs)), by_place(scores(own, changed))
    assert_close(after[:, :place], before[:, :place])
    assert not torch.isclose(after[:, place:], before[:, place:]).all(dim=-1).any()


@over_attentions
@over_times
def test_padding_behind_changes_nothing(attention, usual_gap):
    own, inputs = network(attention, usual_gap), histories()
    short = cut(inputs, length=3)
    assert_close(scores(own, short).view(3, 3, -1), by_place(scores(own, inputs))[:, :3])
    assert_close(own.hidden(short).view(3, 3, -1), by_place(own.hidden(inputs))[:, :3])
    weights = own.attention(inputs).view(3, LENGTH, LENGTH)
    assert_close(own.attention(short).view(3, 3, 3), weights[:, :3, :3])


@over_attentions
@over_times
@pytest.mark.parametrize("asked_by", ["nobody", "candidates"])
def test_attention_looks_back_only_and_sums_to_one(attention, usual_gap, asked_by):
    inputs = histories()
    if asked_by == "candidates":
        inputs["candidate"] = torch.arange(3 * LENGTH).unsqueeze(1) % (N_ITEMS + 1) - 1
    weights = network(attention, usual_gap).attention(inputs).view(3, LENGTH, LENGTH)
    assert_close(weights.sum(-1), torch.ones(3, LENGTH, dtype=weights.dtype))
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    assert not weights[:, later].any()
    assert (weights[:, ~later] > 0).all()


@over_attentions
@over_times
def test_a_history_gives_the_same_alone_and_among_others(attention, usual_gap):
    own, inputs = network(attention, usual_gap), histories()
    together = by_place(scores(own, inputs))
    for row in range(3):
        alone = scores(own, cut(inputs, slice(row, row + 1)))
        assert_close(by_place(alone), together[row : row + 1])


@over_attentions
def test_positions_choose_what_is_scored(attention):
    own, inputs = network(attention), histories()
    some = {**inputs, "position": torch.tensor([13, 2])}
    assert_close(scores(own, some), scores(own, inputs)[[13, 2]])
    assert_close(own.hidden(some), own.hidden(inputs)[[13, 2]])
    assert_close(own.attention(some), own.attention(inputs)[[13, 2]])


@over_attentions
def test_when_is_asked_matters_only_where_times_are_known(attention):
    inputs = histories()
    later = {**inputs, "asked": inputs["asked"] + 40.0}
    without, with_times = network(attention, None), network(attention)
    assert_close(scores(without, later), scores(without, inputs))
    assert not torch.allclose(scores(with_times, later), scores(with_times, inputs))


@over_attentions
def test_all_times_may_be_shifted(attention):
    own, inputs = network(attention), histories()
    shifted = {**inputs, "asked": inputs["asked"] + 512.0, "time": inputs["time"] + 512.0}
    assert_close(scores(own, shifted), scores(own, inputs))


def test_sessions_matter_to_hierarchical_attention_alone():
    inputs = histories()
    other = {**inputs, "session": torch.zeros_like(inputs["session"])}
    for attention in ATTENTIONS:
        own = network(attention)
        same = torch.allclose(scores(own, other), scores(own, inputs))
        assert same == (attention != "hierarchical")


@over_attentions
@over_times
def test_every_parameter_learns(attention, usual_gap):
    own = network(attention, usual_gap)
    scores(own, histories(40)).square().sum().backward()
    idle = [name for name, p in own.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@over_attentions
def test_network_is_drawn_from_its_generator_alone(attention):
    before = torch.get_rng_state()
    first = network(attention, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = (network(attention, seed=seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@over_attentions
def test_low_precision_comes_near(attention):
    own, inputs = network(attention).float(), histories()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, rough = own(inputs), scores(own, inputs)
    scoring = outputs if own.reader is None else outputs.scoring
    assert scoring.items.dtype == scoring.bias.dtype == torch.float32
    assert rough.dtype == torch.float32
    if own.encoder is not None:
        assert scoring.hidden.dtype == torch.bfloat16
    assert_close(rough, scores(own, inputs), rtol=0.1, atol=0.2)


# ---- candidates --------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["cross", "double"])
def test_chosen_candidates_score_as_among_all(attention):
    own, inputs = network(attention), histories()
    everything = own.candidate_scores(inputs)
    assert everything.shape == (3 * LENGTH, N_ITEMS)
    candidate = torch.randint(N_ITEMS, (3 * LENGTH, 4), generator=torch.Generator().manual_seed(0))
    some = own.candidate_scores({**inputs, "candidate": candidate})
    assert_close(some, everything.gather(1, candidate))


def test_an_unknown_candidate_scores_nothing_and_looks_where_all_would():
    own, inputs = network("cross"), histories()
    unknown = {**inputs, "candidate": torch.full((3 * LENGTH, 1), -1)}
    assert not own.candidate_scores(unknown).any()
    assert_close(own.attention(unknown), own.attention(inputs))


@pytest.mark.parametrize(
    ("attention", "n_items", "n_candidates"),
    [
        ("self", 900, 0),
        ("hierarchical", 900, 0),
        ("cross", 900, 900),
        ("double", 900, RERANKED),
        ("double", 9, 9),
    ],
)
def test_so_many_of_the_best_items_read_the_history(attention, n_items, n_candidates):
    assert network(attention, n_items=n_items).n_candidates == n_candidates


def test_fewer_histories_are_scored_at_once_where_many_candidates_read_them():
    own = network("cross")
    assert own.rows_at_a_time() == own.rows_at_a_time(10) == 64
    assert own.rows_at_a_time(10**4) < 64
    assert own.rows_at_a_time(10**9) == 1


# ---- the sample --------------------------------------------------------------------------------


def test_few_items_are_all_taken():
    codes, correction = NegativeSampler(torch.rand(7), n_negatives=7)()
    assert codes.tolist() == list(range(7))
    assert not correction.any()


def test_sum_over_a_sample_is_in_the_mean_that_over_all_items():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, generator=generator)
    sampler = NegativeSampler(torch.rand(40, generator=generator), n_negatives=20)
    sampler.generator = generator
    sums = []
    for _ in range(3000):
        codes, correction = sampler()
        assert len(codes.unique()) == len(codes) <= 20
        sums.append((scores[codes] + correction).exp().sum())
    assert_close(torch.stack(sums).mean(), scores.exp().sum(), rtol=0.01, atol=0.0)
