"""Early stopping, more passes, weights, optimisers, callbacks, precision, randomness, failure."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    LRScheduler,
    TensorBoard,
)

from tests._estimators import (
    assert_same_outputs,
    classifier,
    data_for,
    numbers,
    one_pass,
    outputs,
    over_kinds,
    small,
)

CLASSIFIER, REGRESSOR = over_kinds.args[1]


def noisy(kind, n_samples=200, seed=0):
    """Data that a network overfits at once."""
    X, y = data_for(kind, n_samples, seed=seed)
    rng = np.random.default_rng(seed + 1)
    if kind is CLASSIFIER:
        return X, np.where(rng.random(y.shape) < 0.3, 1 - y, y)
    return X, y + 3 * rng.normal(size=y.shape)


# ---- early stopping ----------------------------------------------------------------------------


@over_kinds
def test_early_stopping_ends_training_and_restores_the_best_weights(kind):
    X, y = noisy(kind)
    X_val, y_val = noisy(kind, 100, seed=5)
    model = small(kind, early_stopping=True, learning_rate=0.02, max_epochs=300, n_iter_no_change=5)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    means = model.validation_scores_.mean(axis=1)
    assert model.n_iter_ < 300
    assert model.n_iter_ == len(means) == means.argmax() + 1 + 5
    best = model.validation_scores_[means.argmax()]
    assert_allclose(heldout_scores(model, y, X_val, y_val), best, rtol=1e-6)


def test_training_stops_where_nothing_is_left_to_learn():
    X = np.random.default_rng(0).integers(2, size=(600, 2))
    model = classifier(early_stopping=True, refit=False, max_epochs=100)
    model.fit(X, X[:, 0], X_val=X, y_val=X[:, 0])
    losses = 1 - model.validation_scores_[:, 0]
    assert len(losses) < 50
    assert losses[-1] < 1e-3
    assert losses.argmin() == len(losses) - 1  # it was still falling


def heldout_scores(model, y, X_val, y_val):
    """Share of each task's loss that the model saves, against knowing no features."""
    if not hasattr(model, "predict_proba"):
        error = np.mean((model.predict(X_val) - y_val) ** 2, axis=0)
        return 1 - error / np.var(y, axis=0)
    scores = []
    for task, probability in enumerate(model.predict_proba(X_val)):
        shares = np.bincount(y[:, task]) / len(y)
        loss = -np.log(probability[np.arange(len(X_val)), y_val[:, task]]).mean()
        scores.append(1 + loss / np.sum(shares * np.log(shares)))
    return scores


def test_early_stopping_is_automatic_unless_rows_are_few():
    few_rows = classifier(early_stopping="auto").fit(*data_for(CLASSIFIER, 59))
    assert few_rows.validation_scores_ is None
    assert len(few_rows.loss_curve_) == few_rows.n_iter_ == 100
    rows = classifier(early_stopping="auto", max_epochs=15).fit(*data_for(CLASSIFIER, 60))
    assert rows.validation_scores_.shape == (45, 2)  # three splits
    assert 45 < rows.n_iter_ <= 60  # and trained again on all rows
    assert (rows.validation_scores_ <= 1).all()
    off = classifier(early_stopping=False, max_epochs=15).fit(*data_for(CLASSIFIER, 60))
    assert off.validation_scores_ is None
    on = classifier(early_stopping=True, refit=False).fit(*data_for(CLASSIFIER, 30))
    assert on.validation_scores_.shape == (on.n_iter_, 2)


@over_kinds
def test_one_task_has_one_validation_score(kind):
    X, y = data_for(kind, n_tasks=1)
    model = small(kind, early_stopping=True, validation_fraction=0.3, refit=False).fit(X, y)
    assert model.validation_scores_.shape == (model.n_iter_, 1)


