"""Options that say how attention looks: what they change, and what they must not."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sk_attention.datasets import make_planted_tasks
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
