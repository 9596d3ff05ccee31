"""Whatever y comes as, and the shapes and types of what comes back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score

from tests._estimators import (
    assert_same_outputs,
    classifier,
    data_for,
    labels_for,
    numbers,
    one_pass,
    outputs,
    over_kinds,
    regressor,
    small,
)

X = numbers()
POSITIVE = X[:, 0] > 0
SECOND = X[:, 1] > 0


def with_gaps(y, every=4):
    """A float copy of y whose labels are missing at other rows for each task."""
    y = np.array(y, dtype=float)
    for task in range(y.shape[1] if y.ndim == 2 else 1):
        (y if y.ndim == 1 else y[:, task])[task::every] = np.nan
    return y


# ---- shapes and types --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [("no", "yes"), (0, 1), (-1, 1), (False, True), (2.0, 5.0), (np.uint8(3), np.uint8(9))],
    ids=["strings", "codes", "signs", "booleans", "floats", "uint8"],
)
def test_classes_of_one_task_keep_their_type(labels):
    y = np.where(POSITIVE, labels[1], labels[0])
    model = classifier().fit(X, y)
    assert model.classes_.dtype == y.dtype
    assert model.classes_.tolist() == [labels[0], labels[1]]
    assert model.predict(X).dtype == y.dtype
    assert model.predict(X).shape == (60,)
    assert_array_equal(model.predict(X), y)
    assert model.predict_proba(X).shape == (60, 2)
    assert model.decision_function(X).shape == (60,)


def test_list_of_labels_equals_an_array():
    y = np.where(POSITIVE, "yes", "no")
    model = one_pass(classifier(), X, y.tolist())
    assert_same_outputs(model, one_pass(classifier(), X, y), X)
    objects = classifier().partial_fit(X, y.astype(object), classes=["no", "yes"])
    assert_same_outputs(model, objects, X)


def test_three_classes_have_a_decision_column_each():
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    model = classifier().fit(X, y)
    assert model.decision_function(X).shape == (60, 3)
    assert_array_equal(model.decision_function(X).argmax(axis=1), model.predict(X))


def test_probabilities_agree_with_predictions_and_logarithms():
    y = np.column_stack([POSITIVE, np.digitize(X[:, 1], [-0.5, 0.5])])
    model = classifier().fit(X, y)
    pairs = zip(model.predict_proba(X), model.predict_log_proba(X), strict=True)
    for task, (probabilities, logarithms) in enumerate(pairs):
        assert probabilities.dtype == np.float64
        assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
        assert_allclose(np.log(probabilities), logarithms)
        assert_array_equal(model.classes_[task][probabilities.argmax(1)], model.predict(X)[:, task])


def test_decision_of_two_classes_is_the_log_odds():
    model = one_pass(classifier(), X, POSITIVE)
    probability = model.predict_proba(X)[:, 1]
    assert_allclose(model.decision_function(X), np.log(probability / (1 - probability)))


def test_several_tasks_have_their_own_classes():
    y = np.column_stack([POSITIVE, np.digitize(X[:, 1], [-0.5, 0.5])])
    model = classifier().fit(X, y)
    assert isinstance(model.classes_, list)
    assert [own.tolist() for own in model.classes_] == [[0, 1], [0, 1, 2]]
    assert [own.shape for own in model.predict_proba(X)] == [(60, 2), (60, 3)]
    assert model.predict(X).shape == (60, 2)
    assert model.predict(X).dtype == y.dtype
    assert not hasattr(model, "decision_function")
    assert_array_equal(model.predict(X), y)


def test_tasks_of_different_types_share_an_array_of_objects():
    y = pd.DataFrame({"grade": np.where(POSITIVE, "a", "b"), "passed": SECOND, "level": SECOND + 3})
    model = classifier().fit(X, y)
    assert [own.dtype.kind for own in model.classes_] == ["O", "b", "i"]
    predicted = model.predict(X)
    assert predicted.dtype == object
    assert_array_equal(predicted, y.to_numpy(object))


def test_rows_mixing_strings_and_integers_are_two_tasks():
    y = [
        ["yes" if first else "no", int(second)]
        for first, second in zip(POSITIVE, SECOND, strict=True)
    ]
    model = classifier().fit(X, y)
    assert [own.tolist() for own in model.classes_] == [["no", "yes"], [0, 1]]
    assert model.predict(X).tolist() == y


def test_numbers_have_the_shape_of_y():
    y = labels_for(type(regressor()), X)
    one = regressor(max_epochs=200).fit(X, y[:, 0])
    assert one.predict(X).shape == (60,)
    assert one.predict(X).dtype == np.float64
    two = regressor(max_epochs=200).fit(X, y)
    assert two.predict(X).shape == (60, 2)
    assert min(one.score(X, y[:, 0]), two.score(X, y)) > 0.95
    assert not hasattr(two, "predict_proba")
    assert not hasattr(two, "decision_function")
    assert not hasattr(two, "classes_")


def test_integer_numbers_are_a_regression():
    y = np.arange(60)
    model = regressor(max_epochs=200).fit(y[:, None], y)
    assert model.score(y[:, None], y) > 0.95


def test_constant_numbers_are_predicted():
    assert_allclose(regressor().fit(X, np.full(60, 12.5)).predict(X), 12.5, atol=0.2)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_of_the_numbers_does_not_matter(scale):
    y = X[:, 0]
    scaled = one_pass(regressor(), X, scale * y)
    assert_allclose(scaled.predict(X), scale * one_pass(regressor(), X, y).predict(X), rtol=1e-6)


def test_column_vector_is_a_vector_with_a_warning():
    from sklearn.exceptions import DataConversionWarning

    with pytest.warns(DataConversionWarning, match="column-vector") as caught:
        model = classifier().fit(X, POSITIVE[:, None])
    assert caught[0].filename == __file__
    assert model.predict(X).shape == (60,)


# ---- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
@over_kinds
def test_columns_of_a_frame_name_the_tasks(kind, library):
    y = labels_for(kind, X)
    frame = library.DataFrame({"late": y[:, 0], "lost": y[:, 1]})
    model = small(kind).fit(X, frame)
    assert model.task_names_ == ["late", "lost"]
    assert model.get_feature_names_out()[0] == "late_0"
    assert_same_outputs(model, small(kind).fit(X, y), X)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_named_series_names_the_task(library):
    y = POSITIVE.astype(int)
    series = pd.Series(y, name="late") if library is pd else pl.Series("late", y)
    model = classifier().fit(X, series)
    assert model.task_names_ == ["late"]
    assert model.predict(X).shape == (60,)


@pytest.mark.parametrize(("n_tasks", "names"), [(1, ["y"]), (2, ["y0", "y1"])])
@over_kinds
def test_tasks_without_names_are_counted(kind, n_tasks, names):
    X, y = data_for(kind, n_tasks=n_tasks)
    assert one_pass(small(kind), X, y).task_names_ == names


# ---- missing labels ----------------------------------------------------------------------------


MISSING = {
    "NaN": lambda y: y,
    "None": lambda y: np.where(np.isnan(y), None, y),
    "pd.NA": lambda y: pd.DataFrame(y).astype("Int64"),
    "polars null": lambda y: pl.DataFrame(y, schema=["y0", "y1"]).fill_nan(None).cast(pl.Int64),
    "list": lambda y: [[None if np.isnan(label) else int(label) for label in row] for row in y],
}


@pytest.mark.parametrize("convert", MISSING.values(), ids=MISSING.keys())
def test_missing_labels_of_every_kind_are_the_same(convert):
    y = with_gaps(np.column_stack([POSITIVE, SECOND]))
    expected = classifier(missing_label=-1).fit(X, np.nan_to_num(y, nan=-1).astype(int))
    model = classifier().fit(X, convert(y))
    assert [own.tolist() for own in model.classes_] == [[0, 1], [0, 1]]
    assert all(own.dtype.kind == "i" for own in model.classes_)
    assert_same_outputs(model, expected, X)


@over_kinds
def test_one_task_may_have_missing_labels(kind):
    X, y = data_for(kind, n_tasks=1)
    gaps = with_gaps(y)
    model = small(kind, max_epochs=200).fit(X, gaps)
    assert model.score(X, gaps) > 0.95
    seen = ~np.isnan(gaps)
    assert model.score(X, gaps) == pytest.approx(model.score(X[seen], y[seen]))


def test_missing_label_may_be_a_string():
    y = np.where(np.arange(60) % 4 == 0, "?", np.where(POSITIVE, "yes", "no"))
    model = classifier(missing_label="?").fit(X, y)
    assert model.classes_.tolist() == ["no", "yes"]


def test_minus_one_is_a_class_unless_said_otherwise():
    y = np.where(POSITIVE, 1, -1)
    assert classifier().fit(X, y).classes_.tolist() == [-1, 1]


def test_strings_may_be_missing():
    y = np.where(POSITIVE, "yes", "no").astype(object)
    y[::5] = None
    for labels in (y, pd.Series(y), pd.Series(y, dtype="category")):
        model = classifier().fit(X, labels)
        assert model.classes_.tolist() == ["no", "yes"]


@over_kinds
def test_rows_without_any_label_may_stay(kind):
    X, y = data_for(kind)
    y = y.astype(float)
    y[::3] = np.nan
    assert np.isfinite(outputs(small(kind).fit(X, y), X)).all()


@over_kinds
def test_value_behind_a_mask_changes_nothing(kind):
    X, y = data_for(kind)
    hidden = np.zeros(y.shape, dtype=bool)
    hidden[::4, 0] = hidden[1::3, 1] = True
    rng = np.random.default_rng(3)
    models = []
    for _ in range(2):
        behind = rng.integers(0, 2, y.shape) if y.dtype.kind == "i" else rng.normal(size=y.shape)
        labels = np.ma.masked_array(np.where(hidden, behind, y), hidden)
        models.append(small(kind).fit(X, labels))
    assert_same_outputs(*models, X)


@over_kinds
def test_rows_with_missing_labels_and_weight_zero_are_as_good_as_absent(kind):
    X, y = data_for(kind)
    y = with_gaps(y, every=5)
    whole = ~np.isnan(y).any(axis=1)
    weighted = small(kind).fit(X, y, sample_weight=whole.astype(float))
    assert_same_outputs(weighted, small(kind).fit(X[whole], y[whole]), X, rtol=1e-7)


@over_kinds
def test_tasks_weigh_alike_however_many_labels_they_have(kind):
    X, y = data_for(kind)
    doubled = np.vstack([y, np.column_stack([y[:, 0].astype(float), np.full(60, np.nan)])])
    # the labels of the first task twice, those of the second once: the losses stay the same
    model, same = small(kind, batch_size=120), small(kind, batch_size=120)
    model.fit(np.vstack([X, X]), doubled)
    assert_same_outputs(model, same.fit(X, y), X, rtol=1e-6, atol=1e-9)


# ---- score -------------------------------------------------------------------------------------


def test_accuracy_is_the_mean_over_tasks_of_observed_labels():
    y = with_gaps(np.column_stack([POSITIVE, SECOND]))
    model = one_pass(classifier(), X, np.column_stack([POSITIVE, SECOND]).astype(int))
    weight = np.arange(60.0)
    seen = ~np.isnan(y)
    expected = np.mean(
        [
            accuracy_score(
                y[seen[:, task], task],
                model.predict(X)[seen[:, task], task],
                sample_weight=weight[seen[:, task]],
            )
            for task in range(2)
        ]
    )
    assert model.score(X, y, sample_weight=weight) == pytest.approx(expected)


def test_r2_is_the_mean_over_tasks_of_observed_labels():
    complete = labels_for(type(regressor()), X)
    model = one_pass(regressor(), X, complete)
    y = with_gaps(complete)
    seen = ~np.isnan(y)
    expected = [r2_score(y[s, t], model.predict(X)[s, t]) for t, s in enumerate(seen.T)]
    assert model.score(X, y) == pytest.approx(np.mean(expected))


def test_score_leaves_missing_labels_out():
    model = classifier(missing_label=-1).fit(X, POSITIVE.astype(int))
    labels = np.r_[model.predict(X)[:2], np.full(58, -1)]
    assert model.score(X, labels) == 1.0
    labels[1] = 1 - labels[1]
    assert model.score(X, labels) == 0.5


def test_class_weights_do_not_make_a_task_count_for_more():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = np.column_stack([rng.random(400) < 0.05, rng.random(400) < 0.5]).astype(int)
    weighted = classifier(class_weight=["balanced", None]).fit(X, y)
    assert_allclose(weighted._target_encoder.null_loss_, [np.log(2), np.log(2)], rtol=0.03)
    plain = classifier().fit(X, y)
    assert plain._target_encoder.null_loss_[0] < 0.3


def test_tasks_in_another_order_are_refused():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = pd.DataFrame({"p": rng.integers(0, 2, 60), "q": rng.integers(0, 2, 60)})
    model = classifier().fit(X, y)
    swapped = y[["q", "p"]]
    for use in (model.score, model.partial_fit):
        with pytest.raises(ValueError, match=r"y has the tasks \['q', 'p'\].*\['p', 'q'\]"):
            use(X, swapped)
    assert model.score(X, y.to_numpy()) == model.score(X, y)  # without names, order is trusted
