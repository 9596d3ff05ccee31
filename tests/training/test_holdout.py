import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.training.holdout import holdout_rows

FRACTIONS = st.floats(0.02, 0.98)
CODES = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.integers(0, 3)
)


def hold_out(values, observed, fraction, seed, stratify):
    """Hold out rows by codes (n_rows, n_tasks), or by as many numbers."""
    by_task = list(values.T if stratify else values.T.astype(float))
    return holdout_rows(by_task, observed, fraction, seed)


def everything(values):
    return np.ones(values.shape, dtype=bool)


@given(hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 4)), FRACTIONS)
def test_shares_of_one_task_are_kept_within_one_row(values, fraction):
    held_out = hold_out(values[:, None], everything(values[:, None]), fraction, 0, True)
    for code in np.unique(values):
        own = values == code
        assert abs(held_out[own].sum() - fraction * own.sum()) <= 1.0
        assert not held_out[own].all()


@given(CODES, FRACTIONS, st.integers(0, 9))
def test_a_label_carried_by_one_row_stays_in_training(values, fraction, seed):
    observed = np.random.default_rng(seed).random(values.shape) < 0.7
    held_out = hold_out(values, observed, fraction, seed, True)
    for task in range(values.shape[1]):
        for code in range(4):
            own = observed[:, task] & (values[:, task] == code)
            if own.sum() == 1:
                assert not held_out[own].any()


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_every_task_are_kept(seed):
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [
            rng.random(2000) < 0.01,
            rng.integers(0, 5, 2000),
            rng.choice(3, 2000, p=[0.9, 0.09, 0.01]),
        ]
    ).astype(int)
    observed = rng.random(values.shape) < [1.0, 0.8, 0.5]
    held_out = hold_out(values, observed, 0.2, seed, True)
    assert abs(held_out.mean() - 0.2) < 0.01
    for task in range(3):
        for code in np.unique(values[:, task]):
            own = observed[:, task] & (values[:, task] == code)
            assert abs(held_out[own].sum() - 0.2 * own.sum()) <= 1.0 + 0.01 * own.sum()


@given(CODES, FRACTIONS, st.booleans(), st.integers(0, 2**31 - 1))
def test_seed_decides_the_choice(values, fraction, stratify, seed):
    first, again = (
        hold_out(values, everything(values), fraction, seed, stratify) for _ in range(2)
    )
    assert first.dtype == bool
    assert first.shape == (len(values),)
    assert_array_equal(first, again)


def test_another_seed_holds_out_other_rows():
    values = np.zeros((100, 1), dtype=int)
    first, other = (hold_out(values, everything(values), 0.2, seed, True) for seed in (0, 1))
    assert first.sum() == other.sum() == 20
    assert (first != other).any()


def test_choice_leaves_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    hold_out(np.zeros((9, 1)), np.ones((9, 1), dtype=bool), 0.3, 0, False)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@given(st.integers(1, 300), FRACTIONS, st.integers(0, 9))
def test_numbers_are_held_out_without_a_look_at_them(n_rows, fraction, seed):
    values = np.random.default_rng(seed).normal(size=(n_rows, 2))
    held_out = hold_out(values, everything(values), fraction, seed, False)
    assert held_out.sum() == round(fraction * n_rows)
    assert_array_equal(held_out, hold_out(-values, everything(values), fraction, seed, False))


def test_every_row_is_as_likely_as_another():
    values = np.repeat([0, 1], [30, 70])[:, None]
    draws = [hold_out(values, everything(values), 0.2, seed, True) for seed in range(300)]
    assert_allclose(np.mean(draws, axis=0), 0.2, atol=0.1)


def test_missing_labels_are_no_class():
    values = np.zeros((40, 1), dtype=int)
    observed = np.repeat([True, False], [10, 30])[:, None]
    held_out = hold_out(values, observed, 0.3, 0, True)
    assert held_out[:10].sum() == 3
    assert held_out[10:].sum() == 9


def test_labels_too_rare_to_share_out_still_leave_rows_to_hold_out():
    values = np.repeat(np.arange(200), 3)
    held_out = hold_out(values[:, None], everything(values[:, None]), 0.15, 0, True)
    assert held_out.sum() == 90
    assert np.bincount(values[held_out]).max() == 1
    late = np.arange(600) % 2
    both = np.column_stack([values, late])
    held_out = hold_out(both, everything(both), 0.15, 0, True)
    assert held_out.sum() == 90
    assert abs(late[held_out].sum() - 45) <= 1
    assert set(values[~held_out]) == set(values)


def test_rows_that_are_each_the_only_one_of_a_class_all_stay():
    values = np.arange(50)[:, None]
    assert not hold_out(values, everything(values), 0.15, 0, True).any()
