"""Where the tasks look, what they read, and what they share."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import make_planted_tasks
from tests._estimators import (
    KINDS,
    classifier,
    data_for,
    numbers,
    one_pass,
    outputs,
    over_attentions,
    over_kinds,
    small,
)

SIZES = {"embedding_dim": 8, "n_heads": 2, "attention_sharpness": 2.0}


def mixed_frame(n_samples=60):
    """A frame whose columns are not in the order of their tokens: numbers, dates, categories."""
    rng = np.random.default_rng(0)
    hours = rng.integers(0, 9000, n_samples)
    return pd.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue"], n_samples),
            "size": rng.normal(size=n_samples),
            "when": [dt.datetime(2024, 1, 1) + dt.timedelta(hours=int(hour)) for hour in hours],
            "shape": pd.Categorical(rng.choice(["round", "square"], n_samples)),
            "weight": rng.normal(size=n_samples),
        }
    )


# ---- shapes and meaning ------------------------------------------------------------------------


@pytest.mark.parametrize("n_tasks", [1, 3])
@over_attentions
@over_kinds
def test_attention_of_each_row_sums_to_one(kind, attention, n_tasks):
    X, y = data_for(kind, n_tasks=n_tasks)
    model = one_pass(small(kind, attention=attention, **SIZES), X, y)
    weights = model.attend(X)
    assert weights.shape == (60, n_tasks, 4)
    assert weights.dtype == np.float64
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=2), 1.0, rtol=1e-6)
    assert model.attention_weights_.shape == (n_tasks, 4)
    assert_allclose(model.attention_weights_.sum(axis=1), 1.0, rtol=1e-6)
    assert model.task_weights_.shape == (n_tasks,)
    assert (model.task_weights_ > 0).all()
    assert model.task_weights_.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("n_samples", [60, 600])
@over_attentions
@over_kinds
def test_attention_weights_are_the_weighted_mean_over_the_training_rows(kind, attention, n_samples):
    X, y = data_for(kind, n_samples)
    weight = np.arange(n_samples) % 3
    model = small(kind, attention=attention, batch_size=n_samples, **SIZES)
    model.fit(X, y, sample_weight=weight)
    expected = np.average(model.attend(X), axis=0, weights=weight)
    assert_allclose(model.attention_weights_, expected, rtol=1e-5)


@over_attentions
def test_tasks_share_one_reading_only_with_self_attention(attention):
    X, y = data_for(KINDS[0], n_tasks=3)
    model = one_pass(classifier(attention=attention, **SIZES), X, y)
    weights, read = model.attend(X), model.transform(X).reshape(60, 3, 8)
    shared = attention == "self"
    assert (weights == weights[:, :1]).all() == shared
    assert (read == read[:, :1]).all() == shared


def test_attention_is_aligned_with_the_features():
    frame = mixed_frame()
    y = np.column_stack([frame["colour"] == "red", frame["weight"] > 0])
    model = one_pass(classifier(precision="float64", **{**SIZES, "n_heads": 1}), frame, y)
    tokens = model._table_encoder.field_features_
    names = model.feature_names_in_[tokens].tolist()
    # numbers first, then the parts of datetimes, then categories
    assert names == ["size", "weight", *["when"] * 5, "colour", "shape"]
    by_feature = model.attend(frame)
    assert by_feature.shape == (60, 2, 5)
    assert_allclose(by_feature.sum(axis=2), 1.0, rtol=1e-6)
    assert by_feature[..., 2].mean() > 2 * np.delete(by_feature, 2, axis=2).mean()
    for position, name in enumerate(frame.columns):
        other = frame.assign(**{name: frame[name].to_numpy()[::-1]})
        changed = np.log(model.attend(other)) - np.log(by_feature)
        # with one head and no context, the weights of untouched features stay in proportion
        rest = np.delete(changed, position, axis=2)
        assert_allclose(rest, rest[..., :1] * np.ones(4), atol=1e-9)
        assert np.abs(changed[..., position] - rest[..., 0]).max() > 1e-6


def test_representation_is_what_the_weights_read():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(precision="float64", **{**SIZES, "n_heads": 1}), X, y)
    read = model.transform(X)
    assert read.shape == (60, 16)
    assert read.dtype == np.float64
    # a number alone decides its value: one affine map of the rows' attention to repeated values
    X_same = np.zeros_like(X)
    assert_allclose(model.transform(X_same), model.transform(X_same[:1]).repeat(60, axis=0))
    network = model.net_.module_
    network.reading.value.weight.data.zero_()  # each value is the bias now, and weights sum to 1
    bias = network.reading.value.bias.detach().numpy()
    assert_allclose(model.transform(X), np.tile(bias, (60, 2)), atol=1e-12)


@over_kinds
def test_feature_names_out_name_task_and_dimension(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, embedding_dim=3), X, y)
    expected = ["y0_0", "y0_1", "y0_2", "y1_0", "y1_1", "y1_2"]
    assert model.get_feature_names_out().tolist() == expected
    assert model.get_feature_names_out().dtype == object
    frame = model.set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == expected
    assert model.set_output(transform="polars").transform(X).columns == expected


# ---- a row stands for itself -------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-7)])
@over_attentions
@over_kinds
def test_row_does_not_depend_on_the_other_rows(kind, attention, precision, tolerance):
    X, y = data_for(kind, 300)
    model = one_pass(small(kind, attention=attention, precision=precision, **SIZES), X, y)
    order = np.random.default_rng(0).permutation(300)
    for function in (lambda X: outputs(model, X), model.attend, model.transform):
        together = function(X)
        close = {"rtol": tolerance, "atol": tolerance}
        assert_allclose(function(X[order]), together[order], **close)
        assert_allclose(function(X[:7]), together[:7], **close)
        assert_allclose(function(X[:1]), together[:1], **close)
        # in many batches, the last of one row
        many = np.tile(X, (15, 1))[:4097]
        assert_allclose(function(many)[:300], together, **close)
        assert_allclose(function(many)[-1], together[4096 % 300], **close)


# ---- what the attention finds ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@over_kinds
def test_tasks_look_at_the_columns_they_depend_on(kind, seed):
    task = "classification" if kind is KINDS[0] else "regression"
    planted = make_planted_tasks(n_features=12, n_relevant=3, task=task, random_state=seed)
    model = kind(random_state=seed).fit(planted.data, planted.target)
    top = np.argsort(model.attention_weights_, axis=1)[:, -3:]
    precision = np.take_along_axis(planted.relevant, top, axis=1).mean()
    assert precision >= 0.85  # 8 of 9


@over_attentions
def test_attention_finds_the_one_column_that_matters(attention):
    X = numbers(400, 6)
    sizes = {"n_members": 4, "hidden_layer_sizes": (32, 32), "random_state": 0}
    model = MultiTaskAttentionClassifier(attention=attention, **sizes).fit(X, X[:, 3] > 0)
    assert model.attention_weights_[0].argmax() == 3


# ---- what the tasks share ----------------------------------------------------------------------


def test_what_one_task_reads_reaches_the_others_through_what_they_share():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(**SIZES), X, y)
    before, looks = model.predict_proba(X), model.attend(X)
    reading = model.net_.module_.reading
    reading.query.data[0] += 1.0  # only the question of the first task changes
    after = model.predict_proba(X)
    assert_array_equal(model.attend(X)[:, 1], looks[:, 1])
    assert np.abs(after[1] - before[1]).max() > 1e-6


def test_task_of_weight_zero_does_not_reach_the_others():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(**SIZES), X, y)
    mixture = model.net_.module_.mixture
    mixture.logit.data[:] = mixture.logit.data.new_tensor([-1e9, 0.0])
    before = model.predict_proba(X)
    model.net_.module_.reading.query.data[0] += 1.0
    after = model.predict_proba(X)
    assert_array_equal(after[1], before[1])
    assert np.abs(after[0] - before[0]).max() > 1e-6
