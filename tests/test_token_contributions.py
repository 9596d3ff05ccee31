"""What each word, item, step and stored value adds to the predictions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from tests._estimators import (
    ATTENTIONS,
    assert_same_outputs,
    classifier,
    one_pass,
    over_attentions,
    over_kinds,
    small,
)
from tests.test_contributions import EXACT, as_list, assert_adds_up
from tests.test_sparse import DENSE
from tests.test_sparse import Y as Y_SPARSE
from tests.test_text import BAD, FILM, FOOD, GOOD, WORD_VECTORS, reviews

REVIEWS, Y = reviews()
X = REVIEWS.assign(
    other=["", "one two", "two two", None] * 30,
    items=[[1, 2, 3], [], [4], [2, 2]] * 30,
    when=pd.date_range("2024", periods=120, freq="7h"),
    colour=["red", "green", None] * 40,
)
TEXTS = ["text", "other"]
STORES = np.where(np.arange(120)[:, None] % 7 == 0, 0.0, DENSE)  # every seventh row is empty
X_SPARSE = sparse.csr_array(STORES)


def explainable(kind=None, **parameters):
    make = classifier if kind is None else lambda **own: small(kind, **own)
    return make(**{"explainable": True, "max_epochs": 5, **parameters})


def assert_tokens_add_up(model, rows):
    """Tokens add up to features, and features to logits."""
    by_feature, by_token = model.contributions(rows), model.contributions(rows, level="token")
    assert_adds_up(by_feature)
    pairs = zip(as_list(by_feature.contributions), as_list(by_token.contributions), strict=True)
    for feature, token in pairs:
        total = np.zeros_like(np.moveaxis(feature, -1, 1))
        np.add.at(total, (by_token.row, by_token.feature), token)
        assert_allclose(np.moveaxis(total, 1, -1), feature, **EXACT)
    for name in ("intercept", "logits"):
        for one, other in zip(as_list(by_feature[name]), as_list(by_token[name]), strict=True):
            assert_array_equal(one, other)
    return by_feature, by_token


# ---- adding up ---------------------------------------------------------------------------------


@over_attentions
@over_kinds
def test_tokens_of_columns_of_every_kind_add_up(kind, attention):
    fields = {"both": ["text", "size"]} if attention == "hierarchical" else None
    model = explainable(kind, attention=attention, fields=fields, text_features=TEXTS, n_heads=2)
    _, by_token = assert_tokens_add_up(model.fit(X, Y), X)
    seen = model.attend(X, level="token")
    for name in ("row", "feature", "token"):
        assert_array_equal(by_token[name], seen[name])
    of_second = by_token.token[by_token.row == 1].tolist()
    words = X["text"][1].split()
    assert of_second == ["size", *words, "one", "two", "", "when", "colour"]


@settings(max_examples=12, deadline=None)
@given(
    columns=st.sets(st.sampled_from([*X]), min_size=1),
    attention=st.sampled_from(ATTENTIONS),
    n_classes=st.sampled_from([2, 3]),
    precision=st.sampled_from(["float32", "float64", "bf16"]),
    n_rows=st.integers(1, 30),
)
def test_any_mixture_of_columns_adds_up(columns, attention, n_classes, precision, n_rows):
    rows = X[sorted(columns)]
    texts = [name for name in TEXTS if name in columns]
    options = {"attention": attention, "precision": precision, "text_features": texts}
    y = np.column_stack([np.arange(120) % n_classes, Y[:, 0]])
    model = one_pass(explainable(**options), rows, y)
    by_feature, _ = assert_tokens_add_up(model, rows[-n_rows:])
    shape = (n_rows, len(columns)) if n_classes == 2 else (n_rows, 3, len(columns))
    assert [own.shape for own in by_feature.contributions] == [shape, (n_rows, len(columns))]


def test_the_vector_of_a_text_goes_by_the_name_of_its_column():
    rows = X[["size", *TEXTS]]
    model = one_pass(explainable(text_features=TEXTS, text_encoder=WORD_VECTORS), rows, Y)
    _, by_token = assert_tokens_add_up(model, rows)
    assert by_token.token[by_token.row == 1][-3:].tolist() == ["other", "one", "two"]


@over_attentions
def test_steps_are_named_by_their_place(attention):
    steps = np.random.default_rng(0).normal(size=(120, 5, 2))
    model = one_pass(explainable(attention=attention), steps, Y)
    _, by_token = assert_tokens_add_up(model, steps)
    assert by_token.token[:5].tolist() == ["x0", "x1", "x2", "x3", "x4"]


# ---- meaning -----------------------------------------------------------------------------------


def test_words_that_decide_add_most_and_in_the_right_direction():
    model = explainable(text_features=["text"], max_epochs=60).fit(REVIEWS, Y)
    new, labels = reviews(seed=1)
    assert model.score(new, labels) > 0.95
    seen = model.contributions(new, level="token")
    mood, topic = seen.contributions
    for added, plus, minus in ((mood, GOOD, BAD), (topic, FOOD, FILM)):
        assert (added[np.isin(seen.token, plus)] > 0).all()
        assert (added[np.isin(seen.token, minus)] < 0).all()
        decides = np.isin(seen.token, plus + minus)
        assert np.abs(added[decides]).mean() > 5 * np.abs(added[~decides]).mean()
    assert model.contribution_weights_[:, 1].min() > 0.9


def test_a_row_does_not_depend_on_the_other_rows():
    model = explainable(text_features=TEXTS, precision="float32").fit(X, Y)
    together = model.contributions(X, level="token")
    for row in (0, 50, 119):
        alone = model.contributions(X[row : row + 1], level="token")
        own = together.row == row
        assert_array_equal(alone.token, together.token[own])
        for one, other in zip(alone.contributions, together.contributions, strict=True):
            assert_allclose(one, other[own], **EXACT)


@pytest.mark.parametrize("rows", [X, X_SPARSE], ids=["table", "sparse"])
def test_weights_are_mean_sizes_over_the_training_rows(rows):
    weight = 1.0 + np.arange(120) % 2
    texts = TEXTS if rows is X else None
    model = explainable(text_features=texts).fit(rows, Y, sample_weight=weight)
    added = np.abs(np.stack(model.contributions(rows).contributions, axis=1))
    size = np.average(added, axis=0, weights=weight)
    expected = size / size.sum(axis=1, keepdims=True)
    assert_allclose(model.contribution_weights_, expected, rtol=1e-6)
    assert_allclose(model.feature_importances_, expected.mean(axis=0), rtol=1e-6)


def test_a_task_does_not_use_a_text_it_must_not_use():
    forbid = {"y1": ["text", "items"]}
    model = explainable(text_features=TEXTS, forbid=forbid).fit(X, Y)
    by_feature, _ = assert_tokens_add_up(model, X)
    assert not by_feature.contributions[1][:, [1, 3]].any()
    assert by_feature.contributions[0][:, [1, 3]].all()
    other = X.assign(text="nothing of the kind", items=[[7]] * 120)
    before, after = model.predict_proba(X), model.predict_proba(other)
    assert_array_equal(before[1], after[1])
    assert (before[0] != after[0]).all()


# ---- sparse matrices ---------------------------------------------------------------------------


@over_attentions
@over_kinds
def test_stored_values_add_up_and_nothing_else_adds_anything(kind, attention):
    model = explainable(kind, attention=attention).fit(X_SPARSE, Y_SPARSE)
    by_feature, by_token = assert_tokens_add_up(model, X_SPARSE)
    parts = by_feature.contributions
    parts = np.stack(parts, axis=1) if isinstance(parts, list) else parts
    stores = STORES.any(axis=1)
    assert ((parts[stores] != 0).any(axis=1) == (STORES[stores] > 0)).all()
    seen = model.attend(X_SPARSE, level="token")
    stored = np.isin(by_token.row, np.flatnonzero(stores))
    assert_array_equal(by_token.row[stored], seen.row)
    assert_array_equal(by_token.token[stored], seen.token)


def test_what_a_row_without_anything_means_is_shared_as_attention_is():
    model = explainable(max_epochs=20).fit(X_SPARSE, Y_SPARSE)
    explained = model.contributions(X_SPARSE[[0]])
    for task, own in enumerate(explained.contributions):
        rest = explained.logits[task] - explained.intercept[task]
        assert_allclose(own[0], rest * model.attention_weights_[task], rtol=1e-6)
    nothing = sparse.csr_array((60, 3))
    assert_tokens_add_up(explainable().fit(nothing, Y[:60]), nothing)


def test_sparse_and_dense_rows_have_the_same_contributions_and_find_the_columns():
    model = explainable(max_epochs=60).fit(X_SPARSE, (STORES[:, :2] > 0).astype(int))
    assert model.contribution_weights_.argmax(axis=1).tolist() == [0, 1]
    one, other = model.contributions(X_SPARSE), model.contributions(STORES)
    assert_array_equal(one.contributions, other.contributions)


def test_words_of_a_vectorizer_are_columns():
    pipeline = make_pipeline(TfidfVectorizer(), explainable())
    pipeline.fit(REVIEWS["text"], Y)
    words = pipeline[:-1].transform(REVIEWS["text"])
    assert_tokens_add_up(pipeline[-1], words)


# ---- availability ------------------------------------------------------------------------------


def test_levels_that_there_are_not_are_refused():
    model = one_pass(explainable(), REVIEWS[["size"]], Y)
    with pytest.raises(ValueError, match='level must be "feature" or "token"; got \'word\''):
        model.contributions(REVIEWS[["size"]], level="word")


def test_columns_of_a_sparse_matrix_cannot_be_forbidden():
    with pytest.raises(ValueError, match=r"forbid keeps tasks from columns .* but X is sparse"):
        explainable(forbid={"y0": [1]}).fit(X_SPARSE, Y_SPARSE)


def test_partial_fits_and_weights_keep_contributions_exact():
    model = one_pass(explainable(text_features=TEXTS), X, Y)
    model.partial_fit(X[::-1], Y[::-1])
    assert_tokens_add_up(model, X)
    weight = np.where(np.arange(120) < 30, 2, 1)
    rows = [*range(120), *range(30)]
    twice = explainable(text_features=TEXTS).fit(X, Y, sample_weight=weight)
    again = explainable(text_features=TEXTS).fit(X.iloc[rows], Y[rows])
    assert_same_outputs(twice, again, X, rtol=1e-7)
    assert_allclose(twice.contribution_weights_, again.contribution_weights_, rtol=1e-7)
