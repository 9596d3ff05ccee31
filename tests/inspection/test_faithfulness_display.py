import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

from sk_attention.inspection import FaithfulnessDisplay
from tests._estimators import KINDS, classifier, data_for, one_pass


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def display():
    X, y = data_for(KINDS[0], 200)
    model = one_pass(classifier(explainable=True), X, y)
    options = {"n_steps": 4, "n_repeats": 1, "n_bootstrap": 20, "random_state": 0}
    return FaithfulnessDisplay.from_estimator(model, X, y, **options)


def test_display_draws_three_curves_per_task_and_kind(display):
    assert display.axes_.shape == (2, 2)
    for task in range(2):
        for column, kind in enumerate(("deletion", "insertion")):
            lines = {line.get_label(): line for line in display.axes_[task, column].lines}
            for name in ("contribution", "integrated_gradients", "random"):
                drawn = lines[name.replace("_", " ")]
                assert drawn.get_xdata().tolist() == [0, 1, 2, 3, 4]
                assert_allclose(drawn.get_ydata(), display.found[kind][name][task, :, 0])


def test_display_draws_into_axes_it_is_given(display):
    figure, axes = plt.subplots(2, 2)
    again = FaithfulnessDisplay(display.found).plot(axes=axes)
    assert again.figure_ is figure
    assert np.shares_memory(again.axes_, axes)


def test_display_without_matplotlib_names_the_extra(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"FaithfulnessDisplay.plot needs .*\[plot\]"):
        FaithfulnessDisplay(display.found).plot()
