import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from sk_attention.nn.towers.members import MemberInput, MemberOutput


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def affine(function, n_inputs):
    """Matrix and offset of an affine function of rows (B, n_inputs), read from its values."""
    rows = torch.cat([torch.zeros(1, n_inputs), torch.eye(n_inputs)]).double()
    values = function(rows)
    return (values[1:] - values[0]).T, values[0]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_member_input_equals_a_loop_over_the_members(n_members, n_inputs, n_hidden, seed):
    layer = MemberInput(n_members, n_inputs, n_hidden, generator(seed)).double()
    x = torch.randn(3, 2, n_inputs, generator=generator(seed), dtype=torch.float64)
    hidden = layer(x)
    assert hidden.shape == (3, 2, n_members, n_hidden)
    for member in range(n_members):

        def own(rows, member=member):
            return layer(rows.unsqueeze(1))[:, 0, member]

        matrix, offset = affine(own, n_inputs)
        for row in range(3):
            for task in range(2):
                assert_close(hidden[row, task, member], matrix @ x[row, task] + offset)


def test_members_share_one_matrix_up_to_a_scale_of_each_input():
    layer = MemberInput(3, 5, 4, generator()).double()
    matrices = [affine(lambda rows, m=m: layer(rows.unsqueeze(1))[:, 0, m], 5)[0] for m in range(3)]
    for matrix in matrices[1:]:
        ratio = matrix / matrices[0]
        assert_close(ratio, ratio[:1].expand_as(ratio))
        assert ratio[0].std() > 0.1  # yet members differ


def test_member_input_equals_scaled_inputs():
    layer = MemberInput(3, 5, 4, generator()).double()
    x = torch.randn(6, 2, 5, dtype=torch.float64, generator=generator(1))
    for member, scale in enumerate(layer.scale.reshape(3, 5)):
        expected = torch.nn.functional.linear(scale * x, layer.weight, layer.bias)
        assert_close(layer(x)[:, :, member], expected)


def test_member_output_equals_a_loop_over_tasks_and_members():
    layer = MemberOutput(3, 4, [2, 2], generator()).double()
    layer.bias.data.normal_(generator=generator(1))
    x = torch.randn(5, 2, 3, 4, dtype=torch.float64, generator=generator(2))
    out = layer(x)
    assert out.shape == (5, 2, 3, 2)
    for task in range(2):
        for member in range(3):
            expected = x[:, task, member] @ layer.weight[task, member] + layer.bias[task, member]
            assert_close(out[:, task, member], expected)


def test_classes_that_a_task_has_not_are_impossible():
    layer = MemberOutput(2, 3, [1, 4, 2], generator())
    out = layer(torch.randn(5, 3, 2, 3))
    assert out.shape == (5, 3, 2, 4)
    assert out.isneginf().any(dim=0).any(dim=1).tolist() == [
        [False, True, True, True],
        [False, False, False, False],
        [False, False, True, True],
    ]
    assert_close(torch.softmax(out, -1).sum(-1), torch.ones(5, 3, 2))


def test_gradients_pass_beside_impossible_classes():
    layer = MemberOutput(2, 3, [1, 3], generator())
    out = layer(torch.randn(5, 2, 2, 3))
    torch.log_softmax(out, -1)[..., 0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_keep_the_precision_of_the_weights(dtype):
    layer = MemberOutput(2, 3, [2], generator())
    assert layer(torch.randn(5, 1, 2, 3, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize(
    "build",
    [lambda own: MemberInput(3, 4, 5, own), lambda own: MemberOutput(3, 4, [2, 3], own)],
    ids=["input", "output"],
)
def test_member_layers_are_drawn_from_their_generator_alone(build):
    before = torch.get_rng_state()
    first = build(generator(1)).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    again, other = build(generator(1)).state_dict(), build(generator(2)).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
