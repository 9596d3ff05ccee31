import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import make_planted_tasks
from sk_attention.inspection import AttentionDisplay


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    data = make_planted_tasks(n_samples=100, n_features=6, n_tasks=2, n_relevant=2, random_state=0)
    model = MultiTaskAttentionClassifier(n_members=2, hidden_layer_sizes=8, random_state=0)
    return model.fit(data.data, data.target), data.data


def test_display_shows_the_mean_over_the_training_rows(fitted):
    model, _ = fitted
    display = AttentionDisplay.from_estimator(model)
    assert_allclose(display.ax_.images[0].get_array(), model.attention_weights_)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["y0", "y1"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == [
        f"x{j}" for j in range(6)
    ]


def test_display_of_rows_shows_their_mean(fitted):
    model, X = fitted
    display = AttentionDisplay.from_estimator(model, X[:3])
    assert_allclose(display.weights, model.attend(X[:3]).mean(axis=0))


def test_display_draws_into_axes_it_is_given(fitted):
    _, ax = plt.subplots()
    display = AttentionDisplay.from_estimator(fitted[0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_display_keeps_the_features_with_the_largest_weights():
    weights = np.array([[0.1, 0.5, 0.0, 0.4]])
    display = AttentionDisplay(weights, ["task"], list("abcd")).plot(max_features=2)
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["b", "d"]


def test_display_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = AttentionDisplay(np.ones((1, 1)), ["task"], ["feature"])
    with pytest.raises(ImportError, match=r"needs matplotlib: pip install sk-attention\[plot\]"):
        display.plot()


def test_an_unfitted_estimator_has_nothing_to_draw():
    with pytest.raises(NotFittedError):
        AttentionDisplay.from_estimator(MultiTaskAttentionClassifier())