@over_kinds
def test_validation_weights_decide_which_rows_count(kind):
    X, y = data_for(kind, 120)
    kept = np.arange(40) < 20
    X_val, y_val = data_for(kind, 40, seed=2)
    weighted = small(kind).fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=kept * 3.0)
    subset = small(kind).fit(X, y, X_val=X_val[kept], y_val=y_val[kept])
    assert_allclose(weighted.validation_scores_, subset.validation_scores_, rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "again"),
    [
        ({}, True),
        ({"refit": False}, False),
        ({"callbacks": [EpochTimer()]}, False),
        ({"callbacks": [EpochTimer()], "refit": True}, True),
        ({"early_stopping": False}, False),
    ],
    ids=["default", "refused", "callbacks", "callbacks and asked for", "nothing held out"],
)
def test_a_fit_with_rows_held_out_is_repeated_on_all(parameters, again):
    X, y = data_for(CLASSIFIER, 600)
    model = classifier(**{"early_stopping": "auto", "max_epochs": 3, **parameters}).fit(X, y)
    passes = model.net_.history[:, "train_batch_count"]
    n_held_out = sum("valid_loss" in epoch for epoch in model.net_.history)
    assert (len(passes) > max(n_held_out, 3)) == again
    assert n_held_out == {True: 9, False: 3}[again] * (model.validation_scores_ is not None)
    if again:  # the median over three splits of 3 passes each
        best = 1 + model.validation_scores_.mean(axis=1).reshape(3, 3).argmax(axis=1)
        assert len(passes) == n_held_out + int(np.median(best))


def test_rows_passed_to_stop_by_are_never_trained_on():
    X, y = data_for(CLASSIFIER, 600)
    model = classifier(early_stopping=True, max_epochs=3, refit=True)
    model.fit(X[:500], y[:500], X_val=X[500:], y_val=y[500:])
    assert model.n_iter_ == len(model.validation_scores_) == 3


def test_early_stopping_is_off_where_only_the_labels_of_one_row_could_be_held_out():
    # each class is carried by one row: all stay in training
    X = np.arange(4.0)[:, None]
    with pytest.raises(ValueError, match="validation_fraction"):
        classifier(early_stopping=True).fit(X, [0, 1, 2, 3])
    assert classifier().fit(X, [0, 1, 2, 3]).score(X, [0, 1, 2, 3]) == 1.0


# ---- more passes -------------------------------------------------------------------------------


@over_kinds
def test_partial_fit_learns_over_several_passes(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, learning_rate=0.02), X, y)
    first = model.score(X, y)
    assert model.n_iter_ == 1
    edges = model.net_.module_.tokens.numbers.edges.clone()
    for _ in range(40):
        model.partial_fit(5 * X[:30], y[:30]).partial_fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 81
    assert torch.equal(model.net_.module_.tokens.numbers.edges, edges)
    assert model.score(X, y) > max(first, 0.8)


def test_partial_fit_may_see_a_class_later():
    X, y = data_for(CLASSIFIER, n_tasks=1)
    model = classifier().partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (60, 3)
    model.partial_fit(X, y)
    tasks = classifier().partial_fit(X, np.column_stack([y, y]), classes=[[0, 1], [0, 1, 2]])
    assert [own.tolist() for own in tasks.classes_] == [[0, 1], [0, 1, 2]]


@pytest.mark.parametrize(
    ("missing_label", "classes", "expected"),
    [
        (None, [0.0, 1.0, np.nan], [0, 1]),
        (None, ["a", None, "b"], ["a", "b"]),
        (-1, [-1, 0, 1], [0, 1]),
    ],
)
def test_a_missing_label_among_the_classes_is_no_class(missing_label, classes, expected):
    X = numbers(60)
    y = np.array(classes, dtype=object)[np.arange(60) % 3]
    model = classifier(missing_label=missing_label).partial_fit(X, y, classes=classes)
    assert model.classes_.tolist() == expected
    assert model.predict_proba(X).shape == (60, 2)


def test_later_classes_must_be_those_of_the_first_call():
    X, y = data_for(CLASSIFIER)
    classes = np.array([[0, 1], [0, 1]])  # one row per task
    model = classifier().partial_fit(X, y, classes=classes).partial_fit(X, y, classes=classes)
    with pytest.raises(
        ValueError, match=r"classes=\[0, 1, 2\] is not the same as on the first call"
    ):
        model.partial_fit(X, y, classes=[[0, 1], [0, 1, 2]])
    with pytest.raises(ValueError, match="classes must have one entry per task, 2; got 1"):
        model.partial_fit(X, y, classes=[0, 1])


@over_kinds
def test_partial_fit_goes_on_after_fit(kind):
    X, y = data_for(kind)
    model = small(kind).fit(X, y)
    n_passes, before = model.n_iter_, outputs(model, X)
    model.partial_fit(X, y)
    assert model.n_iter_ == n_passes + 1
    assert (outputs(model, X) != before).any()


