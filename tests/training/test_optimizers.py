from functools import partial

import pytest
import torch
from torch import nn

from sk_attention.nn.multi_task import MultiTaskNetwork, Sizes
from sk_attention.nn.tokens import CategoryTokens, PeriodicTokens, PiecewiseTokens, Tokens
from sk_attention.training.optimizers import parameter_groups, resolve_optimizer


def network(attention="double", periodic=False):
    own = torch.Generator().manual_seed(0)
    sizes = Sizes(attention, 4, 1, 2, 3, (6, 5), 0.0, 1.0)
    edges = torch.tensor([[0.0, 1.0, 2.0]] * 2)
    numbers = PeriodicTokens(2, 4, own) if periodic else PiecewiseTokens(edges, 4, own)
    return MultiTaskNetwork(Tokens(numbers, CategoryTokens([3], 4, own)), 3, [2, 3], sizes, own)


@pytest.mark.parametrize("attention", ["cross", "self", "double"])
@pytest.mark.parametrize("periodic", [False, True])
def test_every_parameter_is_in_one_group(attention, periodic):
    own = network(attention, periodic)
    decayed, spared = parameter_groups(own, 0.1)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    identities = [id(parameter) for group in (decayed, spared) for parameter in group["params"]]
    assert sorted(identities) == sorted(map(id, own.parameters()))


def test_weight_decay_spares_what_it_should_not_shrink():
    own = network()
    decayed, _ = parameter_groups(own, 0.1)
    names = {id(parameter): name for name, parameter in own.named_parameters()}
    decays = {names[id(parameter)] for parameter in decayed["params"]}
    layers = {
        f"{name}.weight" for name, module in own.named_modules() if isinstance(module, nn.Linear)
    }
    assert layers <= decays  # among them the projections to query, key and value
    spared = {
        *(f"tokens.{name}" for name, _ in own.tokens.named_parameters()),
        "reading.query",
        "mixture.logit",
        "towers.first.scale",
        *(name for name, _ in own.named_parameters() if name.endswith("bias")),
        *(name for name, parameter in own.named_parameters() if ".norm" in name),
    }
    assert decays.isdisjoint(spared)
    assert decays | spared == set(names.values())


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_optimisers_take_groups(kind):
    build = resolve_optimizer(kind)
    optimizer = build(parameter_groups(network(), 0.1), lr=0.3)
    assert isinstance(optimizer, {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[kind])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.3]


@pytest.mark.parametrize("build", [torch.optim.RAdam, partial(torch.optim.SGD, momentum=0.5)])
def test_an_optimiser_of_torch_is_taken_as_it_is(build):
    assert resolve_optimizer(build) is build


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_optimisers_find_the_least_squares(kind, dtype):
    point = nn.Parameter(torch.tensor([[4.0, -3.0]], dtype=dtype))
    optimizer = resolve_optimizer(kind)([{"params": [point], "weight_decay": 0.0}], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (point - 1.0).square().sum().backward()
        optimizer.step()
    assert (point - 1.0).abs().max() < 0.01
