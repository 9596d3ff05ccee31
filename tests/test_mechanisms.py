"""Options that say how attention looks: what they change, and what they must not."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sk_attention.datasets import make_planted_tasks
from sk_attention.inspection import attribute
from tests._estimators import classifier, numbers, one_pass, outputs, over_attentions

X = numbers(120, 6)
Y = np.column_stack([X[:, 0] > 0, X[:, 3] > 0]).astype(int)

over_sparse = pytest.mark.parametrize("normalization", ["sparsemax", "entmax"])


@over_attentions
def test_sparse_attention_leaves_out_features_and_sums_to_one(attention):
    model = one_pass(
        classifier(
            attention=attention,
            attention_normalization="sparsemax",
            attention_sharpness=4.0,
            n_heads=2,
        ),
        X,
        Y,
    )
    weights = model.attend(X)
    assert (weights == 0).mean() > 0.2
    assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
    assert_allclose(model.attention_weights_.sum(axis=1), 1, rtol=1e-6)
    alone = np.vstack([outputs(model, X[[i]]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, rtol=1e-5)


@over_sparse
def test_sparse_attention_finds_the_planted_columns(normalization):
    data = make_planted_tasks(n_samples=600, n_features=8, n_tasks=2, n_relevant=2, random_state=0)
    model = classifier(attention_normalization=normalization, max_epochs=15, precision="float32")
    model.fit(data.data, data.target)
    assert model.score(data.data, data.target) > 0.85
    assert (model.attention_weights_ * data.relevant).sum(axis=1).min() > 0.4


@over_sparse
def test_contributions_of_sparse_attention_add_up(normalization):
    model = one_pass(classifier(explainable=True, attention_normalization=normalization), X, Y)
    explained = model.contributions(X)
    for added, intercept, logits in zip(
        explained.contributions, explained.intercept, explained.logits, strict=True
    ):
        assert_allclose(added.sum(axis=-1) + intercept, logits, rtol=1e-5, atol=1e-6)


@over_sparse
def test_words_and_stored_values_get_sparse_attention_too(normalization):
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "of", "the", "film", "plot"])
    texts = pd.DataFrame({"text": [" ".join(rng.choice(words, 5)) for _ in range(80)]})
    y = texts["text"].str.contains("good").to_numpy()
    stored = csr_array(rng.poisson(0.5, size=(80, 9)).astype(float))
    options = {"attention_normalization": normalization, "max_epochs": 5}
    of_texts = classifier(text_features=["text"], **options).fit(texts, y)
    of_stored = classifier(**options).fit(stored, y)
    for model, data in [(of_texts, texts), (of_stored, stored)]:
        seen = model.attend(data, level="token")
        total = np.bincount(seen.row, seen.weights[:, 0], minlength=80)
        assert_allclose(total[np.bincount(seen.row, minlength=80) > 0], 1, rtol=1e-6)
    net, rows = of_texts.net_, of_texts._read_rows(texts)[0]
    assert (net.forward_rows(net.module_.within, rows) == 0).any()


def test_softmax_is_the_default():
    softmax = one_pass(classifier(attention_normalization="softmax"), X, Y)
    assert_array_equal(outputs(one_pass(classifier(), X, Y), X), outputs(softmax, X))
    with pytest.raises(ValueError, match="attention_normalization"):
        classifier(attention_normalization="relu").fit(X, Y)


# ---- order -------------------------------------------------------------------------------------


def steps_before(n_samples, lag, seed=0, n_items=6, length=8):
    """Lists with one "x"; the label is which half of the items stood `lag` places before it."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for _ in range(n_samples):
        items = rng.integers(0, n_items, rng.integers(lag + 2, length + 1)).tolist()
        place = rng.integers(lag, len(items))
        labels.append(items[place - lag] < n_items // 2)
        rows.append([f"i{item}" if j != place else "x" for j, item in enumerate(items)])
    return pd.DataFrame({"seen": rows}), np.array(labels)


ORDERED, LABELS = steps_before(60, lag=2)


def test_self_attention_reads_what_came_some_steps_before():
    X, y = steps_before(600, lag=3)
    new, expected = steps_before(300, lag=3, seed=1)
    options = {"embedding_dim": 16, "max_epochs": 25, "precision": "float32"}
    assert classifier(attention="double", **options).fit(X, y).score(new, expected) > 0.9
    assert classifier(**options).fit(X, y).score(new, expected) < 0.85


@pytest.mark.parametrize(
    ("attention", "window"),
    [("self", 3), ("hierarchical", 3), ("double", 1), ("double", None), ("double", "adaptive")],
)
def test_ordered_rows_do_not_depend_on_each_other(attention, window):
    model = one_pass(
        classifier(attention=attention, attention_window=window, causal=window == 3, n_heads=2),
        ORDERED,
        LABELS,
    )
    together = outputs(model, ORDERED)
    alone = np.vstack([outputs(model, ORDERED.iloc[[i]]) for i in range(0, 60, 17)])
    assert_allclose(together[::17], alone, rtol=1e-5)
    assert_allclose(outputs(pickle.loads(pickle.dumps(model)), ORDERED), together)
    seen = model.attend(ORDERED, level="token")
    assert seen.token[seen.row == 7].tolist() == ORDERED["seen"][7]
    assert_allclose(np.bincount(seen.row, seen.weights[:, 0]), 1, rtol=1e-6)
    empty = model.predict(pd.DataFrame({"seen": [[], ["x"]]}))
    assert len(empty) == 2


STEPS = np.random.default_rng(0).normal(size=(60, 6, 2))


@pytest.mark.parametrize(
    ("attention", "explainable"),
    [("cross", False), ("double", False), ("hierarchical", False), ("double", True)],
)
def test_steps_that_miss_every_channel_are_not_read(attention, explainable):
    X, y = STEPS.copy(), (STEPS[:, 0, 0] > 0).astype(int)
    X[:30, 4:] = np.nan
    X[30:, 5, 1] = np.nan  # a step of which something is known is there
    X[2] = np.nan
    model = one_pass(classifier(attention=attention, explainable=explainable), X, y)
    seen = model.attend(X)[:, 0]
    assert not seen[:30, 4:].any()
    assert (seen[30:] > 0).all()
    assert not seen[2].any()
    assert_allclose(np.delete(seen, 2, axis=0).sum(axis=1), 1, rtol=1e-6)
    assert_allclose(model.attention_weights_.sum(), 1)
    assert np.isfinite(outputs(model, X)).all()
    if explainable:
        explained = model.contributions(X)
        total = explained.contributions.sum(axis=-1) + explained.intercept
        assert_allclose(total, explained.logits, rtol=1e-5, atol=1e-6)


# ---- many features -----------------------------------------------------------------------------


@pytest.mark.parametrize("efficient", ["inducing", "linear"])
@pytest.mark.parametrize("attention", ["self", "double", "hierarchical"])
def test_efficient_attention_reads_rows_one_by_one(attention, efficient):
    model = one_pass(classifier(attention=attention, efficient=efficient), X, Y)
    assert_allclose(model.attend(X).sum(axis=-1), 1, rtol=1e-6)
    alone = np.vstack([outputs(model, X[[i]]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, rtol=1e-5)
    of_steps = one_pass(classifier(attention=attention, efficient=efficient), STEPS, Y[:60])
    assert of_steps.attend(STEPS).shape == (60, 2, 6)


@pytest.mark.parametrize("efficient", ["inducing", "linear"])
def test_contributions_of_efficient_attention_add_up(efficient):
    options = {"explainable": True, "attention": "double", "efficient": efficient}
    explained = one_pass(classifier(**options), X, Y[:, 0]).contributions(X)
    total = explained.contributions.sum(axis=-1) + explained.intercept
    assert_allclose(total, explained.logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "data", "match"),
    [
        ({"efficient": "linear"}, X, "efficient='linear' and attention='cross'"),
        ({"attention_window": 3}, X, "attention_window=3 says how words.* no order in X"),
        ({"attention": "self", "causal": True}, X, "causal=True says .* no order in X"),
        ({"causal": True}, STEPS, "an order in X, attention='cross'"),
        (
            {"attention": "self", "efficient": "linear", "attention_window": None},
            STEPS,
            "attention_window=None says .* efficient='linear'",
        ),
        (
            {"attention": "double", "attention_window": 3},
            csr_array(X),
            "attention_window=3 says how words.* no order in X",
        ),
        (
            {"attention": "double", "efficient": "inducing", "text_features": ["text"]},
            pd.DataFrame({"text": ["good film"] * 60}),
            "X has a single one. Its words or items .* got efficient='inducing'",
        ),
        ({"attention_window": 0}, X, "attention_window' parameter .* must be"),
        ({"attention_window": "wide"}, X, "attention_window' parameter .* must be"),
        ({"efficient": "local"}, X, "efficient' parameter .* must be"),
    ],
)
def test_options_without_a_meaning_are_refused(options, data, match):
    with pytest.raises(ValueError, match=match):
        classifier(**options).fit(data, Y[: data.shape[0], 0])


def test_rollout_of_steps_is_refused():
    model = one_pass(classifier(attention="double"), STEPS, Y[:60, 0])
    with pytest.raises(ValueError, match="steps of an array of three dimensions look at each"):
        attribute(model, STEPS, method="rollout")
