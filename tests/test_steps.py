"""Arrays of three dimensions: each step is a feature of several numbers."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sk_attention.preprocessing import image_patches
from tests._estimators import (
    assert_same_outputs,
    classifier,
    one_pass,
    outputs,
    over_attentions,
    over_kinds,
    small,
)

X = np.random.default_rng(0).normal(size=(120, 5, 2))
Y = np.column_stack([X[:, 0, 0] > 0, X[:, 3].sum(axis=1) > 0]).astype(int)


@over_attentions
def test_tasks_find_their_steps(attention):
    model = classifier(attention=attention).fit(X, Y)
    assert model.score(X, Y) > 0.95
    assert model.n_features_in_ == 5
    assert model.attention_weights_.shape == (2, 5)
    assert model.attend(X).shape == (120, 2, 5)
    assert_allclose(model.attend(X).sum(axis=-1), 1, rtol=1e-6)
    assert model.attend(X[:1], level="token").token.tolist() == ["x0", "x1", "x2", "x3", "x4"]


@over_kinds
def test_steps_equal_a_table_of_all_numbers(kind):
    model = one_pass(small(kind), X, Y)
    flat = one_pass(small(kind), X.reshape(120, 10), Y)
    assert_array_equal(outputs(model, X), outputs(flat, X.reshape(120, 10)))
    by_channel = flat.attention_weights_.reshape(2, 5, 2)
    assert_allclose(model.attention_weights_, by_channel.sum(axis=-1))
    assert_same_outputs(model, one_pass(small(kind), X.tolist(), Y), X)
    assert_same_outputs(model, pickle.loads(pickle.dumps(model)), X)


def test_hierarchical_attention_pools_the_channels_of_a_step():
    model = one_pass(classifier(attention="hierarchical"), X, Y)
    assert model.net_.module_.pooling.n_fields == 5
    grouped = one_pass(classifier(attention="hierarchical", fields={"early": [0, 1]}), X, Y)
    assert grouped.net_.module_.pooling.n_fields == 4


def test_missing_steps_are_information():
    gone = np.random.default_rng(1).random(120) < 0.5
    padded = X.copy()
    padded[gone, 3:] = np.nan
    model = classifier().fit(padded, gone)
    assert model.score(padded, gone) == 1.0
    alone = np.vstack([outputs(model, padded[[i]]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, padded)[::17], alone, rtol=1e-7)


@pytest.mark.slow
def test_images_are_read_as_patches():
    digits = load_digits()
    patches = image_patches(digits.images, 2)
    model = classifier(max_epochs=5).fit(patches[:1200], digits.target[:1200])
    assert model.score(patches[1200:], digits.target[1200:]) > 0.85


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X: X[:, :4], "X has 4 features, but .* is expecting 5"),
        (lambda X: X[..., :1], "X has 1 channels, but .* was fitted with 2"),
        (lambda X: X[..., 0], "X has two dimensions, but .* of 5 steps and 2 channels"),
        (lambda X: np.where(X > 1, np.inf, X), "contains infinity"),
        (lambda X: X[..., :0], "X has no channel"),
        (lambda X: X[..., None], "dim 4|4 dim|two-dimensional|2D|Expected"),
    ],
)
def test_steps_unlike_those_of_fit_are_refused(change, match):
    model = one_pass(classifier(), X, Y)
    with pytest.raises(ValueError, match=match):
        model.predict(change(X))


def test_steps_for_a_table_are_refused():
    with pytest.raises(ValueError, match="fitted on a table of two dimensions"):
        one_pass(classifier(), X[..., 0], Y).predict(X)
    with pytest.raises(ValueError, match="categorical_features names columns, but X has three"):
        classifier(categorical_features=[0]).fit(X, Y)
