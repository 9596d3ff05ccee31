"""Sparse matrices: each stored value is a token."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from tests._estimators import (
    assert_same_outputs,
    classifier,
    one_pass,
    outputs,
    over_kinds,
    small,
)
from tests.test_text import reviews

RNG = np.random.default_rng(0)
DENSE = np.where(RNG.random((120, 30)) < 0.15, RNG.integers(1, 5, (120, 30)), 0).astype(float)
Y = np.column_stack([DENSE[:, 0] > 0, DENSE[:, 1] > 0]).astype(int)
X = sparse.csr_array(DENSE)
over_efficient = pytest.mark.parametrize("efficient", [None, "inducing", "linear"])
CONTAINERS = [
    *(sparse.csr_array, sparse.csc_array, sparse.coo_array),
    *(sparse.csr_matrix, sparse.csc_matrix, sparse.lil_matrix),
]


@pytest.mark.parametrize("container", CONTAINERS)
@over_kinds
def test_any_container_gives_the_same_model(kind, container):
    expected = one_pass(small(kind), X, Y)
    model = one_pass(small(kind), container(DENSE), Y)
    assert_same_outputs(model, expected, X)
    assert_same_outputs(model, expected, container(DENSE))
    assert_array_equal(outputs(model, DENSE), outputs(model, X))  # a dense table will do


@pytest.mark.parametrize("attention", ["cross", "self", "double"])
def test_each_task_finds_its_column(attention):
    model = classifier(attention=attention, max_epochs=40).fit(X, Y)
    assert model.score(X, Y) > 0.95
    assert model.attention_weights_.shape == (2, 30)
    assert_allclose(model.attention_weights_.sum(axis=1), 1)
    if attention != "self":
        (of_one, of_other) = model.attention_weights_[:, :2]
        assert of_one[0] > 1.3 * of_other[0]
        assert of_other[1] > 1.3 * of_one[1]


@over_efficient
@pytest.mark.parametrize("attention", ["self", "double", "hierarchical"])
def test_stored_values_look_at_each_other_in_their_row_alone(attention, efficient):
    model = one_pass(classifier(attention=attention, efficient=efficient), X, Y)
    order = RNG.permutation(120)
    assert_allclose(outputs(model, X[order]), outputs(model, X)[order], rtol=1e-6)
    alone = np.vstack([outputs(model, X[[i]]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, rtol=1e-6)
    stores = (DENSE > 0).any(axis=1)
    weights = model.attend(X)
    assert ((weights > 0) == (DENSE > 0)[:, None]).all()
    assert_allclose(weights.sum(axis=-1), np.repeat(stores[:, None], 2, axis=1), rtol=1e-6)


@pytest.mark.parametrize("attention", ["cross", "double"])
def test_self_attention_alone_makes_weights_depend_on_what_else_is_stored(attention):
    """Of two columns that two rows store, the share of one is then another in each."""
    both = np.zeros((2, 30))
    both[:, :2] = 1.0
    both[1, 5:9] = 3.0
    weights = one_pass(classifier(attention=attention), X, Y).attend(sparse.csr_array(both))
    shares = weights[:, :, 0] / weights[:, :, :2].sum(axis=-1)
    moved = np.abs(shares[0] - shares[1])
    assert (moved > 1e-3).all() if attention == "double" else (moved < 1e-6).all()


@over_efficient
def test_contributions_of_stored_values_that_look_at_each_other_add_up(efficient):
    model = classifier(attention="double", efficient=efficient, explainable=True)
    explained = one_pass(model, X, Y[:, 0]).contributions(X)
    total = explained.contributions.sum(axis=-1) + explained.intercept
    assert_allclose(total, explained.logits, rtol=1e-5, atol=1e-6)


def test_attention_is_paid_to_what_a_row_stores():
    model = one_pass(classifier(), X, Y)
    weights = model.attend(X)
    assert weights.shape == (120, 2, 30)
    assert ((weights > 0) == (DENSE > 0)[:, None]).all()
    stores = (DENSE > 0).any(axis=1)
    assert_allclose(weights.sum(axis=-1), np.repeat(stores[:, None], 2, axis=1), rtol=1e-6)
    assert_allclose(
        model.attention_weights_, weights.sum(axis=0) / weights.sum(axis=(0, 2))[:, None]
    )
    seen = model.attend(X, level="token")
    assert_allclose(weights[seen.row, :, seen.feature], seen.weights)
    assert seen.token[:2].tolist() == [f"x{j}" for j in np.flatnonzero(DENSE[0])[:2]]


def test_rows_do_not_depend_on_each_other():
    model = one_pass(classifier(precision="float32"), X, Y)
    alone = np.vstack([outputs(model, X[[i]]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, atol=1e-5)


def test_matrix_that_stores_nothing_does_no_harm():
    nothing = sparse.csr_array((120, 3))
    one_pass(classifier(), nothing, Y)
    model = classifier(max_epochs=2).fit(nothing, Y)
    assert_allclose(model.attention_weights_, 1 / 3)
    assert np.isfinite(outputs(model, sparse.csr_array(np.eye(3)))).all()


@pytest.mark.parametrize("vectorizer", [CountVectorizer, TfidfVectorizer])
def test_vectorized_words_are_learned(vectorizer):
    frame, y = reviews()
    model = make_pipeline(vectorizer(), classifier(max_epochs=60)).fit(frame["text"], y)
    new, labels = reviews(seed=1)
    assert model.score(new["text"], labels) > 0.95


def test_pickle_and_weights_behave_as_for_numbers():
    model = classifier(max_epochs=5).fit(X, Y, sample_weight=np.where(np.arange(120) < 30, 2, 1))
    assert_same_outputs(model, pickle.loads(pickle.dumps(model)), X)
    rows = [*range(120), *range(30)]
    assert_same_outputs(model, classifier(max_epochs=5).fit(X[rows], Y[rows]), X, rtol=1e-7)


def test_validation_rows_and_weightless_rows_may_be_sparse():
    model = classifier(max_epochs=3, early_stopping=True)
    model.fit(X, Y, sample_weight=np.arange(120) % 2, X_val=X[:40], y_val=Y[:40])
    assert model.validation_scores_.shape[1] == 2
    model.partial_fit(X, Y)
    assert pd.notna(outputs(model, X)).all()


def test_wide_matrix_is_never_made_dense():
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 100_000, (2000, 20))
    X = sparse.csr_array(
        (np.ones(40_000), (np.arange(2000).repeat(20), columns.ravel())), (2000, 100_000)
    )
    tracemalloc.start()
    one_pass(classifier(embedding_dim=4), X, columns[:, 0] % 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # dense: 1.6 GB
