import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sk_attention.inspection import TokenDisplay, attribute
from sk_attention.preprocessing import image_patches
from tests._estimators import classifier, one_pass, regressor
from tests.test_text import reviews

X, Y = reviews(60)
TASKS = pd.DataFrame({"mood": Y[:, 0], "topic": Y[:, 1]})


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    return classifier(explainable=True, text_features=["text"], max_epochs=2).fit(X, TASKS)


def drawn(ax):
    return [text.get_text() for text in ax.texts]


def test_words_of_a_row_are_drawn_for_each_task(fitted):
    display = TokenDisplay.from_estimator(fitted, X, row=3)
    assert [ax.get_title(loc="left") for ax in display.axes_] == ["mood", "topic"]
    assert drawn(display.axes_[0]) == ["size", *X["text"][3].split()] == display.tokens
    found = attribute(fitted, X[3:4], level="token")
    assert_allclose(display.values, np.stack(found.attributions))
    assert display.label == "contribution"


def test_attention_is_drawn_where_there_are_no_contributions():
    model = one_pass(regressor(text_features=["text"]), X, X["size"])
    display = TokenDisplay.from_estimator(model, X)
    assert display.label == "attention weight"
    assert_allclose(display.values.sum(), 1.0, rtol=1e-6)


def test_colours_say_sign_and_size():
    words = ["good", "bad", "worst", "filler"]
    ax = TokenDisplay(words, [[1.0, -1.0, -2.0, 0.0]], ["y"]).plot().axes_[0]
    good, bad, worst, filler = (text.get_bbox_patch().get_facecolor()[:3] for text in ax.texts)
    assert good[2] > good[0]  # blue
    assert bad[0] > bad[2]  # red
    assert sum(worst) < sum(bad)
    assert min(filler) > 0.9


def test_long_texts_are_broken_into_lines_and_dollars_are_no_formula():
    words = ["$x", "word"] * 30
    ax = TokenDisplay(words, np.zeros((1, 60)), ["$y$"]).plot().axes_[0]
    assert len({text.get_position()[1] for text in ax.texts}) > 3
    assert max(text.get_position()[0] + len(text.get_text()) for text in ax.texts) <= 60
    assert not ax.texts[0].get_parse_math()


def test_steps_are_bars_in_their_order():
    steps = np.random.default_rng(0).normal(size=(60, 5, 1))
    model = one_pass(classifier(explainable=True), steps, Y)
    display = TokenDisplay.from_estimator(model, steps, kind="steps")
    ax = display.axes_[1]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x0", "x1", "x2", "x3", "x4"]
    assert_allclose([bar.get_height() for bar in ax.patches], display.values[1])


def test_several_classes_are_drawn_one_at_a_time_and_sparse_rows_too():
    matrix = sparse.csr_array(np.eye(6))
    model = one_pass(classifier(explainable=True), matrix, np.arange(6) % 3)
    display = TokenDisplay.from_estimator(model, matrix, row=2, class_index=2)
    assert display.tokens == ["x2"]
    expected = model.contributions(matrix[[2]], level="token").contributions[:, 2]
    assert_allclose(display.values[0], expected)
    with pytest.raises(ValueError, match=r"class_index must be from 0 to 2, .* 'y'; got 3"):
        TokenDisplay.from_estimator(model, matrix, class_index=3)


def test_what_cannot_be_drawn_is_refused(fitted, monkeypatch):
    with pytest.raises(ValueError, match='kind must be "words", "steps" or "image"; got \'map\''):
        TokenDisplay.from_estimator(fitted, X, kind="map")
    with pytest.raises(TypeError, match=r"TokenDisplay.from_estimator takes .* got NoneType"):
        TokenDisplay.from_estimator(None, X)
    with pytest.raises(NotFittedError):
        TokenDisplay.from_estimator(classifier(), X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"TokenDisplay\.plot needs matplotlib"):
        TokenDisplay(["a"], [[1.0]], ["y"]).plot()


def test_patches_of_an_image_stand_where_they_were_cut():
    images = np.random.default_rng(0).normal(size=(60, 4, 6))
    patches = image_patches(images, 2)
    bright = images[:, 2:, :2].mean(axis=(1, 2)) > 0
    model = one_pass(classifier(), patches, bright)
    display = TokenDisplay.from_estimator(model, patches, kind="image", shape=(2, 3))
    (drawn,) = display.axes_[0].images
    assert_allclose(drawn.get_array(), model.attend(patches[:1])[0, 0].reshape(2, 3))
    square = TokenDisplay("abcd", np.arange(4.0)[None], ["y"]).plot(kind="image")
    assert square.axes_[0].images[0].get_array().shape == (2, 2)
    with pytest.raises(ValueError, match="shape must be rows and columns of 6 patches, got None"):
        TokenDisplay.from_estimator(model, patches, kind="image")
    with pytest.raises(ValueError, match=r"columns of 6 patches, got \(2, 2\): pass two"):
        display.plot(kind="image", shape=(2, 2))
    with pytest.raises(ValueError, match=r'shape is for kind="image", got \(2, 3\) with kind="?'):
        display.plot(shape=(2, 3))
