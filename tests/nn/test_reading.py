import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from sk_attention.nn.reading import OMEGA_PACE, Reading, TaskMixture


def reading(n_queries=3, dim=4, n_heads=1, sharpness=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Reading(n_queries, dim, n_heads, sharpness, generator).double()


def tokens(n_rows=5, n_tokens=6, dim=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, n_tokens, dim, generator=generator, dtype=torch.float64)


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 2, 4]), st.integers(0, 99))
def test_reading_weights_are_shares(n_queries, n_tokens, n_heads, seed):
    x = tokens(n_tokens=n_tokens, seed=seed)
    weights, representation = reading(n_queries, 4, n_heads, seed=seed)(x, x)
    assert weights.shape == (5, n_queries, n_tokens)
    assert representation.shape == (5, n_queries, 4)
    assert (weights >= 0).all()
    assert_close(weights.sum(-1), torch.ones(5, n_queries, dtype=torch.float64))


@pytest.mark.parametrize("n_heads", [1, 2])
def test_reading_equals_the_formula_row_by_row(n_heads):
    layer, x, encoded = reading(n_heads=n_heads), tokens(), tokens(seed=1)
    layer.value.bias.data.copy_(torch.arange(4.0))
    weights, representation = layer(x, encoded)
    size = 4 // n_heads
    for row in range(5):
        key = layer.key(F.layer_norm(encoded[row], (4,)))
        value = layer.value(x[row])
        for i, query in enumerate(layer.query):
            alphas, read = [], []
            for head in range(n_heads):
                part = slice(head * size, (head + 1) * size)
                alpha = torch.softmax(key[:, part] @ query[part] / size**0.5, dim=0)
                alphas.append(alpha)
                read.append(alpha @ value[:, part])
            assert_close(weights[row, i], torch.stack(alphas).mean(0))
            assert_close(representation[row, i], torch.cat(read))


def test_context_moves_the_weights_but_never_the_values():
    layer, x = reading(), tokens()
    layer.query.data.zero_()  # uniform attention, whatever the keys
    weights, plain = layer(x, x)
    _, with_context = layer(x, tokens(seed=1))
    assert_close(weights, torch.full_like(weights, 1 / 6))
    assert_close(with_context, plain)


def test_zero_sharpness_starts_with_uniform_attention():
    weights, _ = reading(sharpness=0.0)(tokens(), tokens(seed=1))
    assert_close(weights, torch.full_like(weights, 1 / 6))


def test_sharper_queries_concentrate_attention():
    x = tokens()
    highest = [reading(sharpness=s)(x, x)[0].max(-1).values.mean().item() for s in (0.1, 1.0, 9.0)]
    assert highest == sorted(highest)
    assert highest[-1] > 2 * highest[0]


def test_reading_of_padding_alone_is_nothing():
    layer, x = reading(n_heads=2), tokens()
    layer.value.bias.data.fill_(1.0)
    weights, representation = layer(x, x, torch.zeros(5, 6, dtype=torch.bool))
    assert not weights.any()
    assert not representation.any()


def test_reading_ignores_padded_tokens():
    layer, x = reading(n_heads=2), tokens()
    real = torch.tensor([[True] * 4 + [False] * 2]).expand(5, -1)
    weights, representation = layer(x, x, real)
    alone, alone_representation = layer(x[:, :4], x[:, :4])
    assert (weights[..., 4:] == 0.0).all()
    assert_close(weights[..., :4], alone)
    assert_close(representation, alone_representation)


def test_a_row_reads_the_same_alone_and_among_others():
    layer, x = reading(), tokens()
    weights, representation = layer(x, x)
    for row in range(5):
        own = x[row : row + 1]
        assert_close(layer(own, own), (weights[row : row + 1], representation[row : row + 1]))


def test_reading_is_drawn_from_its_generator_alone():
    before = torch.get_rng_state()
    first = reading(seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], own) for name, own in reading(seed=1).state_dict().items())
    assert not torch.equal(reading(seed=2).query, first["query"])


def test_mixture_starts_with_equal_task_weights():
    assert_close(TaskMixture(4).task_weights(), torch.full((4,), 0.25))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_task_weights_sum_to_one(logits):
    mixture = TaskMixture(len(logits))
    mixture.logit.data = torch.tensor(logits)
    weights = mixture.task_weights()
    assert (weights >= 0).all()
    assert_close(weights.sum(), torch.tensor(1.0))


def test_every_task_sees_the_same_mixture():
    mixture, representation = TaskMixture(3).double(), tokens(n_tokens=3)
    mixture.logit.data = torch.tensor([0.0, 0.1, -0.2], dtype=torch.float64)
    omega = (OMEGA_PACE * mixture.logit.data).exp()
    omega /= omega.sum()
    z = sum(omega[i] * representation[:, i] for i in range(3))
    assert_close(mixture(representation), z.unsqueeze(1).expand(-1, 3, -1))


def test_a_task_changes_its_own_representation_alone_and_omega():
    mixture, representation = TaskMixture(3).double(), tokens(n_tokens=3).requires_grad_()
    mixture(representation)[:, 1].square().sum().backward()
    gradient = representation.grad.abs().amax(dim=(0, 2))
    assert gradient[1] > 0.0
    assert gradient[[0, 2]].tolist() == [0.0, 0.0]
    assert mixture.logit.grad.abs().min() > 0.0
