import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.nn.multi_task import MultiTaskNetwork, Sizes
from sk_attention.nn.tokens import CategoryTokens, PiecewiseTokens, Tokens

EDGES = torch.tensor([[-2.0, 0.0, 2.0]] * 3)
KINDS = ["cross", "self", "double", "hierarchical"]


def network(attention="cross", n_outputs=(2, 3), seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    sizes = Sizes(
        **{
            "attention": attention,
            "embedding_dim": 8,
            "n_heads": 2,
            "n_layers": 1,
            "n_members": 3,
            "hidden_layer_sizes": (6,),
            "dropout": 0.0,
            "sharpness": 1.0,
        }
        | changes
    )
    dim = sizes.embedding_dim
    tokens = Tokens(PiecewiseTokens(EDGES, dim, generator), CategoryTokens([4], dim, generator))
    own = MultiTaskNetwork(tokens, 4, n_outputs, sizes, generator, field=[0, 0, 1, 1])
    return own.double().eval()


def rows(n_rows=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "bin": torch.randint(3, (n_rows, 3), generator=generator, dtype=torch.int16),
        "fraction": torch.rand(n_rows, 3, generator=generator, dtype=torch.float64),
        "category": torch.randint(4, (n_rows, 1), generator=generator, dtype=torch.int32),
    }


@pytest.mark.parametrize("attention", KINDS)
def test_read_gives_weights_that_sum_to_one(attention):
    read = network(attention).read(rows())
    assert read.tokens.shape == (6, 4, 8)
    assert read.weights.shape == (6, 2, 4)
    assert read.representation.shape == (6, 2, 8)
    assert_close(read.weights.sum(-1), torch.ones(6, 2, dtype=torch.float64))


@pytest.mark.parametrize("attention", KINDS)
def test_outputs_are_made_of_what_the_tasks_read(attention):
    own = network(attention)
    outputs = own(rows())
    assert outputs.shape == (6, 2, 3, 3)
    read = own.read(rows())
    own.own_towers.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    outputs = own(rows())
    representation = F.layer_norm(read.representation, (8,))
    z = own.mixture(representation)
    members = own.towers(read.tokens, read.weights, z)
    assert_close(outputs, members + own.own_towers(representation).unsqueeze(2))


@pytest.mark.parametrize(("dim", "length"), [(4, 2.0), (16, 4.0), (64, 2.0)])
def test_what_is_shared_shrinks_where_tokens_are_large(dim, length):
    own, seen = network(embedding_dim=dim, n_outputs=(2,)), []
    own.towers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    own(rows())
    assert_close(seen[0].norm(dim=-1), torch.full((6, 1), length).double(), rtol=1e-2, atol=0)


@pytest.mark.parametrize(("attention", "shared"), [("cross", 0), ("self", 1), ("double", 0)])
def test_tasks_share_one_reading_only_where_attention_is_self(attention, shared):
    weights = network(attention).read(rows()).weights
    assert torch.allclose(weights[:, 0], weights[:, 1]) == bool(shared)


@pytest.mark.parametrize("attention", KINDS)
def test_a_row_gives_the_same_alone_and_among_others(attention):
    own, inputs = network(attention), rows()
    together = own(inputs)
    for row in range(6):
        alone = own({name: tensor[row : row + 1] for name, tensor in inputs.items()})
        assert_close(alone, together[row : row + 1])


def test_only_self_attention_lets_a_key_see_the_other_fields():
    inputs = rows()
    changed = {**inputs, "category": (inputs["category"] + 1) % 4}
    for attention, sees in [("cross", False), ("double", True)]:
        own = network(attention, n_heads=1)
        before, after = own.read(inputs).weights, own.read(changed).weights
        # between fields that did not change, cross attention keeps its proportions
        odds, new_odds = before[..., 0] / before[..., 1], after[..., 0] / after[..., 1]
        assert torch.allclose(odds, new_odds) != sees


@pytest.mark.parametrize("attention", KINDS)
def test_every_parameter_learns(attention):
    own = network(attention)
    inputs = rows(40)
    inputs["bin"][0] = 2  # a missing number each
    outputs = own(inputs)
    outputs[outputs.isfinite()].square().sum().backward()
    idle = [name for name, p in own.named_parameters() if p.grad is None or not p.grad.any()]
    # one reading of all tasks is the same whatever omega says
    assert [name for name in idle if (attention, name) != ("self", "mixture.logit")] == []


@pytest.mark.parametrize("attention", KINDS)
def test_network_is_drawn_from_its_generator_alone(attention):
    before = torch.get_rng_state()
    first = network(attention, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = network(attention, seed=1).state_dict(), network(attention, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_wide_networks_take_fewer_rows_at_a_time():
    small, large = network(), network(hidden_layer_sizes=(4096,), n_members=64)
    assert 16 <= large.rows_at_a_time() < small.rows_at_a_time() <= 4096
