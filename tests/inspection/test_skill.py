import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.metrics import jaccard_score, roc_auc_score

from sk_attention.inspection._skill import bootstrap_weights, chance, interval, shared, skill

ROWS = 12
weightings = hnp.arrays(float, (3, ROWS), elements=st.integers(1, 4).map(float))


@given(
    hnp.arrays(int, ROWS, elements=st.integers(0, 1)),
    hnp.arrays(float, ROWS, elements=st.integers(0, 5).map(float)),
    weightings,
)
def test_skill_of_two_classes_is_the_auc_of_scikit_learn(labels, logits, weights):
    found = skill(labels, logits, weights)
    if len(np.unique(labels)) < 2:
        assert np.isnan(found).all()
        return
    expected = [roc_auc_score(labels, logits, sample_weight=own) for own in weights]
    assert_allclose(found, expected)


@given(hnp.arrays(float, (ROWS, 3), elements=st.floats(-3, 3)), weightings)
def test_skill_of_several_classes_is_the_mean_of_each_against_the_others(logits, weights):
    labels = np.arange(ROWS) % 3
    logits = logits + np.random.default_rng(0).normal(size=(ROWS, 3))  # no ties
    scores = softmax(logits, axis=1)
    expected = [
        np.mean([roc_auc_score(labels == c, scores[:, c], sample_weight=own) for c in range(3)])
        for own in weights
    ]
    assert_allclose(skill(labels, logits, weights), expected, atol=1e-9)


def test_a_class_that_is_not_there_does_not_count():
    labels = np.array([0, 0, 1, 1])
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]))
    assert_allclose(skill(labels, logits, np.ones((1, 4))), [1.0])


@given(weightings)
def test_skill_of_numbers_is_the_weighted_correlation(weights):
    rng = np.random.default_rng(0)
    labels, predicted = rng.normal(size=(2, ROWS))
    expected = [
        np.corrcoef(*np.repeat([labels, predicted], own.astype(int), axis=1))[0, 1]
        for own in weights
    ]
    assert_allclose(skill(labels, predicted, weights), expected)
    assert np.isnan(skill(labels, np.zeros(ROWS), weights)).all()


def test_chance_is_half_for_classes_and_nothing_for_numbers():
    assert chance(np.array([0, 1])) == 0.5
    assert chance(np.array([0.0, 1.0])) == 0.0


def test_bootstrap_weights_start_with_the_rows_themselves():
    weights = bootstrap_weights(7, 5, np.random.default_rng(0))
    assert weights.shape == (6, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()


def test_interval_is_value_and_percentiles():
    draws = np.concatenate([[0.5], np.linspace(0, 1, 101), [np.nan]])
    assert_allclose(interval(draws), [0.5, 0.025, 0.975])


@given(hnp.arrays(float, (ROWS, 2), elements=st.floats(-3, 3)), weightings)
def test_skill_of_a_set_is_the_mean_auc_of_its_labels(logits, weights):
    labels = np.column_stack([np.arange(ROWS) % 2, np.arange(ROWS) > 4]).astype(int)
    expected = [roc_auc_score(labels, logits, sample_weight=own) for own in weights]
    assert_allclose(skill(labels, logits, weights), expected)
    never = np.column_stack([labels[:, 0], np.zeros(ROWS, dtype=int)])
    assert_allclose(skill(never, logits, weights), skill(labels[:, :1], logits[:, :1], weights))


def test_shared_is_the_jaccard_index_of_scikit_learn():
    rng = np.random.default_rng(0)
    ones, others = rng.integers(0, 2, (2, 50, 3))
    filled = (ones | others).any(axis=1)
    expected = jaccard_score(ones[filled], others[filled], average="samples")
    assert shared(ones, others)[filled].mean() == pytest.approx(expected)
    assert shared(np.zeros((1, 3), int), np.zeros((1, 3), int)).tolist() == [1.0]
