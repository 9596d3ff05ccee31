import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sk_attention.nn.rows import take_rows
from sk_attention.training.averaging import WeightAverage
from sk_attention.training.tables import RowAdam, Together, clip_gradients, coalesce_gradients


class Tables(nn.Module):
    """A table, a vector of as many numbers, and a matrix that every step changes."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def parameter(*shape):
            drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
            return nn.Parameter(drawn)

        self.table, self.vector, self.matrix = parameter(6, 3), parameter(6), parameter(3, 3)

    def loss(self, code, sparse=True):
        take = take_rows if sparse else lambda table, code: table[code]
        rows = take(self.table, code) @ self.matrix
        return (rows.sum(1) - take(self.vector, code) - 1.0).square().sum()


TABLES = ("table", "vector")
STEPS = [torch.tensor(codes) for codes in ([0, 1, 1], [1], [4, 0], [1, 4, 4], [2], [0])]


# ---- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.1, 1e6])
def test_sparse_gradients_are_clipped_as_torch_clips_dense_ones(max_norm):
    ours, theirs = Tables(), Tables()
    ours.loss(STEPS[0]).backward()
    theirs.loss(STEPS[0], sparse=False).backward()
    clip_gradients(coalesce_gradients(ours.parameters()), max_norm)
    nn.utils.clip_grad_norm_(theirs.parameters(), max_norm)
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(own.grad.to_dense(), other.grad)
    assert ours.table.grad.is_coalesced()
    assert ours.table.grad.indices()[0].tolist() == [0, 1]


def test_parameters_without_a_gradient_are_passed_over():
    clip_gradients(coalesce_gradients(Tables().parameters()), 1.0)


# ---- optimisers --------------------------------------------------------------------------------


def test_rows_without_a_gradient_stay_as_they_are():
    own = Tables()
    optimizer = RowAdam([{"params": [own.table], "weight_decay": 0.1}], lr=0.1)
    before = own.table.detach().clone()
    for code in ([0, 1, 1], [1]):
        optimizer.zero_grad()
        own.loss(torch.tensor(code)).backward()
        optimizer.step()
    changed = (own.table != before).any(dim=1)
    assert changed.tolist() == [True, True, False, False, False, False]


def test_rows_that_decay_shrink_by_the_rate_before_they_move():
    decayed, plain = Tables(), Tables()
    for own, decay in ((decayed, 0.5), (plain, 0.0)):
        optimizer = RowAdam([{"params": [own.table], "weight_decay": decay}], lr=0.1)
        optimizer.step(lambda own=own: own.loss(STEPS[0]).backward())
    start = Tables().table
    assert_close(decayed.table[:2] - plain.table[:2], -0.1 * 0.5 * start[:2])
    assert_close(decayed.table[2:], start[2:])


def test_two_optimisers_step_as_one():
    apart, together = Tables(), Tables()
    pairs = []
    for own in (apart, together):
        rows = RowAdam([{"params": [own.table, own.vector], "weight_decay": 0.0}], lr=0.1)
        pairs.append((torch.optim.SGD([own.matrix], lr=0.1), rows))
    both = Together(*pairs[1])
    for code in STEPS:
        apart.zero_grad()
        apart.loss(code).backward()
        for optimizer in pairs[0]:
            optimizer.step()

        def closure(code=code):
            both.zero_grad()
            loss = together.loss(code)
            loss.backward()
            return loss

        assert both.step(closure).item() > 0
    for own, other in zip(apart.parameters(), together.parameters(), strict=True):
        assert_close(own, other)


def test_a_schedule_reaches_both_optimisers():
    own = Tables()
    rows = RowAdam([{"params": [own.table], "weight_decay": 0.0}], lr=0.1)
    both = Together(torch.optim.SGD([own.matrix], lr=0.2), rows)
    schedule = torch.optim.lr_scheduler.StepLR(both, step_size=1, gamma=0.5)
    both.step()
    schedule.step()
    assert [group["lr"] for group in both.param_groups] == [0.1, 0.05]
    assert rows.param_groups[0]["lr"] == 0.05


def test_the_state_of_both_optimisers_is_taken_along():
    def stepped(n_steps, state=None, start=None):
        own = Tables()
        own.load_state_dict(start or own.state_dict())
        rows = RowAdam([{"params": [own.table, own.vector], "weight_decay": 0.0}], lr=0.1)
        both = Together(torch.optim.Adam([own.matrix], lr=0.1), rows)
        if state is not None:
            both.load_state_dict(state)
        for code in STEPS[:n_steps] if state is None else STEPS[n_steps:]:
            both.zero_grad()
            own.loss(code).backward()
            both.step()
        return own.state_dict(), both.state_dict()

    expected, _ = stepped(len(STEPS))
    half, state = stepped(3)
    found, _ = stepped(3, state, half)
    for name, weights in expected.items():
        assert_close(found[name], weights)


# ---- averaging ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps_per_pass", [1, 3, 100])
def test_rows_are_averaged_as_if_every_step_touched_them_all(steps_per_pass):
    tables, whole = Tables(), Tables()
    averages = WeightAverage(tables, TABLES), WeightAverage(whole)
    for _ in range(2):  # passes
        for own, average in zip((tables, whole), averages, strict=True):
            optimizer = Together(
                torch.optim.SGD([own.matrix], lr=0.02),
                RowAdam([{"params": [own.table, own.vector], "weight_decay": 0.0}], lr=0.1),
            )
            with average.training_weights():
                for code in STEPS:
                    optimizer.zero_grad()
                    own.loss(code).backward()
                    coalesce_gradients(own.parameters())
                    average.before_step()
                    optimizer.step()
                    average.update(steps_per_pass)
        for own, other in zip(tables.parameters(), whole.parameters(), strict=True):
            assert_close(own, other)
        with averages[0].training_weights(), averages[1].training_weights():
            for own, other in zip(tables.parameters(), whole.parameters(), strict=True):
                assert_close(own, other)
