import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from sk_attention.nn.encoders import SelfAttentionEncoder
from sk_attention.nn.layers import seed_draws


def encoder(dim=8, n_heads=2, n_layers=2, dropout=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return SelfAttentionEncoder(dim, n_heads, n_layers, dropout, generator).double()


def tokens(n_rows=4, n_tokens=5, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, n_tokens, dim, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("padded", [False, True])
def test_encoder_equals_the_layer_of_torch(padded):
    ours, x = encoder(n_layers=1), tokens()
    block = ours.blocks[0]
    theirs = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, activation="gelu", norm_first=True, batch_first=True
    ).double()
    theirs.load_state_dict(
        {
            "self_attn.in_proj_weight": block.query_key_value.weight,
            "self_attn.in_proj_bias": block.query_key_value.bias,
            **{
                f"{there}.{kind}": getattr(getattr(block, here), kind)
                for here, there in {
                    "out": "self_attn.out_proj",
                    "expand": "linear1",
                    "contract": "linear2",
                    "norm_attention": "norm1",
                    "norm_hidden": "norm2",
                }.items()
                for kind in ("weight", "bias")
            },
        }
    )
    real = torch.tensor([[True] * 3 + [False] * 2]).expand(4, -1) if padded else None
    expected = theirs(x, src_key_padding_mask=None if real is None else ~real)
    assert_close(ours(x, real), expected)


@given(st.permutations(range(5)), st.integers(1, 3))
def test_encoded_tokens_move_with_the_tokens(order, n_layers):
    layer, x = encoder(n_layers=n_layers), tokens()
    assert_close(layer(x[:, order]), layer(x)[:, order])


def test_encoder_ignores_padded_tokens():
    layer, x = encoder(), tokens()
    real = torch.tensor([[True] * 3 + [False] * 2]).expand(4, -1)
    other = torch.where(real.unsqueeze(-1), x, torch.full_like(x, 7.0))
    assert_close(layer(x, real)[:, :3], layer(x[:, :3]))
    assert_close(layer(other, real)[:, :3], layer(x, real)[:, :3])


def test_every_token_sees_every_other():
    layer, x = encoder(n_layers=1), tokens(n_rows=1).requires_grad_()
    for position in range(5):
        (seen,) = torch.autograd.grad(layer(x)[0, position].square().sum(), x)
        assert (seen[0].norm(dim=-1) > 1e-6).all()


def test_rows_do_not_see_each_other():
    layer, x = encoder(), tokens()
    together = layer(x)
    for row in range(4):
        assert_close(layer(x[row : row + 1]), together[row : row + 1])


def test_encoder_is_drawn_from_its_generator_alone():
    before = torch.get_rng_state()
    first = encoder(seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = encoder(seed=1).state_dict(), encoder(seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_encoder_drops_hidden_units_only_in_training():
    layer, x = encoder(dropout=0.5), tokens()
    seed_draws(layer, torch.Generator().manual_seed(0))
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))


def test_encoder_has_the_right_gradients():
    layer = encoder(dim=4, n_layers=1)
    assert torch.autograd.gradcheck(layer, tokens(2, 3, 4).requires_grad_())


def test_weights_are_those_that_the_block_mixes_with():
    layer, x = encoder(n_heads=1, n_layers=1), tokens()
    block = layer.blocks[0]
    weights = block.weights(x)
    assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    value = block.query_key_value(block.norm_attention(x)).chunk(3, -1)[2]
    mixed = x + block.out(weights @ value)
    hidden = functional.gelu(block.expand(block.norm_hidden(mixed)))
    assert_close(block(x), mixed + block.contract(hidden))


def test_rollout_is_the_product_of_weights_and_residuals():
    layer, x = encoder(n_layers=2), tokens()
    flow = layer.rollout(x)
    first = layer.blocks[0].weights(x)
    second = layer.blocks[1].weights(layer.blocks[0](x))
    identity = torch.eye(x.shape[1], dtype=x.dtype)
    assert_close(flow, (second + identity) / 2 @ ((first + identity) / 2))
    assert_close(flow.sum(-1), torch.ones_like(flow[..., 0]))
