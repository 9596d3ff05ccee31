import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score, roc_auc_score
from threadpoolctl import threadpool_limits

from sk_attention.datasets import make_planted_tasks

SEEDS = st.integers(0, 2**32 - 1)


def test_default_shapes_and_dtypes():
    planted = make_planted_tasks(random_state=0)
    assert planted.data.shape == (3000, 20)
    assert planted.target.shape == planted.signal.shape == (3000, 3)
    assert planted.relevant.shape == (3, 20)
    assert planted.data.dtype == planted.signal.dtype == np.float64
    assert planted.target.dtype == np.int64
    assert planted.relevant.dtype == bool
    assert_array_equal(np.unique(planted.target), [0, 1])


@given(
    seed=SEEDS,
    n_features=st.integers(1, 12),
    n_tasks=st.integers(1, 4),
    n_relevant=st.integers(1, 5),
    task=st.sampled_from(["classification", "regression"]),
)
@settings(deadline=None)
def test_every_task_has_its_columns(seed, n_features, n_tasks, n_relevant, task):
    n_relevant = min(n_relevant, n_features)
    planted = make_planted_tasks(
        7, n_features, n_tasks, n_relevant, task=task, missing=0.3, random_state=seed
    )
    assert planted.data.shape == (7, n_features)
    assert (planted.relevant.sum(axis=1) == n_relevant).all()
    assert (np.isnan(planted.target).sum(axis=0) == 2).all()
    if n_tasks * n_relevant <= n_features:
        assert planted.relevant.sum(axis=0).max() == 1


def test_tasks_share_columns_only_where_there_are_too_few():
    relevant = make_planted_tasks(10, 6, 4, 3, random_state=0).relevant
    assert relevant.sum(axis=0).max() > 1
    assert len(np.unique(relevant, axis=0)) > 1


@pytest.mark.parametrize("correlation", [0.5, -0.8])
def test_half_of_the_distractors_have_the_correlation(correlation):
    planted = make_planted_tasks(100_000, correlation=correlation, random_state=1)
    assert_allclose(planted.data.mean(axis=0), 0, atol=0.02)
    assert_allclose(planted.data.std(axis=0), 1, atol=0.02)
    matrix = np.corrcoef(planted.data.T)
    np.fill_diagonal(matrix, 0)
    used = planted.relevant.any(axis=0)
    assert_allclose(matrix[np.ix_(used, used)], 0, atol=0.02)
    strongest = np.sort(np.abs(matrix[np.ix_(~used, used)]).max(axis=1))
    assert_allclose(strongest, [0, 0, 0, 0] + [abs(correlation)] * 4, atol=0.02)
    assert np.sign(matrix[np.abs(matrix) > 0.3]).tolist() == [np.sign(correlation)] * 8


@pytest.mark.parametrize("n_relevant", [1, 2, 3, 4])
def test_signal_is_the_documented_formula(n_relevant):
    planted = make_planted_tasks(
        50_000, 8, 1, n_relevant, task="regression", noise=0.5, random_state=0
    )
    assert planted.signal.std() == pytest.approx(1, abs=0.02)
    assert (planted.target - planted.signal).std() == pytest.approx(0.5, abs=0.01)
    relevant = planted.data[:, planted.relevant[0]]
    first, second = np.triu_indices(n_relevant, k=1)
    products = relevant[:, first] * relevant[:, second]
    terms = np.column_stack([relevant, products])
    coefficients, *_ = np.linalg.lstsq(terms, planted.signal[:, 0], rcond=None)
    assert_allclose(terms @ coefficients, planted.signal[:, 0], atol=1e-10)
    linear, interaction = np.abs(coefficients[:n_relevant]), np.abs(coefficients[n_relevant:])
    assert_allclose(linear, linear[0])
    n_products = {1: 0, 2: 1, 3: 3, 4: 4}[n_relevant]  # of the 6 pairs of 4, the 4 of a ring
    planted_products = interaction[interaction > 1e-10]
    assert_allclose(planted_products, [linear[0] / np.sqrt(2)] * n_products)
    pairs = np.column_stack([first, second])[interaction > 1e-10]
    assert len(set(np.bincount(pairs.ravel(), minlength=n_relevant))) == 1


