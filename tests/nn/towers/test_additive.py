import torch
from torch.testing import assert_close

from sk_attention.nn.towers import AdditiveTowers

N_TOKENS, DIM, N_READERS = 4, 3, 5


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def towers(n_outputs=(2, 3), seed=0):
    layer = AdditiveTowers(N_TOKENS, DIM, N_READERS, n_outputs, generator(seed)).double()
    torch.nn.init.normal_(layer.bias, generator=generator(seed))
    return layer


def draw(n_rows=7, n_tasks=2, seed=0):
    own = generator(seed)
    tokens = torch.randn(n_rows, N_TOKENS, DIM, generator=own, dtype=torch.float64)
    raw = torch.randn(n_rows, n_tasks, N_READERS, N_TOKENS, generator=own, dtype=torch.float64)
    return tokens, torch.softmax(raw, -1)


def test_towers_equal_a_loop_over_everything():
    layer, (tokens, weights) = towers(), draw()
    out, added = layer(tokens, weights), layer.contributions(tokens, weights)
    weight = layer.weight.unflatten(2, (2, N_READERS, 3))
    assert out.shape == (7, 2, 3)
    assert added.shape == (7, 2, 3, N_TOKENS)
    for row in range(7):
        for task, n_classes in enumerate((2, 3)):
            for c in range(n_classes):
                parts = [
                    sum(
                        N_TOKENS
                        * weights[row, task, r, j]
                        * (tokens[row, j] @ weight[j, :, task, r, c])
                        for r in range(N_READERS)
                    )
                    / N_READERS
                    for j in range(N_TOKENS)
                ]
                assert_close(added[row, task, c], torch.stack(parts))
                assert_close(out[row, task, c], sum(parts) + layer.bias[task, c])


def test_classes_that_a_task_has_not_get_no_probability():
    layer, (tokens, weights) = towers(), draw()
    assert (layer(tokens, weights)[:, 0, 2] == -torch.inf).all()


def test_a_token_without_attention_adds_nothing():
    layer, (tokens, weights) = towers(), draw()
    weights = weights.clone()
    weights[:, 1, :, 2] = 0.0
    assert not layer.contributions(tokens, weights)[:, 1, ..., 2].any()


def test_a_token_moves_its_own_contribution_alone():
    layer, (tokens, weights) = towers(), draw()
    changed = tokens.clone()
    changed[:, 1] += 1.0
    moved = layer.contributions(changed, weights) - layer.contributions(tokens, weights)
    assert moved[..., 1].abs().min() > 0.0
    assert not moved[..., [0, 2, 3]].any()
