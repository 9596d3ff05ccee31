"""What each feature adds to the predictions, and what is made of it."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.feature_selection import SelectFromModel

from sk_attention.datasets import make_planted_tasks
from tests._estimators import (
    KINDS,
    classifier,
    data_for,
    numbers,
    one_pass,
    over_attentions,
    over_kinds,
    regressor,
    small,
)
from tests.test_attention import mixed_frame

EXACT = {"rtol": 1e-5, "atol": 1e-5}


def assert_adds_up(explained):
    """Contributions and intercept are the logits."""
    for each in zip(*map(as_list, explained.values()), strict=True):
        contributions, intercept, logits = each
        assert_allclose(contributions.sum(axis=-1) + intercept, logits, **EXACT)


def as_list(values):
    return values if isinstance(values, list) else [values]


# ---- adding up ---------------------------------------------------------------------------------


@over_attentions
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_samples", [60, 600])
def test_contributions_to_classes_add_up(attention, n_classes, n_samples):
    X = numbers(n_samples)
    y = np.digitize(X[:, 0] + X[:, 1], [0.0, 1.0][: n_classes - 1])
    model = one_pass(classifier(attention=attention, explainable=True, n_heads=2), X, y)
    explained = model.contributions(X)
    assert_adds_up(explained)
    shape = (n_samples,) if n_classes == 2 else (n_samples, n_classes)
    assert explained.logits.shape == shape
    assert explained.contributions.shape == (*shape, 4)
    assert np.shape(explained.intercept) == shape[1:]
    logits = explained.contributions.sum(axis=-1) + explained.intercept
    proba = model.predict_proba(X)
    if n_classes == 2:
        assert_allclose(expit(logits), proba[:, 1], **EXACT)
        assert_allclose(logits, model.decision_function(X), **EXACT)
    else:
        assert_allclose(softmax(logits, axis=1), proba, **EXACT)


@over_attentions
def test_contributions_to_several_tasks_add_up(attention):
    X = numbers(600)
    y = np.column_stack([X[:, 0] > 0, np.digitize(X[:, 1], [-0.5, 0.5])]).astype(float)
    y[::3, 0] = np.nan
    model = classifier(attention=attention, explainable=True, max_epochs=3).fit(X, y)
    explained = model.contributions(X)
    assert_adds_up(explained)
    assert [own.shape for own in explained.contributions] == [(600, 4), (600, 3, 4)]
    assert [np.shape(own) for own in explained.intercept] == [(), (3,)]
    two, three = explained.logits
    assert_allclose(expit(two), model.predict_proba(X)[0][:, 1], **EXACT)
    assert_allclose(softmax(three, axis=1), model.predict_proba(X)[1], **EXACT)


@over_attentions
@pytest.mark.parametrize("n_tasks", [1, 2])
def test_contributions_to_numbers_add_up_in_their_units(attention, n_tasks):
    X, y = data_for(KINDS[1], 600, n_tasks=n_tasks)
    y = 1000.0 * y
    y[:50] = np.nan
    model = regressor(attention=attention, explainable=True, max_epochs=3).fit(X, y)
    explained = model.contributions(X)
    assert explained.contributions.shape == (*y.shape, 4)
    assert np.shape(explained.intercept) == y.shape[1:]
    predicted = model.predict(X)
    total = explained.contributions.sum(axis=-1) + explained.intercept
    assert_allclose(total, predicted, rtol=1e-5, atol=1e-2)
    assert_allclose(explained.logits, predicted)


def test_contributions_of_columns_of_every_kind_add_up():
    frame = mixed_frame()
    y = np.column_stack([frame["colour"] == "red", frame["weight"] > 0])
    model = one_pass(classifier(explainable=True), frame, y)
    explained = model.contributions(frame)
    assert_adds_up(explained)
    assert explained.contributions[0].shape == (60, 5)  # the parts of a date are one feature


def test_a_task_of_one_class_has_contributions_of_zero():
    X = numbers()
    model = classifier(explainable=True).fit(X, np.ones(60))
    explained = model.contributions(X)
    assert_adds_up(explained)
    assert not explained.contributions.any()
    assert not model.contribution_weights_.any()


# ---- meaning -----------------------------------------------------------------------------------


@over_kinds
def test_contributions_have_the_mean_zero_over_the_training_rows(kind):
    X, y = data_for(kind, 600)
    weight = np.arange(600) % 3
    model = small(kind, explainable=True, max_epochs=3, batch_size=600)
    model.fit(X, y, sample_weight=weight)
    explained = model.contributions(X)
    for part, logits, intercept in zip(
        np.moveaxis(np.stack(explained.contributions), 1, -1)
        if kind is KINDS[0]
        else explained.contributions.T.swapaxes(0, 1),
        np.stack(explained.logits) if kind is KINDS[0] else explained.logits.T,
        explained.intercept,
        strict=True,
    ):
        assert_allclose(np.average(part, axis=-1, weights=weight), 0.0, atol=1e-5)
        assert_allclose(np.average(logits, weights=weight), intercept, atol=1e-5)


def test_without_context_and_with_uniform_attention_a_feature_acts_alone():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(explainable=True, attention_sharpness=0.0), X, y)
    model.net_.module_.reading.query.data.zero_()
    changed = X.copy()
    changed[:, 2] = X[::-1, 2]
    before, after = model.contributions(X), model.contributions(changed)
    for one, other in zip(before.contributions, after.contributions, strict=True):
        assert_allclose(np.delete(one, 2, axis=1), np.delete(other, 2, axis=1), atol=1e-12)
        assert_allclose(one[:, 2], other[::-1, 2], atol=1e-12)


@over_attentions
def test_tasks_share_nothing(attention):
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(attention=attention, explainable=True), X, y)
    assert_allclose(model.task_weights_, [0.5, 0.5])
    before = model.predict_proba(X)
    model.net_.module_.towers.bias.data[0, 1] += 1.0
    after = model.predict_proba(X)
    assert_allclose(after[1], before[1])
    assert (after[0] != before[0]).all()


@pytest.mark.slow
@over_kinds
def test_large_contributions_find_the_planted_columns(kind):
    task = "classification" if kind is KINDS[0] else "regression"
    planted = make_planted_tasks(n_samples=1500, task=task, random_state=0)
    model = kind(explainable=True, random_state=0).fit(planted.data, planted.target)
    top = np.argsort(model.contribution_weights_, axis=1)[:, -4:]
    assert np.take_along_axis(planted.relevant, top, axis=1).mean() >= 0.9


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-7)])
@over_attentions
@over_kinds
def test_row_does_not_depend_on_the_other_rows(kind, attention, precision, tolerance):
    X, y = data_for(kind, 300, n_tasks=1)
    sizes = {"attention": attention, "precision": precision, "explainable": True}
    model = one_pass(small(kind, **sizes), X, y)
    together = model.contributions(X).contributions
    order = np.random.default_rng(0).permutation(300)
    close = {"rtol": tolerance, "atol": tolerance}
    assert_allclose(model.contributions(X[order]).contributions, together[order], **close)
    assert_allclose(model.contributions(X[:1]).contributions, together[:1], **close)
    assert_allclose(model.predict(X[:1]), model.predict(X)[:1], **close)


# ---- importances -------------------------------------------------------------------------------


@over_kinds
def test_importances_are_mean_sizes_of_contributions(kind):
    X, y = data_for(kind, 600)
    model = small(kind, explainable=True, max_epochs=3).fit(X, y)
    assert model.contribution_weights_.shape == (2, 4)
    assert_allclose(model.contribution_weights_.sum(axis=1), 1.0)
    parts = model.contributions(X).contributions
    parts = np.stack(parts, axis=1) if isinstance(parts, list) else parts
    size = np.abs(parts).mean(axis=0)
    expected = size / size.sum(axis=1, keepdims=True)
    assert_allclose(model.contribution_weights_, expected, rtol=1e-4)
    assert_allclose(model.feature_importances_, expected.mean(axis=0), rtol=1e-4)


@over_kinds
def test_select_from_model_takes_explainable_models_as_they_are(kind):
    X, y = data_for(kind, 400, n_features=6)
    model = small(kind, explainable=True, max_epochs=30)
    chosen = SelectFromModel(model, max_features=2, threshold=-np.inf).fit(X, y)
    assert chosen.get_support(indices=True).tolist() == [0, 1]


def test_select_from_model_takes_attention_by_name():
    X, y = data_for(KINDS[0], 400, n_features=6)
    chosen = SelectFromModel(
        classifier(max_epochs=30),
        importance_getter="attention_weights_",
        max_features=2,
        threshold=-np.inf,
    ).fit(X, y)
    assert chosen.get_support().sum() == 2


# ---- availability ------------------------------------------------------------------------------


@over_kinds
def test_contributions_need_an_explainable_model(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind), X, y)
    assert not hasattr(model, "contributions")
    assert not hasattr(model, "feature_importances_")
    assert not hasattr(model, "contribution_weights_")
    with pytest.raises(AttributeError, match="has explainable=False"):
        _ = model.feature_importances_
    with pytest.raises(AttributeError, match="contributions") as raised:
        model.contributions(X)
    assert f"this {kind.__name__} has explainable=False" in str(raised.value.__cause__)


def test_a_fit_that_is_not_explainable_forgets_contributions():
    X, y = data_for(KINDS[0])
    model = classifier(explainable=True, max_epochs=1).fit(X, y)
    model.set_params(explainable=False).fit(X, y)
    assert not hasattr(model, "contribution_weights_")


def test_explainable_set_after_the_fit_is_refused():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(), X, y).set_params(explainable=True)
    with pytest.raises(ValueError, match="was fitted with explainable=False, which is now True"):
        model.contributions(X)


@over_kinds
def test_pickles_hold_contributions(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, explainable=True), X, y)
    again = pickle.loads(pickle.dumps(model))
    for name, values in model.contributions(X).items():
        assert_allclose(again.contributions(X)[name], values)
