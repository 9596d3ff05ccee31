import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sk_attention.nn.layers import CodeDropout, Dropout, linear, seed_draws, uniform_


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_linear_is_uniform_within_its_bound_and_starts_without_bias():
    layer = linear(100, 200, generator())
    assert layer.weight.shape == (200, 100)
    assert layer.weight.abs().max() <= 0.1
    assert layer.weight.abs().max() > 0.099
    assert_close(layer.weight.std().item(), 0.1 / 3**0.5, rtol=0.02, atol=0)
    assert torch.equal(layer.bias, torch.zeros(200))


def test_linear_can_do_without_a_bias():
    assert linear(2, 3, generator(), bias=False).bias is None


def test_linear_depends_on_its_generator_alone():
    before = torch.get_rng_state()
    first = linear(5, 4, generator(3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(linear(5, 4, generator(3)).weight, first.weight)
    assert not torch.equal(linear(5, 4, generator(4)).weight, first.weight)


@pytest.mark.parametrize(("n_in", "bound"), [(0, 1.0), (1, 1.0), (4, 0.5)])
def test_uniform_bound_is_the_root_of_the_terms(n_in, bound):
    parameter = torch.empty(1000)
    uniform_(parameter, n_in, generator())
    assert 0.98 * bound < parameter.abs().max() <= bound


def test_dropout_zeroes_a_share_and_scales_the_rest():
    layer = Dropout(0.25)
    layer.generator = generator()
    out = layer(torch.ones(100_000))
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs((out == 0).float().mean() - 0.25) < 0.01


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_dropout_is_at_rest(p, training):
    x = torch.randn(10)
    assert Dropout(p).train(training)(x) is x


def test_code_dropout_puts_zero_in_the_place_of_a_share():
    layer = CodeDropout(0.25)
    layer.generator = generator()
    codes = torch.arange(1, 100_001, dtype=torch.int32)
    out = layer(codes)
    assert out.dtype == torch.int32
    assert torch.equal(out[out != 0], codes[out != 0])
    assert abs((out == 0).float().mean() - 0.25) < 0.01
    assert layer.eval()(codes) is codes
    assert CodeDropout(0.0)(codes) is codes


def test_dropout_draws_from_its_own_generator():
    layer = Dropout(0.5)
    before, x = torch.get_rng_state(), torch.ones(50)
    layer.generator = generator(1)
    first = layer(x)
    layer.generator = generator(1)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)  # each batch its own draw
    assert torch.equal(torch.get_rng_state(), before)


def test_every_dropout_inside_a_network_is_seeded():
    network = nn.Sequential(
        Dropout(0.1), nn.ModuleList([nn.Sequential(CodeDropout(0.2))]), nn.ReLU()
    )
    drops = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    own = generator()
    seed_draws(network, own)
    assert [layer.generator is own for layer in drops] == [True, True]
    seed_draws(network, None)
    assert [layer.generator for layer in drops] == [None, None]
