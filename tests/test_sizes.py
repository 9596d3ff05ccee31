"""The smallest and the largest: one row, one feature, one class; thousands of each."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests._estimators import (
    assert_same_outputs,
    classifier,
    data_for,
    numbers,
    one_pass,
    outputs,
    over_kinds,
    small,
)


@over_kinds
def test_one_feature_gets_all_attention(kind):
    X, y = data_for(kind, n_features=1)
    model = small(kind).fit(X, y)
    assert_allclose(model.attention_weights_, 1.0)


@over_kinds
def test_ten_thousand_features_work(kind):
    X, y = data_for(kind, n_samples=20, n_features=10_000)
    model = one_pass(small(kind, n_members="auto"), X, y)
    assert model.attention_weights_.shape == (2, 10_000)
    assert_allclose(model.attention_weights_.sum(axis=1), 1.0, rtol=1e-6)
    assert np.isfinite(outputs(model, X)).all()


@pytest.mark.parametrize("early_stopping", ["auto", False])
@over_kinds
def test_one_row_is_learned(kind, early_stopping):
    X = numbers(1)
    y = np.array([7.0])
    model = small(kind, early_stopping=early_stopping).fit(X, y)
    assert_allclose(model.predict(X), y, atol=0.1)


def test_one_class_is_certain():
    X = numbers()
    model = classifier().fit(X, ["only"] * 60)
    assert model.predict(X).tolist() == ["only"] * 60
    assert_array_equal(model.predict_proba(X), np.ones((60, 1)))


def test_thousand_classes_are_told_apart():
    codes = np.repeat(np.arange(1000), 2)
    X = np.column_stack([codes // 32, codes % 32]).astype(float)
    model = classifier(early_stopping=False, max_epochs=8).fit(X, codes)
    assert model.predict_proba(X).shape == (2000, 1000)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
    assert model.score(X, codes) > 0.02  # by chance 0.001


@over_kinds
def test_batch_size_above_the_rows_is_one_full_batch(kind):
    X, y = data_for(kind)
    assert_same_outputs(
        one_pass(small(kind, batch_size=10_000), X, y), one_pass(small(kind), X, y), X
    )


@over_kinds
def test_many_rows_train_in_batches(kind):
    X, y = data_for(kind, n_samples=700)
    model = small(kind, early_stopping="auto", max_epochs=20).fit(X, y)
    assert model.score(X, y) > 0.8
    assert 60 >= len(model.validation_scores_) >= model.n_iter_ / 2  # three splits


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("n_classes", [200, 600])
def test_classes_of_few_rows_do_not_stop_a_fit(n_classes):
    X = numbers(600)
    y = np.arange(600) % n_classes
    model = classifier(early_stopping="auto", max_epochs=1).fit(X, y)
    assert (model.validation_scores_ is None) == (n_classes == 600)
    assert model.predict_proba(X).shape == (600, n_classes)
