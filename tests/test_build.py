from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_attention import MultiTaskAttentionClassifier
from sk_attention._build import auto_embedding_dim, auto_members, build_network, build_tokens
from sk_attention.data.columns import array_columns
from sk_attention.data.fields import TableEncoder
from sk_attention.data.numeric import BinEncoder, NormalScoreEncoder


def encoder(kinds=("number", "category", "number"), numbers=None, n_rows=20):
    X = np.random.default_rng(0).integers(0, 9, size=(n_rows, len(kinds))).astype(float)
    columns = array_columns(X)
    own = TableEncoder(kinds, BinEncoder(4) if numbers is None else numbers)
    return own.fit(columns, np.ones(n_rows)), columns


def build(asked, table, n_outputs, seed):
    groups = np.arange(len(table.kinds))
    return build_network(asked, table, groups, n_outputs, seed)


def tensors(codes):
    return {name: torch.as_tensor(array) for name, array in codes.items()}


def estimator(**changes):
    return SimpleNamespace(**MultiTaskAttentionClassifier(**changes).get_params())


@pytest.mark.parametrize("numbers", [BinEncoder(4), NormalScoreEncoder()], ids=["bins", "scores"])
@pytest.mark.parametrize(
    "kinds",
    [("number",), ("category",), ("number", "category", "number"), ("category", "category")],
)
def test_tokens_take_the_codes_of_their_encoder(kinds, numbers):
    table, columns = encoder(kinds, numbers)
    tokens = build_tokens(table, 8, 2, torch.Generator().manual_seed(0))
    out = tokens(tensors(table.transform(columns, np.float32)))
    assert out.shape == (20, len(kinds), 8)
    assert out.isfinite().all()


@pytest.mark.parametrize("attention", ["cross", "self", "double", "hierarchical"])
def test_network_has_the_sizes_that_were_asked_for(attention):
    table, columns = encoder()
    asked = estimator(
        attention=attention, embedding_dim=12, n_heads=3, n_members=5, hidden_layer_sizes=(7, 9)
    )
    network = build(asked, table, [2, 4], seed=0)
    codes = tensors(table.transform(columns, np.float32))
    assert network(codes).shape == (20, 2, 5, 4)
    assert network.read(codes).representation.shape == (20, 2, 12)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_one_hidden_layer_may_be_given_as_an_integer():
    table, _ = encoder()
    built = [
        build(estimator(hidden_layer_sizes=size), table, [2], seed=0).state_dict()
        for size in (6, (6,), [6])
    ]
    for other in built[1:]:
        assert all(torch.equal(built[0][name], other[name]) for name in built[0])


def test_seed_decides_the_initial_weights():
    table, _ = encoder()
    before = torch.get_rng_state()
    first, again, other = (build(estimator(), table, [2], seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_heads_must_divide_the_embedding():
    table, _ = encoder()
    with pytest.raises(
        ValueError,
        match=r"embedding_dim must be a multiple of n_heads; got embedding_dim=8 and n_heads=3\.",
    ):
        build(estimator(embedding_dim=8, n_heads=3), table, [2], seed=0)


@given(st.integers(1, 20_000), st.integers(1, 12))
def test_automatic_embedding_is_a_multiple_of_the_heads(n_tokens, n_heads):
    dim = auto_embedding_dim(n_tokens, n_heads)
    assert dim >= n_heads
    assert dim % n_heads == 0


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 12))
def test_automatic_embedding_does_not_grow_with_the_columns(n_tokens, more, n_heads):
    assert auto_embedding_dim(n_tokens + more, n_heads) <= auto_embedding_dim(n_tokens, n_heads)


@given(st.integers(1, 500), st.integers(1, 100_000), st.integers(0, 500), st.integers(0, 100_000))
def test_automatic_members_are_fewer_for_more_work(n_tasks, n_inputs, tasks, inputs):
    assert 1 <= auto_members(n_tasks + tasks, n_inputs + inputs) <= auto_members(n_tasks, n_inputs)
