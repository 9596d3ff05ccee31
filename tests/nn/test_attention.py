from math import exp

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.nn import attention
from sk_attention.nn.attention import attend, attention_weights, merge_heads, split_heads

SIZES = st.tuples(*[st.integers(1, 5)] * 5)  # B H Q T D


def draw(sizes, seed=0, dtype=torch.float64):
    """Queries, keys, values, and a mask that leaves each row at least one real token."""
    n_rows, n_heads, n_queries, n_tokens, dim = sizes
    generator = torch.Generator().manual_seed(seed)

    def normal(length):
        return torch.randn(n_rows, n_heads, length, dim, generator=generator, dtype=dtype)

    real = torch.rand(n_rows, n_tokens, generator=generator) < 0.6
    real[torch.arange(n_rows), torch.randint(n_tokens, (n_rows,), generator=generator)] = True
    return normal(n_queries), normal(n_tokens), normal(n_tokens), real


def weights_by_loop(query, key, real):
    """The formula, number by number, for one row and one head."""
    weights = torch.zeros(len(query), len(key), dtype=query.dtype)
    for i, q in enumerate(query):
        similarity = [
            sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / len(q) ** 0.5 for k in key
        ]
        total = sum(exp(s) for s, is_real in zip(similarity, real, strict=True) if is_real)
        for j, is_real in enumerate(real):
            weights[i, j] = exp(similarity[j]) / total if is_real else 0.0
    return weights


@given(SIZES, st.integers(0, 99))
def test_attention_weights_equal_a_loop_over_the_formula(sizes, seed):
    query, key, _, real = draw(sizes, seed)
    weights = attention_weights(query, key, real.unsqueeze(1))
    for row in range(sizes[0]):
        for head in range(sizes[1]):
            expected = weights_by_loop(query[row, head], key[row, head], real[row])
            assert_close(weights[row, head], expected)


def test_attention_weights_by_hand():
    # similarities 0 and log(3) after division by the root of the size 4
    query = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    key = torch.tensor([[0.0, 1.0, 1.0, 1.0], [torch.tensor(3.0).log(), 5.0, 5.0, 5.0]])
    assert_close(attention_weights(query, key), torch.tensor([[0.25, 0.75]]))


@given(SIZES, st.integers(0, 99))
def test_attention_weights_are_shares_of_the_real_tokens(sizes, seed):
    query, key, _, real = draw(sizes, seed, torch.float32)
    weights = attention_weights(query * 30, key * 30, real.unsqueeze(1))
    assert (weights >= 0).all()
    assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert (weights.movedim(3, 1)[~real] == 0).all()


def test_attention_weights_ignore_padded_tokens():
    query, key, _, real = draw((4, 2, 3, 6, 5))
    masked = real.unsqueeze(1)
    weights = attention_weights(query, key, masked)
    padding = ~masked.unsqueeze(2).expand_as(weights)
    assert padding.any()
    assert (weights[padding] == 0.0).all()
    other = torch.where(masked.unsqueeze(-1), key, torch.full_like(key, 1e4))
    assert torch.equal(attention_weights(query, other, masked), weights)
    for row in range(4):  # as if the padding had never been there
        alone = attention_weights(query[row], key[row][:, real[row]])
        assert_close(weights[row][..., real[row]], alone)


def test_attention_weights_of_padding_alone_are_zero():
    query, key, _, _ = draw((2, 1, 3, 4, 5))
    real = torch.tensor([[[False] * 4], [[True] * 4]])
    weights = attention_weights(query, key, real)
    assert (weights[0] == 0.0).all()
    assert_close(weights[1].sum(-1), torch.ones(1, 3, dtype=torch.float64))


@given(SIZES, st.integers(0, 99))
def test_attention_weights_move_with_the_tokens(sizes, seed):
    query, key, _, real = draw(sizes, seed)
    order = torch.randperm(sizes[3], generator=torch.Generator().manual_seed(seed))
    moved = attention_weights(query, key[..., order, :], real[:, order].unsqueeze(1))
    assert_close(moved, attention_weights(query, key, real.unsqueeze(1))[..., order])


