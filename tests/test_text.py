"""Columns of texts: words as tokens, in whatever table, with whatever gaps."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sk_attention import MultiTaskAttentionClassifier
from tests._estimators import (
    assert_same_outputs,
    classifier,
    one_pass,
    outputs,
    over_attentions,
    over_kinds,
    small,
)

GOOD, BAD = ["superb", "lovely", "charming"], ["dreadful", "boring", "clumsy"]
FILM, FOOD = ["film", "actor", "scene"], ["soup", "waiter", "pasta"]
FILLER = ["the", "a", "of", "was", "very", "with", "today", "again", "there"]


def reviews(n_samples=120, seed=0):
    """Texts of a topic and a mood, beside a number: two tasks about different words."""
    rng = np.random.default_rng(seed)
    mood, topic = rng.integers(0, 2, (2, n_samples))
    texts = []
    for good, food in zip(mood, topic, strict=True):
        words = [*rng.choice(FILLER, rng.integers(2, 7)), rng.choice(GOOD if good else BAD)]
        words += [rng.choice(FOOD if food else FILM)]
        texts.append(" ".join(rng.permutation(words)))
    frame = pd.DataFrame({"size": rng.normal(size=n_samples), "text": texts})
    return frame, np.column_stack([mood, topic])


X, Y = reviews()


def model(kind=MultiTaskAttentionClassifier, **parameters):
    return small(kind, **{"text_features": ["text"], "max_epochs": 40, **parameters})


@over_attentions
def test_tasks_learn_from_words(attention):
    fitted = model(attention=attention).fit(X, Y)
    new, labels = reviews(seed=1)
    assert fitted.score(new, labels) > 0.95
    assert_allclose(fitted.attention_weights_.sum(axis=1), 1)
    assert fitted.attention_weights_.shape == (2, 2)
    assert (fitted.attention_weights_[:, 1] > 0.5).all()


def test_each_task_looks_at_its_own_words():
    fitted = model(max_epochs=80).fit(X, Y)
    new, _ = reviews(seed=1)
    seen = fitted.attend(new, level="token")
    mood, topic = (np.isin(seen.token, words) for words in (GOOD + BAD, FILM + FOOD))
    by_mood, by_topic = (seen.weights[which].sum(axis=0) for which in (mood, topic))
    assert by_mood[0] > by_mood[1]
    assert by_topic[1] > by_topic[0]


@over_attentions
def test_attention_to_words_sums_to_attention_to_columns(attention):
    frame = X.assign(other=["", "one two", "two two", None] * 30)
    fitted = one_pass(model(attention=attention, text_features=["text", "other"]), frame, Y)
    seen = fitted.attend(frame[:20], level="token")
    total = np.zeros((20, 3, 2))
    np.add.at(total, (seen.row, seen.feature), seen.weights)
    assert_allclose(total.transpose(0, 2, 1), fitted.attend(frame[:20]), rtol=1e-6)
    assert_allclose(total.sum(axis=1), 1, rtol=1e-6)
    first = [token for token, row in zip(seen.token, seen.row, strict=True) if row == 0]
    assert first == ["size", *X["text"][0].split(), ""]
    assert seen.token[(seen.row == 2) & (seen.feature == 2)].tolist() == ["two", "two"]


def test_tokens_of_a_table_without_texts_are_its_columns():
    numbers = X[["size"]].assign(when=pd.date_range("2024", periods=120), city="Oslo")
    fitted = one_pass(classifier(), numbers, Y)
    seen = fitted.attend(numbers[:2], level="token")
    assert seen.token.tolist() == ["size", "when", "city"] * 2
    assert_allclose(seen.weights.reshape(2, 3, 2).transpose(0, 2, 1), fitted.attend(numbers[:2]))


def test_any_container_gives_the_same_model():
    expected = one_pass(model(), X, Y)
    polars = pl.DataFrame(X.to_dict("list"))
    assert_array_equal(outputs(one_pass(model(), polars, Y), polars), outputs(expected, X))
    array = X.to_numpy(dtype=object)
    by_position = one_pass(model(text_features=[1]), array, Y)
    assert_array_equal(outputs(by_position, array), outputs(expected, X))
    text = X[["text"]].to_numpy(dtype=str)
    assert one_pass(model(text_features=[0]), text, Y).predict(text).shape == (120, 2)


def test_rows_do_not_depend_on_each_other():
    long = pd.concat([X, X.assign(text=X["text"] + " word" * 300)], ignore_index=True)
    fitted = one_pass(model(precision="float32"), X, Y)
    together = outputs(fitted, long)
    alone = np.vstack([outputs(fitted, long[i : i + 1]) for i in range(0, 240, 23)])
    assert_allclose(together[::23], alone, atol=1e-5)
    assert_allclose(outputs(fitted, long[::-1])[::-1], together, atol=1e-5)


def test_missing_and_empty_texts_are_the_same_and_mean_something():
    gone = np.arange(120) % 3 == 0
    missing = X.assign(text=X["text"].mask(gone))
    empty = X.assign(text=X["text"].mask(gone, " "))
    fitted = model().fit(missing, gone)
    assert_same_outputs(fitted, model().fit(empty, gone), missing)
    assert fitted.score(empty, gone) == 1.0
    nothing = X.assign(text=None)
    assert np.isfinite(outputs(one_pass(model(), nothing, Y), X)).all()


def test_unknown_words_are_understood_by_their_parts():
    fitted = model().fit(X, Y[:, 0])
    new = pd.DataFrame({"size": 0.0, "text": ["superbly", "clumsily", "boringly", "charmingly"]})
    assert fitted.predict(new).tolist() == [1, 0, 0, 1]
    assert np.isfinite(outputs(fitted, new.assign(text="完全 unheard-of ﷺ \ud800"))).all()


def test_chinese_is_read_without_spaces():
    texts = [
        f"{who}{verb}{what}" for who in "我你他" for verb in ("喜欢", "讨厌") for what in "茶酒鱼"
    ]
    frame = pd.DataFrame({"text": texts * 5})
    y = frame["text"].str.contains("喜欢")
    fitted = model().fit(frame, y)
    new = pd.DataFrame({"text": ["他们喜欢猫", "他们讨厌猫"]})
    assert fitted.predict(new).tolist() == [True, False]
    assert fitted.attend(new[:1], level="token").token.tolist() == list("他们喜欢猫")


@over_kinds
def test_pickle_seed_and_weights_behave_as_for_numbers(kind):
    y = Y.astype(float)
    fitted = model(kind, max_epochs=5).fit(X, y)
    assert_same_outputs(fitted, pickle.loads(pickle.dumps(fitted)), X)
    assert_same_outputs(fitted, model(kind, max_epochs=5).fit(X, y), X)
    twice = model(kind, max_epochs=5).fit(X, y, sample_weight=np.where(np.arange(120) < 30, 2, 1))
    rows = [*range(120), *range(30)]
    again = model(kind, max_epochs=5).fit(X.iloc[rows], y[rows])
    assert_same_outputs(twice, again, X, rtol=1e-7)


def test_partial_fit_keeps_its_words():
    fitted = one_pass(model(), X, Y)
    n_codes = len(fitted._table_encoder.bags.prior_)
    fitted.partial_fit(X.assign(text="quite other words"), Y)
    assert len(fitted._table_encoder.bags.prior_) == n_codes


@pytest.mark.slow
def test_many_rows_are_trained_in_batches():
    frame, y = reviews(2000)
    fitted = MultiTaskAttentionClassifier(
        text_features=["text"], n_members=2, max_epochs=3, random_state=0
    ).fit(frame, y)
    new, labels = reviews(seed=2)
    assert fitted.score(new, labels) > 0.95


WORD_VECTORS = {word: [i % 2, i] for i, word in enumerate([*GOOD, *BAD, *FILM, "Soup"])}
ENCODERS = {
    "transformer": make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0)),
    "callable": lambda texts: np.array([[len(text), text.count("soup")] for text in texts]),
    "word vectors": WORD_VECTORS,
}


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_text_encoder_gives_a_token_more(encoder):
    frame = X.assign(other=X["text"].str.upper())
    fitted = one_pass(model(text_features=["text", "other"], text_encoder=encoder), frame, Y)
    assert fitted._table_encoder.field_features_.tolist() == [0, 1, 2, 1, 2]
    assert fitted.attend(frame).shape == (120, 2, 3)
    seen = fitted.attend(frame, level="token")
    total = np.zeros((120, 3, 2))
    np.add.at(total, (seen.row, seen.feature), seen.weights)
    assert_allclose(total.transpose(0, 2, 1), fitted.attend(frame), rtol=1e-6)
    without = one_pass(model(text_features=["text", "other"]), frame, Y)
    assert (outputs(without, frame) != outputs(fitted, frame)).any()
    alone = np.vstack([outputs(fitted, frame[i : i + 1]) for i in range(0, 120, 17)])
    assert_allclose(outputs(fitted, frame)[::17], alone, atol=1e-6)


def test_text_encoder_is_cloned_and_searched_as_any_parameter():
    svd = make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0))
    fitted = model(text_encoder=svd)
    fitted.set_params(text_encoder__truncatedsvd__n_components=2)
    one_pass(fitted, X, Y)
    assert fitted._table_encoder.vectors.sizes_ == [2]
    assert not hasattr(svd[-1], "components_")
    assert_same_outputs(fitted, pickle.loads(pickle.dumps(fitted)), X)


def test_a_model_that_a_package_ships_encodes_texts():
    wordllama = pytest.importorskip("wordllama")
    folder = Path(wordllama.__file__).parent
    encoder = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    fitted = model(text_encoder=encoder.embed, max_epochs=10).fit(X, Y)
    assert fitted._table_encoder.vectors.sizes_ == [256]
    unseen = X[:2].assign(text=["wonderful", "terrible"])  # words that no row holds
    good, bad = fitted.predict_proba(unseen)[0][:, 1]
    assert good > bad + 0.5


@pytest.mark.parametrize(
    ("encoder", "match"),
    [
        (TfidfVectorizer(), "text_encoder must give dense vectors, found csr_"),
        (lambda texts: np.zeros(len(texts)), r"one vector per text; .* shape \(\d+,\)"),
        (lambda texts: np.zeros((2, 2)), r"one vector per text; .* shape \(2, 2\)"),
        (lambda texts: np.full((len(texts), 2), np.nan), "text_encoder gave NaN or infinity"),
        ({}, r"one vector per text; .*, 0\)"),
        ("bert", "The 'text_encoder' parameter .* must be"),
    ],
)
def test_bad_text_encoder_is_refused(encoder, match):
    with pytest.raises(ValueError, match=match):
        model(text_encoder=encoder).fit(X, Y)


def test_text_encoder_needs_texts_and_vectors_of_one_size():
    with pytest.raises(ValueError, match="text_encoder is given, but no column is read as text"):
        model(text_encoder=WORD_VECTORS, text_features=None).fit(X[["size"]], Y)
    sizes = iter([2, 2, 2, 3])
    changing = model(text_encoder=lambda texts: np.ones((len(texts), next(sizes))))
    one_pass(changing, X, Y)
    changing.predict(X)
    with pytest.raises(ValueError, match=r"vectors of 2 numbers for feature 'text' .* of 3 now"):
        changing.predict(X)
