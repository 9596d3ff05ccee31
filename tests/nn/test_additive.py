import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.additive import AdditiveNetwork
from sk_attention.nn.multi_task import Sizes
from sk_attention.nn.tokens import CategoryTokens, PiecewiseTokens, Tokens
from tests._estimators import ADDITIVE
from tests.nn.test_multi_task import EDGES, rows


def network(attention="cross", n_outputs=(2, 3), seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    sizes = {"embedding_dim": 8, "n_heads": 2, "n_layers": 1, "n_members": 3}
    sizes |= {"hidden_layer_sizes": (6,), "dropout": 0.0, "sharpness": 1.0, **changes}
    tokens = Tokens(PiecewiseTokens(EDGES, 8, generator), CategoryTokens([4], 8, generator))
    own = AdditiveNetwork(tokens, 4, n_outputs, Sizes(attention, **sizes), generator)
    return own.double().eval()


@pytest.mark.parametrize("attention", ADDITIVE)
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


@pytest.mark.parametrize("attention", ADDITIVE)
def test_every_parameter_learns(attention):
    own, inputs = network(attention), rows(40)
    inputs["bin"][0] = 2  # a missing number each
    outputs = own(inputs)
    outputs[outputs.isfinite()].square().sum().backward()
    idle = [name for name, p in own.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_wide_networks_take_fewer_rows_at_a_time():
    small, large = network(), network(n_outputs=(900, 900), n_members=64)
    assert 16 <= large.rows_at_a_time() < small.rows_at_a_time() <= 4096