def test_attention_weights_stay_finite_for_huge_similarities():
    query, key = torch.tensor([[1e18]]), torch.tensor([[1e18], [-1e18], [1e18]])
    assert_close(attention_weights(query, key), torch.tensor([[0.5, 0.0, 0.5]]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_attention_weights_of_half_precision_are_float32(dtype):
    query, key, _, _ = draw((3, 1, 2, 7, 4), dtype=torch.float32)
    weights = attention_weights(query.to(dtype), key.to(dtype))
    assert weights.dtype == torch.float32
    assert_close(weights.sum(-1), torch.ones(3, 1, 2))
    assert_close(weights, attention_weights(query, key), rtol=0.05, atol=0.02)


def test_attention_weights_equal_those_of_torch():
    n_heads, dim = 3, 4
    torch_layer = torch.nn.MultiheadAttention(
        n_heads * dim, n_heads, batch_first=True, dtype=torch.float64
    )
    query, key, _, real = draw((5, 1, 2, 6, n_heads * dim))
    query, key = query.squeeze(1), key.squeeze(1)
    w_query, w_key, _ = torch_layer.in_proj_weight.chunk(3)
    b_query, b_key, _ = torch_layer.in_proj_bias.chunk(3)
    for average in (True, False):
        _, expected = torch_layer(
            query, key, key, key_padding_mask=~real, average_attn_weights=average
        )
        weights = attention_weights(
            split_heads(F.linear(query, w_query, b_query), n_heads),
            split_heads(F.linear(key, w_key, b_key), n_heads),
            real.unsqueeze(1),
        )
        assert_close(weights.mean(1) if average else weights, expected)


def test_attention_weights_have_the_right_gradients():
    query, key, _, real = draw((2, 1, 2, 3, 2))
    assert torch.autograd.gradcheck(
        lambda q, k: attention_weights(q, k, real.unsqueeze(1)),
        (query.requires_grad_(), key.requires_grad_()),
    )


@pytest.mark.parametrize("limit", [0, 1000], ids=["fused", "plain"])
def test_attend_has_the_right_gradients(limit, monkeypatch):
    monkeypatch.setattr(attention, "PLAIN_TOKENS_ON_CPU", limit)
    query, key, value, real = draw((2, 1, 2, 3, 2))
    inputs = tuple(x.requires_grad_() for x in (query, key, value))
    assert torch.autograd.gradcheck(lambda *x: attend(*x, real), inputs)


@given(SIZES, st.integers(0, 99), st.booleans())
def test_attend_gives_the_same_numbers_by_either_kernel(sizes, seed, padded):
    query, key, value, real = draw(sizes, seed)
    real = real if padded else None
    mask = None if real is None else real[:, None, None, :]
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with pytest.MonkeyPatch.context() as patch:
        for limit in (0, 1000):
            patch.setattr(attention, "PLAIN_TOKENS_ON_CPU", limit)
            assert_close(attend(query, key, value, real), expected)


def test_attend_sums_the_values_by_their_weights():
    query, key, value, real = draw((3, 2, 4, 5, 3))
    weights = attention_weights(query, key, real.unsqueeze(1))
    mixed = attend(query, key, value, real)
    for row in range(3):
        for head in range(2):
            for i in range(4):
                summed = sum(weights[row, head, i, j] * value[row, head, j] for j in range(5))
                assert_close(mixed[row, head, i], summed)


@pytest.mark.parametrize("n_tokens", [3, 300])
def test_attend_to_padding_alone_is_zero(n_tokens):
    query, key, value, _ = draw((1, 1, 2, n_tokens, 4), dtype=torch.float32)
    mixed = attend(query, key, value, torch.zeros(1, n_tokens, dtype=torch.bool))
    assert torch.equal(mixed, torch.zeros(1, 1, 2, 4))


def test_heads_are_neighbouring_slices():
    x = torch.arange(12.0).view(1, 2, 6)
    heads = split_heads(x, 3)
    assert heads.shape == (1, 3, 2, 2)
    assert torch.equal(heads[0, 1], torch.tensor([[2.0, 3.0], [8.0, 9.0]]))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_merging_heads_undoes_splitting(n_rows, n_tokens, n_heads, dim):
    x = torch.randn(n_rows, n_tokens, n_heads * dim)
    assert torch.equal(merge_heads(split_heads(x, n_heads)), x)


def test_a_query_gives_what_it_must_not_read_no_weight_at_all():
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 3, generator=generator)
    key = torch.randn(5, 4, 3, generator=generator)
    forbidden = torch.tensor([[True, False, False, False], [False] * 4])
    weights = attention_weights(query, key, forbidden=forbidden)
    assert (weights[:, 0, 0] == 0.0).all()
    assert torch.equal(weights[:, 1], attention_weights(query, key)[:, 1])
    torch.testing.assert_close(weights[:, 0, 1:], attention_weights(query[:1], key[:, 1:])[:, 0])
