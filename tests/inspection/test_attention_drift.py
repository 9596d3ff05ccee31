from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import jensenshannon

from sk_attention.inspection import attention_drift
from tests.inspection.test_attention_shift import looking


def test_groups_that_look_alike_have_no_drift():
    drift = attention_drift(looking(np.full((4, 2, 3), 1 / 3)), None, list("abab"))
    assert_allclose(drift.total, 0.0, atol=1e-12)
    assert drift.p_values.tolist() == [1.0, 1.0]
    assert drift.groups.tolist() == ["a", "b"]
    assert drift.task_names == ["task0", "task1"]


def test_groups_that_never_look_alike_drift_by_a_bit():
    weights = np.zeros((40, 1, 2))
    weights[:20, 0, 0] = weights[20:, 0, 1] = 1.0
    drift = attention_drift(looking(weights), None, np.repeat([2020, 2021], 20), random_state=0)
    assert_allclose(drift.total, [1.0])
    assert_allclose(drift.pairwise, [[[0, 1], [1, 0]]])
    assert drift.p_values[0] <= 0.002
    assert 0.0 < drift.null[0] < 0.2
    assert_allclose(drift.mean_attention, np.eye(2)[None])


def test_pairwise_agrees_with_scipy():
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(4), size=(30, 2))
    groups = np.arange(30) % 3
    drift = attention_drift(looking(weights), None, groups, n_permutations=0)
    means = [weights[groups == g].mean(axis=0) for g in range(3)]
    for task in range(2):
        expected = jensenshannon(means[0][task], means[2][task], base=2) ** 2
        assert drift.pairwise[task, 0, 2] == pytest.approx(expected)
    assert drift.p_values is None
    assert drift.null is None


@pytest.mark.slow
def test_rows_dealt_out_at_random_are_rarely_taken_for_drift():
    rng = np.random.default_rng(0)
    found = [
        attention_drift(
            looking(rng.dirichlet(np.ones(4), size=(30, 1))),
            None,
            np.arange(30) % 3,
            n_permutations=99,
            random_state=seed,
        ).p_values[0]
        for seed in range(1000)
    ]
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07


def test_bad_groups_are_refused():
    weights = np.full((4, 2, 3), 1 / 3)
    with pytest.raises(ValueError, match="groups has 3 entries, but X has 4 rows"):
        attention_drift(looking(weights), None, [0, 1, 1])
    with pytest.raises(ValueError, match=r"groups must name two groups at least, got \[7\]"):
        attention_drift(looking(weights), None, [7] * 4)
    with pytest.raises(ValueError, match=r"groups must name two groups at least, got \[1\]"):
        attention_drift(looking(weights * [[[0]], [[1]], [[1]], [[1]]]), None, [0, 1, 1, 1])
    with pytest.raises(TypeError, match="attention_drift takes a fitted estimator with attend"):
        attention_drift(None, None, [0, 1])
    with pytest.raises(ValueError, match="n_permutations must be an integer of at least 0, got -1"):
        attention_drift(SimpleNamespace(), None, [0, 1], n_permutations=-1)
