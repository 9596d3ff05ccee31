"""What a training that breaks off leaves behind, and what one that goes well shows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from tests._estimators import (
    KINDS,
    assert_same_outputs,
    classifier,
    data_for,
    one_pass,
    outputs,
    over_kinds,
    small,
)


def break_off(error, in_pass):
    """A callback that raises once, in the chosen pass."""

    class Break(Callback):
        done = False

        def on_batch_end(self, net, **kwargs):
            if len(net.history) == in_pass and not self.done:
                self.done = True
                raise error

    return Break()


class Spoil(Callback):
    """Makes the weights infinite in the second pass."""

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            net.module_.towers.first.bias.data.fill_(torch.inf)


# ---- Ctrl-C ------------------------------------------------------------------------------------


@over_kinds
def test_interrupt_leaves_a_usable_estimator_and_is_raised_again(kind):
    X, y = data_for(kind)
    model = small(kind, callbacks=[break_off(KeyboardInterrupt, 30)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 29
    assert_allclose(model.attention_weights_.sum(axis=1), 1.0)
    assert np.isfinite(outputs(model, X)).all()
    model.set_params(callbacks=None, warm_start=True)
    assert model.score(X, y) > 0.5 or kind is KINDS[1]
    n_passes = model.n_iter_
    assert model.partial_fit(X, y).n_iter_ == n_passes + 1


@over_kinds
def test_interrupt_restores_the_best_weights_so_far(kind):
    X, y = data_for(kind)
    rng = np.random.default_rng(0)
    y_val = rng.permutation(y)  # nothing to gain: the best pass is an early one
    parameters = {"learning_rate": 0.02, "n_iter_no_change": 100}
    watched = {"early_stopping": True, "callbacks": [break_off(KeyboardInterrupt, 60)]}
    model = small(kind, **watched, **parameters)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X, y_val=y_val)
    best = model.validation_scores_.mean(axis=1).argmax() + 1
    assert best < 55
    class_or_none = {"classes": [[0, 1], [0, 1]]} if kind is KINDS[0] else {}
    expected = small(kind, batch_size=60, precision="float64", **parameters)
    expected.partial_fit(X, y, **class_or_none)
    for _ in range(best - 1):
        expected.partial_fit(X, y)
    assert_same_outputs(model, expected, X, rtol=1e-6)


@over_kinds
def test_interrupt_in_the_first_pass_leaves_a_usable_estimator(kind):
    X, y = data_for(kind)
    model = small(kind, callbacks=[break_off(KeyboardInterrupt, 1)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X, y_val=y)
    assert np.isfinite(outputs(model, X)).all()
    assert model.attention_weights_.shape == (2, 4)
    assert model.n_iter_ == 0
    assert model.loss_curve_ == []
    assert model.validation_scores_ is None


@pytest.mark.parametrize("fitted", [False, True])
@over_kinds
def test_interrupt_before_training_changes_nothing(kind, fitted, monkeypatch):
    X, y = data_for(kind)
    model = small(kind)
    if fitted:
        one_pass(model, X, y)
    before = dict(vars(model))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_attention._base.build_network", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2], y[:, 0])
    assert vars(model) == before


# ---- failures ----------------------------------------------------------------------------------


@over_kinds
def test_loss_that_becomes_nan_is_an_error_and_changes_nothing(kind):
    X, y = data_for(kind)
    model = small(kind).fit(X, y)
    model.learning_rate = 1e300
    before, expected = dict(vars(model)), outputs(model, X)
    with pytest.raises(ValueError, match=r"loss became (nan|inf) in pass \d+ .*learning_rate"):
        model.fit(X, y)
    assert vars(model) == before
    assert_array_equal(outputs(model, X), expected)


@pytest.mark.parametrize("method", ["warm fit", "partial_fit"])
@over_kinds
def test_failure_in_training_restores_the_earlier_weights(kind, method):
    X, y = data_for(kind)
    model = small(kind, callbacks=[Spoil()], warm_start=True)
    model = one_pass(model, X, y)
    expected = outputs(model, X)
    with pytest.raises(ValueError, match="loss became"):
        (model.partial_fit if method == "partial_fit" else model.fit)(X, y)
    assert_array_equal(outputs(model, X), expected)
    assert model.n_iter_ == len(model.net_.history) == 1


@over_kinds
def test_failed_first_fit_leaves_the_estimator_unfitted(kind):
    X, y = data_for(kind)
    model = small(kind, callbacks=[break_off(RuntimeError("out of luck"), 3)])
    with pytest.raises(RuntimeError, match="out of luck"):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert vars(model) == model.get_params()
    assert one_pass(model, X, y).n_iter_ == 1


# ---- what is shown -----------------------------------------------------------------------------


def test_silence_is_the_default(capsys):
    X, y = data_for(KINDS[0])
    classifier().fit(X, y, X_val=X, y_val=y)
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_a_bar_and_then_a_table(capsys):
    X, y = data_for(KINDS[0])
    parameters = {"batch_size": 20, "max_epochs": 2}
    classifier(verbose=1, **parameters).fit(X, y)
    shown = capsys.readouterr()
    assert "%|" in shown.out + shown.err
    assert "train_loss" not in shown.out.replace("train_loss=", "")
    classifier(verbose=2, **parameters).fit(X, y, X_val=X, y_val=y)
    shown = capsys.readouterr()
    assert "%|" in shown.out + shown.err
    for column in ("epoch", "train_loss", "valid_loss", "dur"):
        assert column in shown.out
