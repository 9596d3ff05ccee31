"""Texts among the columns of X: words said when something is asked, and words of past events."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions
from tests._recommenders import ATTENTIONS, assert_same_model, recommender

GROUPS = np.array(["tea", "jam", "oak", "ink", "fog", "sun"])


def with_notes(planted):
    """The group that comes next, as a word among others in a text; never the same text."""
    table = planted.data.drop(columns=["session_id", "occasion"])
    group = planted.data["occasion"].str[1:].astype(int)
    filler = np.random.default_rng(0).choice(["a", "on", "by", "of"], size=(len(table), 2))
    texts = [
        f"{before} {GROUPS[g]} {after} no{row}"
        for row, (g, (before, after)) in enumerate(zip(group, filler, strict=True))
    ]
    return table.assign(note=texts)


X = with_notes(make_interactions(40, 30, 12, n_groups=5, context_effect=0.5, random_state=0))
READS = {"context": ["note"], "text_features": ["note"], "max_epochs": 2}
LABEL = X["note"].str.contains("tea").astype(float)


def answers(model, rows):
    return model.predict_proba(rows) if model.task == "classification" else model.predict(rows)


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    return recommender(attention=request.param, **READS).fit(X)


@pytest.mark.slow
def test_words_of_the_context_tell_what_comes_next():
    """Of 0.24 without them, and 0.44 with the truth."""
    planted = make_interactions(300, 60, 12, n_groups=6, context_effect=0.7, random_state=0)
    table = with_notes(planted)
    last = ~table.duplicated("user_id", keep="last")
    sizes = {"embedding_dim": 16, "learning_rate": 0.01, "batch_size": 16, "max_epochs": 10}
    scores = [
        recommender(context=["note"], text_features=texts, refit=False, **sizes)
        .fit(table[~last])
        .score(table[last])
        for texts in (["note"], None)
    ]
    assert scores[0] > scores[1] + 0.06


def test_words_of_a_row_tell_its_label():
    sizes = {"embedding_dim": 16, "learning_rate": 0.01, "max_epochs": 20, "dropout": 0.0}
    old, new = slice(0, -80), slice(-80, None)
    scores = [
        recommender(task="regression", text_features=texts, **sizes)
        .fit(X[old], LABEL[old])
        .score(X[new], LABEL[new])
        for texts in (["note"], None)
    ]
    assert scores[0] > 0.7 > scores[1] + 0.5


def test_a_row_is_answered_alike_alone_and_shuffled(model):
    scores = model.predict(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(model.predict(X.iloc[order]), scores[order], atol=1e-5)
    assert_allclose(model.predict(X.iloc[[7]]), scores[[7]], atol=1e-5)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), scores)


def test_training_reads_what_queries_read(model):
    """The windows of a fit and the queries of a prediction have the same words in each place."""
    events = np.flatnonzero(np.diff(model._histories.users, append=-1))
    inputs, _ = model._scored(events).take(np.arange(len(events)))
    module = model.net_.module_.eval()
    hidden = module.hidden(inputs).detach().numpy()
    rows = X.sort_values(["user_id", "timestamp"], kind="stable").iloc[events]
    assert_allclose(model.transform(rows), hidden, rtol=1e-4, atol=1e-5)


def test_words_may_be_told_unknown_or_new_when_asked(model):
    told, other, nothing = (
        model.recommend(pd.DataFrame({"user_id": [3], **note}), k=5)[1]
        for note in ({"note": ["tea"]}, {"note": ["jam"]}, {})
    )
    assert not np.allclose(told, other) and not np.allclose(told, nothing)
    for note in (None, "", "zzz"):
        same = model.recommend(pd.DataFrame({"user_id": [3], "note": [note]}), k=5)[1]
        if note != "zzz":
            assert_allclose(same, nothing, rtol=1e-5)
    lists = model.recommend(pd.DataFrame({"note": ["tea", "jam"]}), histories=[[3], [3]], k=5)[1]
    assert not np.allclose(*lists)
    assert np.isfinite(model.recommend(histories=[[3, 4], []], k=5)[1]).all()


def test_words_of_the_context_are_explained_and_part_questions(model):
    rows = X.iloc[[-1, -1]].assign(item_id=[1, 2], note=["tea", "jam"])
    assert (model.explain(rows).context != 0).all()
    by_hand = np.mean([model.score(rows.iloc[[row]]) for row in range(2)])
    assert_allclose(model.score(rows), by_hand)
    with pytest.raises(ValueError, match="the same only for rows of one user, time and context"):
        model.target_ranks(rows, queries=[0, 0])
    assert len(model.target_ranks(rows.assign(note="tea"), queries=[0, 0])[0]) == 2


def test_histories_go_on_with_words(model):
    own = pickle.loads(pickle.dumps(model))
    asked = pd.DataFrame({"user_id": [3], "note": ["tea"]})
    before = own.recommend(asked, k=5)[1]
    now = X["timestamp"].max()
    own.update_history(
        pd.DataFrame([{"user_id": 3, "item_id": 2, "timestamp": now, "note": "jam"}])
    )
    assert not np.allclose(own.recommend(asked, k=5)[1], before)
    own.partial_fit(X.iloc[-30:].assign(user_id=99, item_id=98, note="zzz tea"))
    assert 98 in own.items_
    assert np.isfinite(own.recommend(X.iloc[-9:], k=5)[1]).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"context": None},  # words of past events alone
        {"loss": "sampled_softmax", "n_negatives": 5, "precision": "float64"},
        {"task": "classification", "context": None, "attention": "hierarchical"},
        {"task": "regression", "context": None, "attention": "cross", "precision": "float64"},
    ],
    ids=str,
)
def test_every_choice_goes_with_words(parameters):
    parameters = {**READS, **parameters}
    y = LABEL if "task" in parameters else None
    own = recommender(**parameters).fit(X, y)
    without = recommender(**{**parameters, "text_features": None}).fit(X, y)
    assert not np.allclose(answers(own, X), answers(without, X))
    assert np.isfinite(own.recommend(k=3)[1]).all()
    if y is not None:
        own.partial_fit(X[-20:], y[-20:]).update_history(X[:5], y[:5])
        assert_allclose(answers(own, X[:3]), answers(own, X[:40])[:3], rtol=1e-4)


def test_tables_of_other_kinds_hold_the_same_words():
    expected = recommender(**READS).fit(X)
    polars = pl.DataFrame({name: X[name].to_list() for name in X})
    assert_same_model(recommender(**READS).fit(polars), expected)


@pytest.mark.parametrize(
    ("parameters", "table", "message"),
    [
        ({"text_features": ["nope"]}, X, "text_features names 'nope', which is no column of X"),
        ({"text_features": ["user_id"]}, X, "text_features names 'user_id', which is no column"),
        ({}, X.assign(note=1.5), "Feature 'note' is read as text, found 1.5"),
    ],
)
def test_what_is_no_text_is_refused(parameters, table, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AttentionRecommender(**{**READS, **parameters}).fit(table)