def test_classes_are_the_sign_of_the_numbers():
    options = {"n_samples": 50, "random_state": 3}
    numbers = make_planted_tasks(task="regression", **options).target
    assert_array_equal(make_planted_tasks(**options).target, numbers > 0)


@pytest.mark.parametrize("seed", range(5))
def test_best_possible_scores_are_as_promised(seed):
    planted = make_planted_tasks(20_000, random_state=seed)
    for j in range(3):
        area = roc_auc_score(planted.target[:, j], planted.signal[:, j])
        assert area == pytest.approx(0.97, abs=0.012)
        assert 0.35 < planted.target[:, j].mean() < 0.65
    numbers = make_planted_tasks(20_000, task="regression", random_state=seed)
    assert r2_score(numbers.target, numbers.signal) == pytest.approx(0.92, abs=0.01)


def test_missing_labels_are_nan_and_leave_the_others_alone():
    whole = make_planted_tasks(101, random_state=0)
    gaps = make_planted_tasks(101, missing=0.25, random_state=0)
    missing = np.isnan(gaps.target)
    assert gaps.target.dtype == np.float64
    assert missing.sum(axis=0).tolist() == [25, 25, 25]
    assert (missing[:, 0] != missing[:, 1]).any()
    assert_array_equal(gaps.target[~missing], whole.target[~missing])
    assert_array_equal(gaps.data, whole.data)
    assert np.isnan(make_planted_tasks(3, missing=0.99).target).sum(axis=0).tolist() == [2, 2, 2]


def test_random_state_decides_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (make_planted_tasks(20, random_state=7) for _ in range(2))
    assert_array_equal(first.data, second.data)
    assert_array_equal(first.target, second.target)
    assert (make_planted_tasks(20, random_state=8).data != first.data).all()
    assert (make_planted_tasks(20).data != make_planted_tasks(20).data).all()
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    one, other = (make_planted_tasks(20, random_state=np.random.RandomState(7)) for _ in range(2))
    assert_array_equal(one.data, other.data)
    state = np.random.RandomState(7)
    one, other = (make_planted_tasks(20, random_state=state) for _ in range(2))
    assert (one.data != other.data).all()


@threadpool_limits.wrap(1)
def test_boosting_finds_the_planted_columns():
    planted = make_planted_tasks(4000, random_state=0)
    train, test = slice(0, 3000), slice(3000, None)
    for j, relevant in enumerate(planted.relevant):
        X, y = planted.data, planted.target[:, j]
        model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.15)
        model.fit(X[train], y[train])
        assert roc_auc_score(y[test], model.predict_proba(X[test])[:, 1]) > 0.92
        importance = permutation_importance(
            model, X[test], y[test], scoring="roc_auc", n_repeats=2, random_state=0
        ).importances_mean
        assert set(np.argsort(importance)[-4:]) == set(np.flatnonzero(relevant))
        assert importance[relevant].min() > 10 * importance[~relevant].max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"n_tasks": 0}, "n_tasks must be at least 1, got 0"),
        ({"n_relevant": 0}, "n_relevant must be at least 1, got 0"),
        ({"n_features": 3}, "n_features=3 is less than n_relevant=4"),
        ({"correlation": 1.5}, "correlation must be between -1 and 1, got 1.5"),
        ({"noise": -0.1}, "noise must not be negative, got -0.1"),
        ({"noise": float("nan")}, "noise must not be negative, got nan"),
        ({"task": "ranking"}, "task must be .*, got 'ranking'"),
        ({"missing": 1.0}, "missing must be at least 0 and less than 1, got 1.0"),
    ],
)
def test_parameter_out_of_range_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_planted_tasks(**options)
