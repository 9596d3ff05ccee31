from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from sk_attention import AttentionRecommender, MultiTaskAttentionClassifier
from sk_attention.inspection import AttentionDisplay, attention_drift, attention_shift


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
    shift = attention_shift(looking(weights), None, n_permutations=0)
    expected = np.mean([jensenshannon(row[0], row[2], base=2) ** 2 for row in weights])
    assert_allclose(shift.pairwise[0, 2], expected, atol=1e-9)
    assert_allclose(shift.pairwise, shift.pairwise.T)
    spread = np.mean([2 ** entropy(row[1], base=2) for row in weights])
    assert_allclose(shift.effective_features[1], spread)
    assert 0.0 <= shift.total <= np.log2(3)


def test_shift_across_rows_is_what_the_row_tells_of_where_a_task_looks():
    shift = attention_shift(looking([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]), None)
    assert_allclose(shift.across_samples, [1.0, 0.0], atol=1e-12)


def test_differences_that_come_and_go_cancel_in_the_means():
    weights = np.zeros((2, 2, 2))
    weights[0] = np.eye(2)
    weights[1] = np.eye(2)[::-1]
    shift = attention_shift(looking(weights), None)
    assert shift.total == pytest.approx(1.0)
    assert shift.mean_total == pytest.approx(0.0)
    assert_allclose(shift.mean_pairwise, 0.0, atol=1e-12)


def test_tasks_that_differ_in_every_row_are_told_apart():
    weights = np.tile([[0.6, 0.4], [0.4, 0.6]], (20, 1, 1))
    shift = attention_shift(looking(weights), None, random_state=0)
    assert shift.p_values[0, 1] == shift.p_values[1, 0] == shift.p_value <= 0.002
    assert_allclose(np.diag(shift.p_values), 1.0)


def test_one_task_does_not_shift():
    shift = attention_shift(looking(np.full((5, 1, 2), 0.5)), None)
    assert shift.total == shift.mean_total == 0.0
    assert shift.p_value == 1.0
    assert shift.noise_floor is None


def test_without_permutations_there_are_no_p_values():
    shift = attention_shift(looking(np.full((5, 3, 2), 0.5)), None, n_permutations=0)
    assert shift.p_values is shift.p_value is None


def test_several_fits_give_a_noise_floor():
    one, other = looking([[[1.0, 0.0], [0.5, 0.5]]]), looking([[[0.0, 1.0], [0.5, 0.5]]])
    shift = attention_shift([one, other], None)
    assert_allclose(shift.noise_floor, [1.0, 0.0], atol=1e-12)
    alone = attention_shift(one, None)
    assert shift.total == pytest.approx(alone.total)
    assert_allclose(shift.pairwise, alone.pairwise)
    assert_allclose(shift.effective_features, [1.0, 2.0])


def test_fits_are_the_units_where_there_are_several():
    fits = [looking(np.tile([[0.6, 0.4], [0.4, 0.6]], (50, 1, 1))) for _ in range(6)]
    shift = attention_shift(fits, None, n_permutations=4999, random_state=0)
    assert shift.p_value == pytest.approx(2 / 2**6, abs=0.01)


def test_bad_arguments_of_shift_are_refused():
    with pytest.raises(ValueError, match="n_permutations must be an integer of at least 0, got -1"):
        attention_shift(looking([[[1.0]]]), None, n_permutations=-1)
    with pytest.raises(ValueError, match=r"n_permutations must be an integer .* got 2\.5"):
        attention_shift(looking([[[1.0]]]), None, n_permutations=2.5)
    with pytest.raises(
        TypeError, match="attention_shift takes a fitted estimator with attend, got"
    ):
        attention_shift(None, None)
    with pytest.raises(ValueError, match=r"same tasks and features, got .* over 1 and 2 features"):
        attention_shift([looking([[[1.0]]]), looking([[[0.5, 0.5]]])], None)
    with pytest.raises(ValueError, match="No row of X holds anything to look at"):
        attention_shift(looking([[[0.0, 0.0]]]), None)
    with pytest.raises(ValueError, match="estimator is an empty list"):
        attention_shift([], None)


@pytest.mark.slow
@pytest.mark.parametrize("n_tasks", [2, 3])
def test_tasks_that_look_alike_are_rarely_taken_for_different(n_tasks):
    rng = np.random.default_rng(0)
    found = [
        attention_shift(
            looking(rng.dirichlet(np.ones(4), size=(8, n_tasks))),
            None,
            n_permutations=99,
            random_state=seed,
        ).p_value
        for seed in range(1000)
    ]
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07


@pytest.mark.slow
def test_shift_grows_as_tasks_share_fewer_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 8))
    columns = [(0, 1, 2, 3), (0, 1, 2, 3), (2, 3, 4, 5), (4, 5, 6, 7)]  # all, some, none of task 0
    y = np.column_stack([X[:, own] @ rng.choice([-1, 1], 4) > 0 for own in columns])
    sizes = {"explainable": True, "n_members": 2, "max_epochs": 25, "early_stopping": False}
    fits = [MultiTaskAttentionClassifier(random_state=seed, **sizes).fit(X, y) for seed in range(6)]
    shift = attention_shift(fits, X, random_state=0)
    all_shared, some, none = shift.mean_pairwise[0, 1:]
    assert all_shared < some < none
    assert none > 2 * shift.noise_floor.mean()
    assert shift.p_values[0, 3] <= 0.05
    assert shift.p_value <= 0.05


def test_rows_that_hold_nothing_do_not_count():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), (20, 2))
    empty = np.concatenate([weights, np.zeros((30, 2, 4))])
    one, other = (attention_shift(looking(own), None, random_state=0) for own in (weights, empty))
    for name in ("pairwise", "mean_pairwise", "across_samples", "effective_features", "p_values"):
        assert_allclose(other[name], one[name])


def test_a_recommender_has_one_task_and_lags():
    events = pd.DataFrame(
        {"user": np.arange(60) % 6, "item": np.arange(60) % 7, "timestamp": np.arange(60)}
    )
    model = AttentionRecommender(embedding_dim=8, max_epochs=1, max_history=5, random_state=0)
    shift = attention_shift(model.fit(events), events, n_permutations=5, random_state=0)
    assert shift.task_names == ["ranking"]
    assert shift.total == 0.0
    assert 1.0 < shift.effective_features[0] <= 5.0
    drift = attention_drift(model, events, np.arange(60) < 30, n_permutations=5, random_state=0)
    assert_allclose(drift.mean_attention.sum(axis=-1), 1.0)  # without those who had no history
    display = AttentionDisplay.from_estimator(model, events)
    assert display.feature_names == [f"lag {lag}" for lag in range(1, 6)]
    rows = np.random.default_rng(0).normal(size=(60, 3))
    fields = AttentionRecommender(embedding_dim=8, max_epochs=1, random_state=0)
    display = AttentionDisplay.from_estimator(fields.fit(rows, rows[:, 0]))
    assert (display.task_names, display.feature_names) == (["ranking"], ["x0", "x1", "x2"])