@over_kinds
def test_warm_start_goes_on_and_a_cold_start_does_not(kind):
    X, y = data_for(kind)
    model = small(kind, warm_start=True).fit(X, y)
    n_passes, loss = model.n_iter_, model.loss_curve_[-1]
    model.fit(X, y)
    assert model.n_iter_ == 2 * n_passes
    assert model.loss_curve_[n_passes] < model.loss_curve_[0]
    assert model.loss_curve_[-1] < loss
    model.set_params(warm_start=False).fit(X, y)
    assert model.n_iter_ == n_passes
    assert_same_outputs(model, small(kind).fit(X, y), X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_layer_sizes", (8, 8)), ("attention", "double"), ("categorical_features", [0])],
)
def test_what_the_network_is_built_from_cannot_change_later(method, name, value):
    X, y = data_for(CLASSIFIER)
    model = one_pass(classifier(warm_start=True), X, y)
    model.set_params(**{name: value})
    match = f"was fitted with {name}=.*which is now {re.escape(repr(value))}.*start anew"
    with pytest.raises(ValueError, match=match):
        getattr(model, method)(X, y)
    model.set_params(warm_start=False).fit(X, y)


def test_values_that_mean_the_same_are_no_change():
    X, y = data_for(CLASSIFIER)
    model = one_pass(classifier(warm_start=True, embedding_dim=8), X, y)
    model.set_params(hidden_layer_sizes=[16, np.int64(16)], embedding_dim=np.int64(8)).fit(X, y)


def test_warm_starts_hold_out_rows_that_were_not_trained_on():
    X, y = data_for(CLASSIFIER, 600)
    model = classifier(early_stopping=True, max_epochs=3, warm_start=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_ == 3


def test_a_first_partial_fit_of_few_rows_builds_for_many():
    X, y = data_for(CLASSIFIER, n_tasks=1)
    few = CLASSIFIER(hidden_layer_sizes=8).partial_fit(X, y, classes=[0, 1])
    assert few.net_.batch_size == 60
    assert few.net_.module_.reading.query.dtype == torch.float32


# ---- weights -----------------------------------------------------------------------------------


@over_kinds
def test_weight_of_two_is_a_row_given_twice_and_zero_is_none(kind):
    X, y = data_for(kind)
    weight = np.arange(60) % 3
    weighted = small(kind).fit(X, y, sample_weight=weight)
    repeated = small(kind).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0))
    assert_same_outputs(weighted, repeated, X, rtol=1e-7)
    assert_allclose(weighted.attention_weights_, repeated.attention_weights_, rtol=1e-7)


@pytest.mark.slow
@over_kinds
def test_weight_of_two_is_a_row_given_twice_at_the_defaults(kind):
    X, y = data_for(kind, 150)
    weight = np.random.default_rng(0).integers(0, 4, size=150)
    order = np.random.default_rng(1).permutation(weight.sum())
    weighted = kind(random_state=0).fit(X, y, sample_weight=weight)
    rows = np.repeat(np.arange(150), weight)[order]
    repeated = kind(random_state=0).fit(X[rows], y[rows])
    assert weighted.n_iter_ == repeated.n_iter_ > 45
    assert_same_outputs(weighted, repeated, X, rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@over_kinds
def test_scale_of_the_weights_does_not_matter(kind, scale):
    X, y = data_for(kind)
    weight = 1.0 + np.arange(60) % 3
    models = [small(kind).fit(X, y, sample_weight=w) for w in (weight, scale * weight)]
    assert_same_outputs(*models, X, rtol=1e-7)


def test_class_weight_equals_sample_weight():
    X, y = data_for(CLASSIFIER, n_tasks=1)
    by_class = classifier(class_weight={0: 1.0, 1: 5.0}, numeric_embedding="periodic").fit(X, y)
    uniform = classifier(class_weight={0: 3.0, 1: 3.0}, numeric_embedding="periodic").fit(X, y)
    plain = classifier(numeric_embedding="periodic").fit(X, y)
    assert_same_outputs(uniform, plain, X, rtol=1e-7)
    assert by_class.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()


def test_balanced_classes_weigh_by_the_inverse_of_their_share():
    X = np.zeros((60, 1))
    y = np.arange(60) % 4 == 0
    plain = classifier(max_epochs=300, learning_rate=0.02).fit(X, y)
    balanced = classifier(max_epochs=300, learning_rate=0.02, class_weight="balanced").fit(X, y)
    assert_allclose(plain.predict_proba(X[:1])[0, 1], 0.25, atol=0.02)
    assert_allclose(balanced.predict_proba(X[:1])[0, 1], 0.5, atol=0.02)


def test_tasks_may_have_class_weights_of_their_own():
    X = np.zeros((60, 1))
    y = np.column_stack([np.arange(60) % 4 == 0] * 3).astype(int)
    model = classifier(
        max_epochs=300, learning_rate=0.02, class_weight=["balanced", {0: 1, 1: 9}, None]
    ).fit(X, y)
    shares = [probability[0, 1] for probability in model.predict_proba(X[:1])]
    assert_allclose(shares, [0.5, 0.75, 0.25], atol=0.03)


# ---- optimisers and callbacks ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "built"),
    [
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        (torch.optim.RAdam, torch.optim.RAdam),
        (partial(torch.optim.SGD, momentum=0.5), torch.optim.SGD),
        (partial(torch.optim.AdamW, amsgrad=True), torch.optim.AdamW),
    ],
    ids=["adamw", "sgd", "RAdam", "partial SGD", "partial AdamW"],
)
def test_any_optimizer_learns(optimizer, built):
    X, y = data_for(CLASSIFIER)
    model = classifier(optimizer=optimizer, learning_rate=0.02, max_epochs=200).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert type(model.net_.optimizer_) is built
    if isinstance(optimizer, partial):
        assert optimizer.keywords.items() <= model.net_.optimizer_.defaults.items()


