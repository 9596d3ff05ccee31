from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_attention.training.plan import (
    MAX_EPOCHS,
    MIN_STEPS,
    TINY_ROWS,
    Plan,
    auto_batch_size,
    auto_learning_rate,
    auto_splits,
    is_tiny,
    plan,
    single_pass,
)

N_ROWS = st.integers(1, 2_000_000)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "tiny"),
    [
        (1, "auto", True),
        (TINY_ROWS - 1, "auto", True),
        (TINY_ROWS, "auto", False),
        (100, 100, True),
        (100, 5000, True),
        (100, 99, False),
        (TINY_ROWS, 5000, False),
    ],
)
def test_a_fit_is_tiny_if_it_is_one_batch_of_few_rows(n_rows, batch_size, tiny):
    assert is_tiny(n_rows, batch_size) == tiny


@given(st.integers(1, 2 * TINY_ROWS), st.just("auto") | st.integers(1, 2 * TINY_ROWS))
def test_a_tiny_fit_is_one_full_batch(n_rows, batch_size):
    if is_tiny(n_rows, batch_size):
        assert plan(n_rows, batch_size, 10, tiny=True).batch_size == n_rows


@given(N_ROWS, N_ROWS)
def test_automatic_batches_do_not_shrink_with_more_rows(n_rows, more):
    n_rows += TINY_ROWS
    size = plan(n_rows, "auto", 1, tiny=False).batch_size
    assert 64 <= size <= plan(n_rows + more, "auto", 1, tiny=False).batch_size <= 1024
    assert size & (size - 1) == 0  # a power of two


@pytest.mark.parametrize(
    ("n_rows", "size"),
    [
        (425, 64),
        (500, 64),
        (4096, 128),
        (30_000, 256),
        (30_001, 512),
        (100_000, 512),
        (100_001, 1024),
    ],
)
def test_automatic_batch_size(n_rows, size):
    assert plan(n_rows, "auto", 1, tiny=False).batch_size == size


@given(N_ROWS, st.integers(1, 3_000_000))
def test_a_batch_never_has_more_rows_than_there_are(n_rows, batch_size):
    assert plan(n_rows, batch_size, 1, tiny=False).batch_size == min(batch_size, n_rows)


@given(N_ROWS, st.just("auto") | st.integers(1, 10_000), st.integers(1, 500))
def test_passes_are_as_asked_unless_they_make_too_few_steps(n_rows, batch_size, max_epochs):
    own = plan(n_rows, batch_size, max_epochs, tiny=is_tiny(n_rows, batch_size))
    steps = ceil(n_rows / own.batch_size)
    if max_epochs * steps >= MIN_STEPS:
        assert own.n_epochs == max_epochs
    else:
        assert (own.n_epochs - 1) * steps < MIN_STEPS <= own.n_epochs * steps


@pytest.mark.parametrize(("tiny", "passes"), [(True, MIN_STEPS), (False, MAX_EPOCHS)])
def test_automatic_passes_are_few_where_nothing_stops_them(tiny, passes):
    assert plan(400, "auto", "auto", tiny).n_epochs == passes


@given(N_ROWS)
def test_a_single_pass_is_exactly_one_over_batches_for_more_rows_to_come(n_rows):
    assert single_pass(n_rows, "auto") == Plan(auto_batch_size(n_rows, tiny=False), 1)


def test_automatic_learning_rate_is_smaller_where_nothing_is_averaged():
    assert auto_learning_rate(tiny=True) < auto_learning_rate(tiny=False)


@given(st.integers(500, 10**6), st.floats(0.01, 0.5))
def test_few_rows_are_held_out_several_times(n_rows, fraction):
    n_splits = auto_splits(n_rows, fraction)
    assert 1 <= n_splits <= 3
    assert auto_splits(n_rows + 1000, fraction) <= n_splits
    if n_rows * fraction >= 600:
        assert n_splits == 1
