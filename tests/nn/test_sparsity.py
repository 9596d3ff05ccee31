import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from sk_attention.nn.attention import (
    attention_weights,
    grouped_attention_weights,
    ragged_attention_weights,
)
from sk_attention.nn.encoders import FieldPooling
from sk_attention.nn.sparsity import POWERS, sparse_weights

over_sparse = pytest.mark.parametrize("normalization", list(POWERS))


def drawn(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def reference(similarity, normalization, mass):
    """Plain loops; the threshold by halving an interval."""
    power = POWERS[normalization]
    out = torch.zeros_like(similarity)
    for i, row in enumerate(similarity.tolist()):
        masses = mass[i].tolist()
        if not sum(masses):
            continue
        low, high = min(row) / power - 100.0, max(row) / power
        for _ in range(200):
            threshold = (low + high) / 2
            weights = [
                m * max(s / power - threshold, 0.0) ** power
                for s, m in zip(row, masses, strict=True)
            ]
            low, high = (threshold, high) if sum(weights) > 1 else (low, threshold)
        out[i] = torch.tensor(weights, dtype=torch.float64)
    return out


@over_sparse
def test_weights_equal_plain_loops(normalization):
    similarity, mass = drawn(20, 6, scale=2.0), drawn(20, 6, seed=1).clamp(min=0)
    mass[3] = 0
    weights = sparse_weights(similarity, normalization, mass)
    assert_close(weights, reference(similarity, normalization, mass), rtol=1e-9, atol=1e-9)
    assert (weights[mass > 0] == 0).any()


@over_sparse
@given(st.integers(1, 300), st.sampled_from([0.0, 0.01, 1.0, 100.0]))
def test_weights_sum_to_one(normalization, n_tokens, scale):
    weights = sparse_weights(
        drawn(3, n_tokens, scale=scale).float(), normalization, torch.ones(3, n_tokens)
    )
    assert (weights >= 0).all()
    assert_close(weights.sum(-1), torch.ones(3), rtol=1e-5, atol=1e-5)


def test_sparsemax_of_two_tokens_is_their_difference_cut_off():
    similarity = torch.tensor([[0.3, 0.0], [2.0, 0.0]])
    assert_close(
        sparse_weights(similarity, "sparsemax", torch.ones(2, 2)),
        torch.tensor([[0.65, 0.35], [1.0, 0.0]]),
    )


@over_sparse
def test_mass_two_is_two_tokens(normalization):
    similarity = drawn(4, 3)
    twice = sparse_weights(similarity[:, [0, 0, 1, 2]], normalization, torch.ones(4, 4))
    once = sparse_weights(similarity, normalization, torch.tensor([2.0, 1, 1]).expand(4, 3))
    assert_close(once, torch.stack([twice[:, :2].sum(1), twice[:, 2], twice[:, 3]], dim=1))


@over_sparse
def test_gradients_are_right(normalization):
    mass = drawn(4, 5, seed=1).abs()
    mass[0, :2] = 0
    mass[1] = 0
    assert torch.autograd.gradcheck(
        lambda similarity: sparse_weights(similarity, normalization, mass),
        drawn(4, 5).requires_grad_(),
    )


@over_sparse
def test_weights_are_those_of_the_package_entmax(normalization):
    entmax = pytest.importorskip("entmax")
    theirs = {"sparsemax": entmax.sparsemax, "entmax": entmax.entmax15}[normalization]
    similarity = drawn(50, 30, scale=2.0)
    assert_close(
        sparse_weights(similarity, normalization, torch.ones(50, 30)), theirs(similarity, dim=-1)
    )


@over_sparse
def test_padded_and_forbidden_tokens_get_exactly_nothing(normalization):
    query, key = drawn(2, 4), drawn(3, 6, 4, seed=1)
    mask = torch.tensor([[True] * 4 + [False] * 2, [False] * 6, [True] * 6])
    forbidden = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    weights = attention_weights(query, key, mask, forbidden, normalization)
    assert not weights[0, :, 4:].any()
    assert not weights[1].any()
    assert not weights[:, 0, 0].any()
    assert_close(weights[2].sum(-1), torch.ones(2, dtype=torch.float64))
    assert_close(
        weights[0, 1, :4], attention_weights(query[1:], key[0, :4], None, None, normalization)[0]
    )


@pytest.mark.parametrize("normalization", ["softmax", *POWERS])
def test_groups_are_normalised_one_by_one(normalization):
    similarity, length = drawn(6, 2), torch.tensor([2, 0, 3, 1])
    mass = torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0, 0.0], dtype=torch.float64)
    together = ragged_attention_weights(similarity, length, mass, normalization)
    start = 0
    for size in length.tolist():
        own = slice(start, start + size)
        alone = ragged_attention_weights(
            similarity[own], torch.tensor([size]), mass[own], normalization
        )
        assert_close(together[own], alone)
        start += size
    group = torch.tensor([1, 0, 1, 1, 0, 0])
    mixed = grouped_attention_weights(similarity.T, group, 2, 1, normalization=normalization)
    assert_close(
        mixed[:, group == 0].T,
        ragged_attention_weights(
            similarity[group == 0], torch.tensor([3]), torch.ones(3), normalization
        ),
    )


@over_sparse
def test_fields_are_pooled_by_sparse_weights_too(normalization):
    pooling = FieldPooling(
        [0, 0, 0, 1], 2, 4, 3.0, torch.Generator().manual_seed(0), normalization
    ).double()
    fields, weights = pooling(drawn(8, 4, 4))
    assert (weights[..., :3] == 0).any()
    assert_close(weights[..., :3].sum(-1), torch.ones(8, 2, dtype=torch.float64))
    assert_close(fields[:, :, 1], drawn(8, 4, 4)[:, 3:].expand(-1, 2, -1))
