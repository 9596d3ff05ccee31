import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.encoders import EFFICIENT, SelfAttentionEncoder
from sk_attention.nn.encoders.efficient import N_POINTS

over_efficient = pytest.mark.parametrize("kind", list(EFFICIENT))


def block(kind, dim=6, n_heads=2):
    return EFFICIENT[kind](dim, n_heads, 0.0, torch.Generator().manual_seed(0)).double()


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(own, kind, query, key, real):
    """The weights (T, T) of one head, by plain loops over tokens and points."""
    n_tokens, scale = len(query), query.shape[-1] ** -0.5
    weights = torch.zeros(n_tokens, n_tokens, dtype=torch.float64)
    for i in range(n_tokens):
        if kind == "linear":
            shares = [
                float(real[j])
                * sum(
                    (1 + torch.nn.functional.elu(query[i, d]))
                    * (1 + torch.nn.functional.elu(key[j, d]))
                    for d in range(query.shape[-1])
                )
                for j in range(n_tokens)
            ]
            weights[i] = torch.stack([torch.as_tensor(share) for share in shares]) / sum(shares)
            continue
        to_points = [(query[i] @ own[r] * scale).exp() for r in range(N_POINTS)]
        for r in range(N_POINTS):
            told = [float(real[j]) * (own[r] @ key[j] * scale).exp() for j in range(n_tokens)]
            for j in range(n_tokens):
                weights[i, j] += to_points[r] / sum(to_points) * told[j] / sum(told)
    return weights


@over_efficient
def test_what_is_mixed_equals_plain_loops(kind):
    own = block(kind)
    query, key, value = (drawn(2, 2, 5, 3, seed=seed) for seed in range(3))
    real = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    mixed, weights = own.mix(query, key, value, real), own.weigh(query, key, real.unsqueeze(1))
    for row in range(2):
        for head in range(2):
            points = own.points[head] if kind == "inducing" else None
            expected = reference(points, kind, query[row, head], key[row, head], real[row])
            assert_close(weights[row, head], expected)
            assert_close(mixed[row, head], expected @ value[row, head])
    assert_close(weights.sum(-1), torch.ones(2, 2, 5, dtype=torch.float64))
    assert not weights[1, ..., 3:].any()


@over_efficient
def test_encoders_of_many_tokens_move_with_them_and_trace_their_flow(kind):
    generator = torch.Generator().manual_seed(0)
    own = SelfAttentionEncoder(6, 2, 2, 0.0, generator, EFFICIENT[kind]).double()
    tokens, order = drawn(2, 40, 6), torch.randperm(40, generator=generator)
    assert_close(own(tokens[:, order]), own(tokens)[:, order])
    flow = own.rollout(tokens)
    assert_close(flow.sum(-1), torch.ones(2, 40, dtype=torch.float64))


@over_efficient
def test_gradients_are_right(kind):
    own = block(kind, dim=2, n_heads=1)
    if kind == "inducing":
        own.points = torch.nn.Parameter(own.points[:, :2].detach())
    names = list(dict(own.named_parameters()))
    real = torch.tensor([[True, True, True, False]])

    def run(tokens, *parameters):
        state = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(own, state, (tokens, real))

    inputs = [drawn(1, 4, 2), *(parameter.detach() for parameter in own.parameters())]
    assert torch.autograd.gradcheck(run, [own.clone().requires_grad_() for own in inputs])
