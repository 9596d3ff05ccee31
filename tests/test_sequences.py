"""Columns of lists: items as tokens, in sequences of any length."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests._estimators import (
    assert_same_outputs,
    classifier,
    one_pass,
    outputs,
    over_attentions,
    over_kinds,
    small,
)


def visits(n_samples=120, seed=0):
    """Pages seen, and waiting times: one task is about a page anywhere, one about the last time."""
    rng = np.random.default_rng(seed)
    pages = [list(rng.choice(list("abcdefgh"), rng.integers(0, 9))) for _ in range(n_samples)]
    times = [rng.exponential(size=rng.integers(1, 7)).tolist() for _ in range(n_samples)]
    y = np.array([["a" in own, time[-1] > 0.7] for own, time in zip(pages, times, strict=True)])
    return pd.DataFrame({"age": rng.normal(size=n_samples), "pages": pages, "times": times}), y


X, Y = visits()


@over_attentions
def test_tasks_learn_from_items_and_from_their_places(attention):
    model = classifier(attention=attention, max_epochs=60).fit(X, Y)
    new, labels = visits(seed=1)
    assert (model.predict(new) == labels).mean() > 0.85
    assert model.attention_weights_.shape == (2, 3)
    assert_allclose(model.attend(new).sum(axis=-1), 1, rtol=1e-6)


def test_attention_to_items_sums_to_attention_to_columns():
    model = one_pass(classifier(), X, Y)
    seen = model.attend(X, level="token")
    total = np.zeros((120, 3, 2))
    np.add.at(total, (seen.row, seen.feature), seen.weights)
    assert_allclose(total.transpose(0, 2, 1), model.attend(X), rtol=1e-6)
    row = next(i for i, own in enumerate(X["pages"]) if len(own) > 2)
    which = (seen.row == row) & (seen.feature == 1)
    assert seen.token[which].tolist() == X["pages"][row]
    times = seen.token[(seen.row == row) & (seen.feature == 2)]
    assert_allclose(times.astype(float), X["times"][row], rtol=1e-5)


def test_any_container_gives_the_same_model():
    expected = one_pass(classifier(), X, Y)
    arrays = X.assign(pages=X["pages"].map(np.array), times=X["times"].map(np.array))
    assert_same_outputs(one_pass(classifier(), arrays, Y), expected, X)
    tuples = X.assign(pages=X["pages"].map(tuple))
    assert_same_outputs(one_pass(classifier(), tuples, Y), expected, X)
    polars = pl.DataFrame({name: X[name].tolist() for name in X})
    assert polars["times"].dtype == pl.List(pl.Float64)
    assert_array_equal(outputs(one_pass(classifier(), polars, Y), polars), outputs(expected, X))


def test_missing_items_are_skipped_and_missing_sequences_are_empty():
    model = one_pass(classifier(), X, Y)
    gaps = X.assign(
        pages=[[None, *own, np.nan] for own in X["pages"]],
        times=[[*own, np.nan, np.nan] for own in X["times"]],
    )
    assert_same_outputs(model, one_pass(classifier(), gaps, Y), gaps)
    assert_array_equal(outputs(model, gaps), outputs(model, X))
    nothing = X.assign(pages=None, times=pd.NA)
    empty = X.assign(pages=[[]] * 120, times=[[]] * 120)
    assert_array_equal(outputs(model, nothing), outputs(model, empty))


@over_kinds
def test_rows_weights_and_pickles_behave_as_for_numbers(kind):
    y = Y.astype(float)
    model = small(kind, max_epochs=5).fit(X, y, sample_weight=np.where(np.arange(120) < 30, 2, 1))
    rows = [*range(120), *range(30)]
    assert_same_outputs(model, small(kind, max_epochs=5).fit(X.iloc[rows], y[rows]), X, rtol=1e-7)
    assert_same_outputs(model, pickle.loads(pickle.dumps(model)), X)
    alone = np.vstack([outputs(model, X[i : i + 1]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, rtol=1e-7)


def test_unseen_items_are_all_right():
    model = one_pass(classifier(), X, Y)
    new = X.assign(pages=[["z", "a"]] * 120, times=[[1e9, -5]] * 120)
    assert np.isfinite(outputs(model, new)).all()


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ("a", "Feature 'times' is read as sequences, found 'a' of type str"),
        (3, "Feature 'times' is read as sequences, found 3 of type int"),
        ([[1], [2]], r"whose items are single values; found \[1\] in one"),
        (["a"], "Feature 'times' held sequences of numbers in fit, found 'a' in one"),
    ],
)
def test_what_is_no_such_sequence_is_refused(cell, match):
    model = one_pass(classifier(), X, Y)
    with pytest.raises(ValueError, match=match):
        model.predict(X.assign(times=[cell] * 120))


@pytest.mark.parametrize("attention", ["self", "double", "hierarchical"])
def test_rows_without_any_item_are_read_in_every_kind(attention):
    empty = pd.DataFrame({"pages": [[]] * 4})
    model = one_pass(classifier(attention=attention), X[["pages"]], Y)
    with_others = outputs(model, pd.concat([empty, X[["pages"]]]))[:4]
    assert_allclose(outputs(model, empty), with_others, rtol=1e-6)
    assert_allclose(model.attend(empty), 1.0)
    assert model.attend(empty[:1], level="token").token.tolist() == [""]
    never = one_pass(classifier(attention=attention), empty, [[0, 1], [1, 0]] * 2)
    assert np.isfinite(outputs(never, X[["pages"]])).all()


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ([1.0, np.inf], "contains infinity .*: feature 'times' holds it in a sequence"),
        ([[1.0, 2.0]], r"'times' is read as sequences, .* single values; found \[1.0, 2.0\]"),
        (np.ones((2, 2)), "'times' is read as sequences, whose items are single values"),
    ],
    ids=["infinite", "nested", "several channels"],
)
def test_sequences_that_cannot_be_read_are_refused(cell, match):
    bad = X.assign(times=[cell, *X["times"][1:]])
    with pytest.raises(ValueError, match=match):
        classifier().fit(bad, Y)
    with pytest.raises(ValueError, match=match):
        one_pass(classifier(), X, Y).predict(bad[:1])
