import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from rtdl_num_embeddings import PeriodicEmbeddings, PiecewiseLinearEncoding
from torch.testing import assert_close

from sk_attention.nn.tokens import (
    UNKNOWN_SHARE,
    CategoryTokens,
    PeriodicTokens,
    PiecewiseTokens,
    Tokens,
)

EDGES = torch.tensor([[-2.0, -0.5, 0.0, 1.5, 2.0], [-1.0, 0.0, 3.0, 3.5, 4.0]])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def piecewise(edges=EDGES, dim=8, seed=0):
    layer = PiecewiseTokens(edges, dim, generator(seed)).double()
    with torch.no_grad():
        for parameter in layer.parameters():  # nothing may hide behind a zero at the start
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator(seed + 1))
    return layer


def codes(values, edges=EDGES):
    """Bins and fractions of numbers (B, F), found by going through the bins."""
    bins = torch.zeros(values.shape, dtype=torch.int16)
    fractions = torch.zeros(values.shape, dtype=torch.float64)
    for row, numbers in enumerate(values):
        for field, x in enumerate(numbers):
            own = edges[field]
            for b in range(len(own) - 1):
                if own[b] <= x and own[b] < own[b + 1]:
                    bins[row, field] = b
                    fractions[row, field] = (x - own[b]) / (own[b + 1] - own[b])
    return bins, fractions


def grid(edges=EDGES, n=41):
    share = torch.linspace(0, 1, n, dtype=torch.float64).unsqueeze(1)
    return edges[:, 0] + share * (edges[:, -1] - edges[:, 0])


def test_piecewise_tokens_equal_a_loop_over_the_bins():
    layer = piecewise()
    bins, fractions = codes(grid())
    tokens = layer(bins, fractions)
    n_bins = EDGES.shape[1] - 1

    def at(field, bin_, fraction):
        chosen = torch.full((1, 2), bin_, dtype=torch.int16)
        return layer(chosen, torch.full((1, 2), fraction, dtype=torch.float64))[0, field]

    for field in range(2):
        rise = [at(field, b, 1.0) - at(field, b, 0.0) for b in range(n_bins)]
        for row in range(len(bins)):
            expected = at(field, 0, 0.0)
            for b in range(int(bins[row, field])):
                expected = expected + rise[b]
            expected = expected + fractions[row, field] * rise[bins[row, field]]
            assert_close(tokens[row, field], expected)


def test_piecewise_tokens_are_linear_in_the_encoding_of_the_library():
    layer, values = piecewise(), grid()
    tokens = layer(*codes(values)).detach().numpy()
    encoding = PiecewiseLinearEncoding(list(EDGES))(values.float()).double().numpy()
    n_bins = EDGES.shape[1] - 1
    for field in range(2):
        part = encoding[:, field * n_bins : (field + 1) * n_bins]
        design = np.column_stack([np.ones(len(part)), part])
        _, residual, rank, _ = np.linalg.lstsq(design, tokens[:, field], rcond=None)
        assert rank == n_bins + 1
        assert_allclose(residual, 0.0, atol=1e-8)
        # every bin has a direction of its own
        assert np.linalg.matrix_rank(tokens[:, field] - tokens[0, field], tol=1e-4) == n_bins


@given(st.integers(0, 2), st.integers(0, 99))
def test_piecewise_tokens_meet_at_the_edges(bin_, seed):
    layer = piecewise(seed=seed)
    left = layer(torch.full((1, 2), bin_, dtype=torch.int16), torch.ones(1, 2).double())
    right = layer(torch.full((1, 2), bin_ + 1, dtype=torch.int16), torch.zeros(1, 2).double())
    assert_close(left, right)


