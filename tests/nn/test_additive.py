from itertools import product

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.additive import AdditiveNetwork
from sk_attention.nn.bags import BagTokens
from sk_attention.nn.multi_task import Sizes
from sk_attention.nn.tokens import CategoryTokens, PiecewiseTokens, Tokens
from tests._estimators import ATTENTIONS
from tests.nn.test_bags import ID, LENGTH, VALUE
from tests.nn.test_multi_task import EDGES, rows

BAGS = {"bag_id": ID, "bag_value": VALUE, "bag_length": LENGTH}
START = [[0, 2], [2, 3], [6, 6]]  # of each row and field


def network(attention="cross", n_outputs=(2, 3), seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    sizes = {"embedding_dim": 8, "n_heads": 2, "n_layers": 1, "n_members": 3}
    sizes |= {"hidden_layer_sizes": (6,), "dropout": 0.0, "sharpness": 1.0, **changes}
    tokens = Tokens(PiecewiseTokens(EDGES, 8, generator), CategoryTokens([4], 8, generator))
    field = [0, 0, 1, 1]
    own = AdditiveNetwork(tokens, 4, n_outputs, Sizes(attention, **sizes), generator, field)
    return own.double().eval()


def network_of_bags(attention, n_outputs=(2, 3)):
    """The same with two fields of several tokens behind the four of one."""
    own = network(attention, n_outputs)
    generator = torch.Generator().manual_seed(1)
    tokens = Tokens(
        own.tokens.numbers,
        own.tokens.categories,
        bags=BagTokens(torch.ones(5), 2, 1 if attention == "self" else 2, 8, generator),
    )
    for parameter in (tokens.bags.score, tokens.bags.empty):
        torch.nn.init.normal_(parameter, generator=generator)
    sizes = Sizes(attention, 8, 2, 1, 3, (6,), 0.0, 1.0)
    field = [0, 0, 1, 1, 1, 2]
    return AdditiveNetwork(tokens, 6, n_outputs, sizes, generator, field).double().eval()


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_contributions_and_bias_are_the_outputs(attention):
    own = network(attention)
    torch.nn.init.normal_(own.towers.bias, generator=torch.Generator().manual_seed(0))
    outputs = own(rows())
    assert outputs.shape == (6, 2, 1, 3)
    added = own.contributions(own.tokens(rows()))
    assert added.shape == (6, 2, 3, 4)
    total = added.sum(-1) + own.towers.bias
    total[:, 0, 2] = -torch.inf  # a class that the first task has not
    assert_close(outputs.squeeze(2), total)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_contributions_of_fields_of_several_tokens_equal_plain_loops(attention):
    own, inputs = network_of_bags(attention), rows(3) | BAGS
    mean = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        tokens, within = own.tokens(inputs), own.tokens.bags.within(ID, VALUE, LENGTH)
        gates = own.towers.gates(own.reader_weights(tokens))
        fields, found = own.contributions(tokens), own.bag_contributions(inputs, mean)
        for row, task, c, bag in product(range(3), range(2), range(3), range(2)):
            where = slice(START[row][bag], START[row][bag] + int(LENGTH[row, bag]))
            share = within[where, min(task, within.shape[1] - 1)]
            weight = own.towers.weight[4 + bag].unflatten(1, (2, 3, 3))[:, task, :, c]
            alone = torch.zeros(len(share), dtype=torch.float64)
            for j, (code, value) in enumerate(zip(ID[where], VALUE[where], strict=True)):
                read = own.reading.value(value * own.tokens.bags.embedding[code])
                alone[j] = gates[row, task, :, 4 + bag] @ (read @ weight)
            if len(alone):
                assert_close(share @ alone, fields[row, task, c, 4 + bag])
            assert_close(found[where, task, c], share * (alone - mean[task, c, 4 + bag]))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_outputs_are_sums_over_fields_and_tokens(attention):
    own, inputs = network_of_bags(attention), rows(3) | BAGS
    outputs, read = own(inputs).squeeze(2), own.read(inputs)
    assert_close(read.weights.sum(-1), torch.ones(3, 2, dtype=torch.float64))
    total = own.contributions(own.tokens(inputs)).sum(-1) + own.towers.bias
    total[:, 0, 2] = -torch.inf
    assert_close(outputs, total)


@pytest.mark.parametrize(("attention", "shared"), [("cross", 0), ("self", 1), ("double", 0)])
def test_read_gives_the_mean_over_the_readers(attention, shared):
    read = network(attention).read(rows())
    assert read.weights.shape == (6, 2, 4)
    assert read.representation.shape == (6, 2, 8)
    assert_close(read.weights.sum(-1), torch.ones(6, 2, dtype=torch.float64))
    assert torch.allclose(read.weights[:, 0], read.weights[:, 1]) == bool(shared)


def test_no_task_sees_what_another_reads():
    own = network()
    before = own(rows())
    own.reading.query.data[:3] += 1.0  # the readers of the first task
    after = own(rows())
    assert torch.equal(after[:, 1], before[:, 1])
    assert not torch.allclose(after[:, 0, :, :2], before[:, 0, :, :2])
    assert own.task_weights().tolist() == [0.5, 0.5]


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_what_a_text_holds_does_not_move_what_is_read_of_other_fields(attention):
    own, inputs = network_of_bags(attention), rows(3) | BAGS
    other = inputs | {"bag_id": ID.flip(0)}
    fields = own.read(inputs).weights, own.read(other).weights
    assert_close(*fields)
    before, after = (own.contributions(own.tokens(each)) for each in (inputs, other))
    assert_close(before[..., :4], after[..., :4])
    assert not torch.allclose(before[..., 4], after[..., 4])


@pytest.mark.parametrize("of_bags", [False, True])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_parameter_learns(attention, of_bags):
    own, inputs = network(attention), rows(40)
    if of_bags:
        own, inputs = network_of_bags(attention), rows(3) | BAGS
    inputs["bin"][0] = 2  # a missing number each
    outputs = own(inputs)
    outputs[outputs.isfinite()].square().sum().backward()
    idle = [name for name, p in own.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_wide_networks_take_fewer_rows_at_a_time():
    small, large = network(), network(n_outputs=(900, 900), n_members=64)
    assert 16 <= large.rows_at_a_time() < small.rows_at_a_time() <= 4096
