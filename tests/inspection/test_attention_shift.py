from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from sk_attention.inspection import attention_shift


def looking(weights):
    """A fitted estimator whose tasks look like this: (rows, tasks, features)."""
    weights = np.asarray(weights, dtype=float)
    names = [f"task{k}" for k in range(weights.shape[1])]
    return SimpleNamespace(attend=lambda X: weights, task_names_=names)


def test_shift_of_tasks_that_look_alike_is_zero():
    shift = attention_shift(looking([[[0.2, 0.8], [0.2, 0.8]]]), None)
    assert_allclose(shift.pairwise, 0.0, atol=1e-12)
    assert shift.total == pytest.approx(0.0, abs=1e-12)


def test_shift_of_tasks_that_never_look_alike_is_one_bit():
    shift = attention_shift(looking([[[1.0, 0.0], [0.0, 1.0]]]), None)
    assert_allclose(shift.pairwise, [[0, 1], [1, 0]])
    assert shift.total == pytest.approx(1.0)
    assert_allclose(shift.effective_features, [1.0, 1.0])


def test_effective_features_of_uniform_attention_are_all_of_them():
    shift = attention_shift(looking(np.full((3, 2, 5), 0.2)), None)
    assert_allclose(shift.effective_features, [5.0, 5.0])


def test_three_tasks_that_never_look_alike_share_log2_of_three_bits():
    shift = attention_shift(looking(np.eye(3)[None]), None)
    assert shift.total == pytest.approx(np.log2(3))
    assert shift.task_names == ["task0", "task1", "task2"]


@given(hnp.arrays(float, (4, 3, 5), elements=st.floats(0.01, 1.0)))
def test_shift_agrees_with_scipy_row_by_row(raw):
    weights = raw / raw.sum(axis=-1, keepdims=True)
    shift = attention_shift(looking(weights), None)
    expected = np.mean([jensenshannon(row[0], row[2], base=2) ** 2 for row in weights])
    assert_allclose(shift.pairwise[0, 2], expected, atol=1e-9)
    assert_allclose(shift.pairwise, shift.pairwise.T)
    spread = np.mean([2 ** entropy(row[1], base=2) for row in weights])
    assert_allclose(shift.effective_features[1], spread)
    assert 0.0 <= shift.total <= np.log2(3)
