import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from sk_attention.inspection import AttentionShiftDisplay, attention_shift
from tests.inspection.test_attention_shift import looking


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_display_shows_each_two_tasks():
    weights = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 3))
    display = AttentionShiftDisplay.from_estimator(looking(weights), None)
    shown = display.ax_.images[0].get_array()
    assert_allclose(shown, attention_shift(looking(weights), None).pairwise)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["task0", "task1", "task2"]


def test_display_draws_into_axes_it_is_given():
    _, ax = plt.subplots()
    display = AttentionShiftDisplay(np.zeros((2, 2)), ["a", "b"]).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_display_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"AttentionShiftDisplay.plot needs .*\[plot\]"):
        AttentionShiftDisplay(np.zeros((1, 1)), ["a"]).plot()
