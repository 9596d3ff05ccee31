import torch
from torch.testing import assert_close

from sk_attention.nn.layers import seed_draws
from sk_attention.nn.towers import GatedTowers

N_TOKENS, DIM, N_MEMBERS = 4, 3, 5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def towers(n_outputs=(2, 3), hidden=(6,), dropout=0.0, seed=0):
    return GatedTowers(
        N_TOKENS, DIM, N_MEMBERS, n_outputs, hidden, dropout, generator(seed)
    ).double()


def draw(n_rows=7, n_tasks=2, seed=0):
    def normal(*shape):
        return torch.randn(n_rows, *shape, generator=own, dtype=torch.float64)

    own = generator(seed)
    weights = torch.softmax(normal(n_tasks, N_TOKENS), -1)
    return normal(N_TOKENS, DIM), weights, normal(n_tasks, DIM)


def test_towers_equal_a_loop_over_rows_and_tasks():
    layer = towers(hidden=(6, 8))
    tokens, weights, shared = draw()
    out = layer(tokens, weights, shared)
    assert out.shape == (7, 2, N_MEMBERS, 3)
    for row in range(7):
        for task in range(2):
            gated = [N_TOKENS * weights[row, task, j] * tokens[row, j] for j in range(N_TOKENS)]
            x = torch.cat([*gated, shared[row, task]])
            hidden = layer.first(x.view(1, 1, -1))[0, 0].relu()  # M H
            for linear in layer.hidden:
                hidden = linear(hidden).relu()
            last = torch.zeros(1, 2, *hidden.shape, dtype=torch.float64)
            last[0, task] = hidden
            assert_close(out[row, task], layer.last(last)[0, task])


def test_uniform_attention_gates_nothing():
    layer, (tokens, weights, shared) = towers(), draw()
    uniform = torch.full_like(weights, 1 / N_TOKENS)
    flat = tokens.flatten(1).unsqueeze(1).expand(-1, 2, -1)
    hidden = layer.first(torch.cat([flat, shared], dim=-1)).relu()
    assert_close(layer(tokens, uniform, shared), layer.last(hidden))


def test_a_token_without_attention_does_not_matter_to_the_task():
    layer, (tokens, weights, shared) = towers(), draw()
    weights = weights.clone()
    weights[:, 0, 2] = 0.0
    changed = tokens.clone()
    changed[:, 2] += 1.0
    before, after = layer(tokens, weights, shared), layer(changed, weights, shared)
    assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1, :, :2], before[:, 1, :, :2])


def test_the_attention_of_one_task_does_not_matter_to_another():
    layer, (tokens, weights, shared) = towers(), draw()
    changed = weights.clone()
    changed[:, 1] = weights[:, 1].roll(1, dims=-1)
    before, after = layer(tokens, weights, shared), layer(tokens, changed, shared)
    assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


def test_what_the_tasks_share_reaches_every_task():
    layer, (tokens, weights, shared) = towers(n_outputs=(2, 2)), draw()
    before, after = layer(tokens, weights, shared), layer(tokens, weights, shared + 1.0)
    assert ((after - before).abs().amax(dim=(0, 2, 3)) > 1e-3).all()


def test_members_disagree():
    out = towers(n_outputs=(2, 2))(*draw())
    assert (out.std(dim=2) > 0).all()


def test_towers_leave_their_inputs_as_they_were():
    inputs = draw()
    copies = [x.clone() for x in inputs]
    towers()(*inputs)
    assert all(torch.equal(x, copy) for x, copy in zip(inputs, copies, strict=True))


def test_towers_have_the_right_gradients():
    inputs = tuple(x.requires_grad_() for x in draw(n_rows=2))
    layer = towers(n_outputs=(2, 2))
    assert torch.autograd.gradcheck(layer, inputs)


def test_towers_drop_hidden_units_only_in_training():
    layer, inputs = towers(n_outputs=(2, 2), dropout=0.5), draw()
    seed_draws(layer, generator())
    assert not torch.equal(layer(*inputs), layer(*inputs))
    layer.eval()
    assert torch.equal(layer(*inputs), layer(*inputs))


def test_towers_are_drawn_from_their_generator_alone():
    before = torch.get_rng_state()
    first = towers(seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = towers(seed=1).state_dict(), towers(seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
