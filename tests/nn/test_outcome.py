"""The network that foretells labels: against plain loops, and what must not matter."""

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.features import FeatureVectors
from sk_attention.nn.history.asked_reading import AskedReading
from sk_attention.nn.items import Described, ItemVectors
from sk_attention.nn.layers import linear
from sk_attention.nn.outcome import OutcomeNetwork
from sk_attention.nn.tokens import CategoryTokens, Tokens

KINDS = ["self", "cross", "double", "hierarchical"]
DIM, N_ITEMS = 8, 6
START = N_ITEMS + 1


def generator():
    return torch.Generator().manual_seed(0)


def network(attention="double", usual_gap=2.0, n_outputs=3):
    rng = generator()
    items = ItemVectors(N_ITEMS, DIM, None, rng)
    past = FeatureVectors(Tokens(None, CategoryTokens([4], DIM, rng)), None, "event")
    sizes = (2, 1, 2, n_outputs, (16,), 0.0, 5, usual_gap)
    own = OutcomeNetwork(attention, items, 3, past, None, None, *sizes, rng).double().eval()
    with torch.no_grad():
        for name, parameter in own.named_parameters():
            if "gap" in name or "lag" in name:
                parameter.normal_(generator=rng)
    return own


def histories():
    """Two histories, of four tokens and of three with one of padding."""
    return {
        "item": torch.tensor([[START, 1, 2, 3], [START, 4, 5, 5]]),
        "time": torch.tensor([[0.0, 0.0, 1.0, 5.0], [2.0, 2.0, 9.0, 0.0]]).double(),
        "asked": torch.tensor([[0.0, 1.0, 5.0, 7.0], [2.0, 9.0, 9.5, 0.0]]).double(),
        "session": torch.tensor([[-1, 0, 0, 1], [-1, 2, 2, 2]]),
        "event.category": torch.tensor([[[0], [1], [2], [3]], [[0], [1], [1], [1]]]),
        "position": torch.tensor([1, 3, 6]),
        "asked_item": torch.tensor([2, 6, 1]),
        "user": torch.tensor([1, 1, 0]),
    }


def test_reading_of_what_is_asked_equals_a_plain_loop():
    reading = AskedReading(DIM, 2, generator()).double()
    rng = generator()
    candidate, tokens = torch.randn(2, 1, 3, DIM, generator=rng, dtype=torch.float64)
    bias = torch.randn(2, 3, 3, generator=rng, dtype=torch.float64)
    bias = bias.masked_fill(torch.ones(3, 3).triu(1).bool(), -torch.inf)
    found = reading(candidate, tokens, bias)[0]
    normed = reading.norm_events(tokens[0])
    query = reading.query(reading.norm_asked(candidate[0])).view(3, 2, DIM // 2)
    key = reading.key(normed).view(3, 2, DIM // 2)
    value = reading.value(normed).view(3, 2, DIM // 2)
    for place in range(3):
        for head in range(2):
            seen = range(place + 1)
            score = torch.stack(
                [
                    query[place, head] @ key[j, head] / (DIM // 2) ** 0.5 + bias[head, place, j]
                    for j in seen
                ]
            )
            weight = torch.exp(score - score.max())
            weight = weight / weight.sum()
            expected = sum(weight[j] * value[j, head] for j in seen)
            part = slice(head * DIM // 2, (head + 1) * DIM // 2)
            assert_close(found[place, part], expected)


@pytest.mark.parametrize("attention", KINDS)
def test_later_events_and_padding_do_not_matter(attention):
    net, inputs = network(attention), histories()
    expected = net(inputs)
    assert expected.shape == (3, 1, 2, 3)
    other = {name: values.clone() for name, values in inputs.items()}
    other["item"][0, 3], other["item"][1, 3] = 6, 2
    other["time"][1, 3], other["event.category"][1, 3] = 8.0, 2
    found = net(other)
    assert_close(found[[0, 2]], expected[[0, 2]])
    assert not torch.equal(found[1], expected[1])


@pytest.mark.parametrize("attention", KINDS)
def test_attention_weights_sum_to_one_over_what_came_before(attention):
    weights = network(attention).attention(histories())
    assert weights.shape == (3, 4)
    assert_close(weights.sum(dim=1), torch.ones(3, dtype=weights.dtype))
    assert (weights[0, 2:] == 0).all() and (weights[2, 3:] == 0).all()


def test_the_start_of_a_history_has_no_features():
    net, inputs = network(), histories()
    expected = net(inputs)
    inputs["event.category"][:, 0] = 3
    assert_close(net(inputs), expected)


def test_what_became_of_an_event_matters():
    net, inputs = network(), histories()
    expected = net(inputs)
    inputs["event.category"][0, 1] = 2
    assert not torch.allclose(net(inputs)[:2], expected[:2])


def test_gradients_are_those_of_finite_differences():
    net, inputs = network(n_outputs=1), histories()

    def outputs(vectors):
        return torch.func.functional_call(net, {"user": vectors}, (inputs,))

    vectors = net.user.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(outputs, vectors, eps=1e-7, atol=1e-4)


def test_an_item_that_nobody_met_has_the_vector_of_an_unknown_one_and_its_features():
    rng = generator()
    features = FeatureVectors(None, linear(2, DIM, rng), "item")
    codes = {"item.vector": torch.randn(N_ITEMS, 2, generator=rng)}
    met = torch.tensor([True] * 5 + [False])
    items = ItemVectors(N_ITEMS, DIM, Described(features, codes, met), rng).eval()
    said = features(codes)
    assert_close(items.all()[:5], items.embedding[1:6] + said[:5])
    assert_close(items.all()[5], items.embedding[0] + said[5])
    code = torch.tensor([[0, 7], [6, 2]])
    vectors = items(code)
    assert_close(vectors[0], items.embedding[[0, 7]])
    assert_close(vectors[1], items.all()[[5, 1]])


def test_gradients_of_rows_and_of_all_items_agree():
    rng = generator()
    items = ItemVectors(N_ITEMS, DIM, None, rng)
    weight = torch.randn(N_ITEMS, DIM, generator=rng)
    (items.all() * weight).sum().backward()
    dense = items.embedding.grad.clone()
    items.zero_grad()
    (items(torch.arange(1, N_ITEMS + 1)) * weight).sum().backward()
    assert_close(items.embedding.grad.to_dense(), dense)


@pytest.mark.parametrize("attention", KINDS)
def test_candidates_are_asked_about_as_rows_are(attention):
    own, inputs = network(attention), histories()
    candidate = torch.tensor([[2, 5, 0], [6, 1, 1], [1, 3, 4]])
    found = own.candidate_outputs({**inputs, "candidate": candidate})
    assert found.shape == (3, 3, 2, 3)
    for place in range(3):
        alone = own({**inputs, "asked_item": candidate[:, place]})
        assert_close(found[:, place], alone[:, 0])
