from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_attention.training.plan import (
    MAX_EPOCHS,
    MIN_ROWS_TO_HOLD_OUT,
    MIN_STEPS,
    Plan,
    auto_batch_size,
    auto_splits,
    plan,
    resolve_loss,
    single_pass,
    users_to_hold_out,
)

N_ROWS = st.integers(1, 2_000_000)


@given(N_ROWS)
def test_automatic_batches_grow_with_the_rows_and_are_nearly_equal(n_rows):
    size = auto_batch_size(n_rows)
    assert min(n_rows, 32) <= size <= 1024
    n_batches = ceil(n_rows / size)
    assert n_rows - (n_batches - 1) * size > size - n_batches


@pytest.mark.parametrize(
    ("n_rows", "size"),
    [
        (1, 1),
        (64, 64),
        (65, 33),
        (425, 61),
        (4096, 128),
        (30_000, 255),
        (30_001, 509),
        (100_000, 511),
        (100_001, 1021),
    ],
)
def test_automatic_batch_size(n_rows, size):
    assert auto_batch_size(n_rows) == size


@given(N_ROWS, st.integers(1, 3_000_000))
def test_a_batch_never_has_more_rows_than_there_are(n_rows, batch_size):
    assert plan(n_rows, batch_size, 1, stops=True).batch_size == min(batch_size, n_rows)


@given(N_ROWS, st.just("auto") | st.integers(1, 10_000), st.integers(1, 500))
def test_passes_are_as_asked_unless_they_make_too_few_steps(n_rows, batch_size, max_epochs):
    own = plan(n_rows, batch_size, max_epochs, stops=True)
    steps = ceil(n_rows / own.batch_size)
    if max_epochs * steps >= MIN_STEPS:
        assert own.n_epochs == max_epochs
    else:
        assert (own.n_epochs - 1) * steps < MIN_STEPS <= own.n_epochs * steps


@pytest.mark.parametrize(
    ("n_rows", "stops", "passes"),
    [
        (MIN_ROWS_TO_HOLD_OUT - 1, False, MIN_STEPS),
        (MIN_ROWS_TO_HOLD_OUT - 1, True, MAX_EPOCHS),
        (MIN_ROWS_TO_HOLD_OUT, False, MAX_EPOCHS),
    ],
)
def test_automatic_passes_are_few_for_few_rows_that_nothing_stops(n_rows, stops, passes):
    assert plan(n_rows, "auto", "auto", stops).n_epochs == passes


@given(N_ROWS)
def test_a_single_pass_is_exactly_one_over_batches_for_more_rows_to_come(n_rows):
    assert single_pass(n_rows, "auto") == Plan(auto_batch_size(n_rows), 1)


@given(st.integers(500, 10**6), st.floats(0.01, 0.5))
def test_few_rows_are_held_out_several_times(n_rows, fraction):
    n_splits = auto_splits(n_rows, fraction)
    assert 1 <= n_splits <= 3
    assert auto_splits(n_rows + 1000, fraction) <= n_splits
    if n_rows * fraction >= 600:
        assert n_splits == 1


@pytest.mark.parametrize(
    ("loss", "n_items", "resolved"),
    [
        ("auto", 1, "cross_entropy"),
        ("auto", 50_000, "cross_entropy"),
        ("auto", 50_001, "sampled_softmax"),
        ("gbce", 5, "gbce"),
        ("cross_entropy", 10**6, "cross_entropy"),
    ],
)
def test_automatic_loss(loss, n_items, resolved):
    assert resolve_loss(loss, n_items) == resolved


@pytest.mark.parametrize(
    ("n_items", "n_users"),
    [(1, 5_000), (200_000, 5_000), (250_000, 4_000), (10**6, 1_000), (10**8, 100)],
)
def test_fewer_users_are_held_out_from_very_many_items(n_items, n_users):
    assert users_to_hold_out(n_items) == n_users