def test_a_field_with_fewer_bins_repeats_its_last_edge_harmlessly():
    edges = torch.tensor([[-1.0, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    layer = piecewise(edges)
    tokens = layer(*codes(torch.tensor([[-1.0, 0.0], [0.5, 0.0], [1.0, 0.0]]), edges))
    assert tokens.isfinite().all()
    assert_close(tokens[0, 1], tokens[2, 1])
    assert not torch.allclose(tokens[0, 0], tokens[2, 0])


def test_a_missing_number_is_a_token_of_its_own():
    layer = piecewise()
    missing = torch.tensor([[4, 0]], dtype=torch.int16)
    fractions = torch.zeros(1, 2, dtype=torch.float64)
    tokens = layer(missing, fractions)
    others = layer(*codes(grid()))[:, 0]
    assert (tokens[0, 0] - others).norm(dim=-1).min() > 0.1

    def moved(token):
        layer.zero_grad()
        token.sum().backward(retain_graph=True)
        return {n for n, p in layer.named_parameters() if p.grad is not None and p.grad.any()}

    assert moved(tokens[0, 0]).isdisjoint(moved(others))


def test_piecewise_tokens_pass_gradients_to_the_bins_below():
    layer = piecewise()
    bins, fractions = codes(grid(n=7))

    def tokens(*parameters):
        names = [name for name, _ in layer.named_parameters()]
        return torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (bins, fractions)
        )

    parameters = tuple(p.detach().clone().requires_grad_() for p in layer.parameters())
    assert torch.autograd.gradcheck(tokens, parameters)


def test_fields_keep_to_themselves():
    layer = piecewise()
    values = torch.tensor([[-2.0, 0.5], [1.0, 0.5], [-2.0, 3.8]], dtype=torch.float64)
    tokens = layer(*codes(values))
    assert_close(tokens[0, 1], tokens[1, 1])
    assert_close(tokens[0, 0], tokens[2, 0])
    assert not torch.allclose(tokens[0, 0], tokens[1, 0])


BUILDERS = {
    "piecewise": lambda own: PiecewiseTokens(EDGES, 4, own),
    "periodic": lambda own: PeriodicTokens(3, 4, own),
    "category": lambda own: CategoryTokens([3, 5], 4, own),
}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_tokens_are_drawn_from_their_generator_alone(build):
    before = torch.get_rng_state()
    first = build(generator(1)).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    again, other = build(generator(1)).state_dict(), build(generator(2)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_periodic_tokens_leave_the_generators_of_gpus_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    PeriodicTokens(2, 4, generator())
    assert seeded == []


def test_periodic_tokens_are_those_of_the_library_where_a_number_is_there():
    layer = PeriodicTokens(3, 4, generator())
    value = torch.randn(6, 3)
    missing = torch.zeros(6, 3, dtype=torch.bool)
    missing[2, 1] = missing[4, 0] = True
    tokens = layer(value, missing)
    theirs = PeriodicEmbeddings(3, 4, lite=False)
    theirs.load_state_dict(layer.waves.state_dict())
    assert_close(tokens[~missing], theirs(value)[~missing])
    assert_close(tokens[2, 1], layer.missing[1])
    assert_close(tokens[4, 0], layer.missing[0])


def test_category_tokens_look_up_each_field_in_its_own_table():
    layer = CategoryTokens([3, 5, 2], 4, generator()).eval()
    every = [layer(torch.tensor([[a, b, c]]))[0] for a in (1, 2) for b in range(1, 5) for c in (1,)]
    assert len({tuple(tokens[0].tolist()) for tokens in every}) == 2
    assert len({tuple(tokens[1].tolist()) for tokens in every}) == 4
    table = layer.embedding.detach()
    assert_close(layer(torch.tensor([[2, 4, 1]], dtype=torch.int32))[0], table[[2, 7, 9]])


def test_an_unseen_category_is_the_zero_vector_at_first():
    layer = CategoryTokens([3, 5], 4, generator()).eval()
    assert torch.equal(layer(torch.zeros(1, 2, dtype=torch.int32)), torch.zeros(1, 2, 4))
    assert (layer(torch.ones(1, 2, dtype=torch.int32)).norm(dim=-1) > 0).all()


def test_a_few_categories_are_read_as_unseen_in_training():
    layer = CategoryTokens([3, 5], 4, generator())
    layer.hide.generator = generator()
    codes = torch.ones(10_000, 2, dtype=torch.int32)
    hidden = (layer(codes) == 0.0).all(-1)
    assert_allclose(hidden.float().mean(0), UNKNOWN_SHARE, atol=0.01)
    assert abs(hidden.all(1).float().mean() - UNKNOWN_SHARE**2) < 0.003  # each field for itself
    layer(codes).sum().backward()
    assert (layer.embedding.grad[[0, 3]] != 0.0).all()
    assert not (layer.eval()(codes) == 0.0).any()


def test_category_tokens_have_about_unit_norm():
    layer = CategoryTokens([2000], 16, generator()).eval()
    norms = layer(torch.arange(1, 2000).unsqueeze(1)).norm(dim=-1)
    assert abs(norms.square().mean() - 1.0) < 0.05


def test_tokens_come_numbers_first_then_categories():
    numbers, categories = (
        PiecewiseTokens(EDGES, 4, generator()),
        CategoryTokens([3], 4, generator()).eval(),
    )
    bins, fractions = codes(torch.tensor([[0.0, 1.0], [1.0, 3.2]]))
    inputs = {"bin": bins, "fraction": fractions.float(), "category": torch.tensor([[1], [2]])}
    tokens = Tokens(numbers, categories)(inputs)
    assert tokens.shape == (2, 3, 4)
    assert_close(tokens[:, :2], numbers(bins, fractions.float()))
    assert_close(tokens[:, 2:], categories(inputs["category"]))
    assert_close(Tokens(numbers, None)(inputs), tokens[:, :2])
    assert_close(Tokens(None, categories)(inputs), tokens[:, 2:])


def test_periodic_tokens_read_value_and_missing():
    numbers = PeriodicTokens(2, 4, generator())
    inputs = {"value": torch.randn(3, 2), "missing": torch.rand(3, 2) < 0.5}
    assert_close(Tokens(numbers, None)(inputs), numbers(inputs["value"], inputs["missing"]))