def test_gradients_are_clipped_only_if_asked():
    X, y = data_for(CLASSIFIER)
    clipped = one_pass(classifier(optimizer="sgd", max_grad_norm=1e-9), X, y)
    free = one_pass(classifier(optimizer="sgd", max_grad_norm=None), X, y)
    assert (outputs(clipped, X) != outputs(free, X)).any()


class Count(Callback):
    """Counts the passes it saw."""

    n_passes = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_passes += 1


@over_kinds
def test_callbacks_of_the_user_take_part_and_stay_as_they_were(kind, tmp_path):
    X, y = data_for(kind, n_tasks=1)
    count, checkpoint = Count(), Checkpoint(dirname=tmp_path, monitor="train_loss_best")
    scoring = EpochScoring("r2" if kind is REGRESSOR else "accuracy", name="own_score")
    scheduler = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=10, gamma=0.5)
    callbacks = [("count", count), checkpoint, scoring, scheduler]
    model = small(kind, callbacks=callbacks).fit(X, y, X_val=X, y_val=y)
    assert model.callbacks is callbacks
    assert count.n_passes == 0
    assert len(model.net_.history[:, "own_score"]) == model.n_iter_
    assert model.net_.history[-1, "own_score"] > 0.5
    rates = model.net_.history[:, "event_lr"]
    assert rates[0] == pytest.approx(0.004)
    assert rates[-1] < 1e-5
    assert (tmp_path / "params.pt").exists()


def test_early_stopping_of_the_user_stops():
    X, y = data_for(CLASSIFIER)
    stopping = EarlyStopping(monitor="train_loss", patience=3, threshold=10.0, threshold_mode="abs")
    model = classifier(callbacks=[stopping]).fit(X, y)
    assert model.n_iter_ == 4
    model.predict(X)


def test_tensorboard_is_given_the_loss_of_each_task(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    tensorboard = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    class Board(TensorBoard):
        """Opens its writer with the training: a writer cannot be copied."""

        def __init__(self):
            super().__init__(writer=None)

        def on_train_begin(self, net, **kwargs):
            self.writer = SummaryWriter(tmp_path)
            super().on_train_begin(net, **kwargs)

    X, y = data_for(CLASSIFIER)
    model = classifier(callbacks=[Board()]).fit(X, y, X_val=X, y_val=y)
    board = tensorboard.EventAccumulator(str(tmp_path))
    board.Reload()
    tags = board.Tags()["scalars"]
    expected = ["Loss/train_loss_y0", "Loss/train_loss_y1", "Loss/valid_loss_y0"]
    assert set(expected) <= set(tags)
    assert len(board.Scalars("Loss/train_loss_y0")) == model.n_iter_
