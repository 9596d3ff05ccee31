"""Bad input gets one clear sentence, and changes nothing."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import (
    Interval,
    generate_invalid_param_val,
    make_constraint,
)
from skorch.callbacks import Callback

from tests._estimators import (
    KINDS,
    classifier,
    data_for,
    one_pass,
    outputs,
    over_kinds,
    regressor,
    small,
)

X, Y = data_for(KINDS[0])
Y_ONE = Y[:, 0]
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"])
INFINITE = np.where(np.arange(240).reshape(60, 4) == 6, np.inf, X)


def refuses(model, X, y, match, error=ValueError, **fit_params):
    """Fitting raises, and leaves neither an unfitted estimator fitted nor a fitted one changed."""
    with pytest.raises(error, match=match):
        model.fit(X, y, **fit_params)
    assert not [name for name in vars(model) if name.endswith("_")]


# ---- X -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.empty((0, 4)), r"0 sample\(s\) \(shape=\(0, 4\)\)"),
        (np.empty((60, 0)), r"0 feature\(s\) \(shape=\(60, 0\)\)"),
        (FRAME.iloc[:0], r"shape \(0, 4\).*at least one row"),
        (FRAME[[]], r"shape \(60, 0\).*at least one row and one column"),
        (pl.DataFrame(), r"shape \(0, 0\).*at least one row"),
        (X[:, 0], "Expected 2D array, got 1D"),
        (X.reshape(60, 1, 2, 2), "dim 4|4D|dimension"),
        (3.0, "Expected 2D array, got scalar"),
        (INFINITE, "X contains infinity.*'x2' is inf in row 1"),
        (pd.DataFrame(INFINITE, columns=list("abcd")), "X contains infinity.*'c' is inf in row 1"),
        (pl.DataFrame(-INFINITE, schema=list("abcd")), "X contains infinity.*'c' is -inf in row 1"),
        (X + 1j, "Complex data not supported"),
        (FRAME.assign(b=X[:, 1] + 1j), "Complex data not supported: feature 'b' holds"),
        (
            X.astype(str),
            "X is an array that holds text, of dtype <U.*text_features or, .* categorical_features",
        ),
        (np.where(X > 9, X, [[1, "x", dt.date(2024, 5, 6), 2]]), "Feature 'x1' .* found 'x'"),
        ([[1.0, "x"], [2.0, 3.0]] * 30, "Feature 'x1' is read as numbers, found 'x'"),
        (np.where(X > 2, "many", X.astype(object)), "many"),
        (FRAME.rename(columns={"b": 3}), "feature names.*str|mixed"),
        (FRAME.rename(columns={"b": "a"}), "unique|[dD]uplicate"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else type(value).__name__,
)
@over_kinds
def test_bad_features_are_refused(kind, bad, match):
    y = np.arange(60) % 2
    y = y[: len(bad)] if hasattr(bad, "__len__") and len(bad) else y
    error = (TypeError, ValueError) if "str" in match else ValueError
    refuses(small(kind), bad, y, match, error=error)


@over_kinds
def test_sparse_rows_for_a_dense_table_are_refused(kind):
    model = one_pass(small(kind), X, Y_ONE)
    with pytest.raises(TypeError, match=r"X is a sparse matrix, but .* dense .*X.toarray\(\)"):
        model.predict(csr_array(X))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@over_kinds
def test_sparse_features_that_are_no_numbers_are_refused(kind, bad):
    refuses(small(kind), csr_array(np.where(X > 2, bad, X)), Y_ONE, "contains (NaN|infinity)")


@pytest.mark.parametrize("parameter", ["categorical_features", "text_features"])
def test_columns_of_a_sparse_matrix_are_numbers_alone(parameter):
    model = classifier(**{parameter: [0]})
    refuses(model, csr_array(X), Y_ONE, f"{parameter} names columns, but X is sparse")


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        (["d"], "text_features names 'd', which is not a feature of X; the features are"),
        ([4], "text_features must hold positions from 0 to 1; got 4"),
        ([True], "text_features as a mask must have one entry per feature"),
        (["t"], "Feature 't' is named in both categorical_features and text_features"),
        (["n"], "Feature 'n' is read as text, found 0.5 of type float"),
    ],
)
def test_impossible_texts_are_refused(chosen, match):
    frame = pd.DataFrame({"t": ["good", None] * 30, "n": 0.5})
    categories = ["t"] if "both" in match else "from_dtype"
    refuses(classifier(text_features=chosen, categorical_features=categories), frame, Y_ONE, match)


def test_only_two_levels_of_attention_are_known():
    model = one_pass(classifier(), X, Y_ONE)
    with pytest.raises(ValueError, match='level must be "feature" or "token"; got \'word\''):
        model.attend(X, level="word")


@over_kinds
def test_lazy_features_are_refused(kind):
    lazy = pl.DataFrame(X, schema=list("abcd")).lazy()
    refuses(small(kind), lazy, Y_ONE, r"X is a lazy data frame .*pass X.collect\(\)", TypeError)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.drop(columns="b"), r"missing[\s\S]*- b"),
        (lambda frame: frame.assign(extra=1.0), r"unseen at fit time[\s\S]*- extra"),
        (lambda frame: frame[frame.columns[::-1]], "same order"),
        (lambda frame: frame.rename(columns={"b": "e"}), r"- e[\s\S]*- b"),
        (lambda frame: frame.assign(a="text"), "'a' is read as numbers, found 'text'"),
        (lambda frame: frame.assign(a=pd.Timestamp(0)), "'a' is read as numbers, found"),
        (lambda frame: frame.assign(when=3.0), "'when' held datetimes in fit, found 3.0"),
        (
            lambda frame: frame.assign(when=frame["when"].dt.tz_localize("UTC")),
            "'when' held datetimes without a time zone in fit, found .* in the time zone UTC",
        ),
        (lambda frame: frame.assign(c=np.inf), "'c' is inf in row 0"),
        (lambda frame: frame.iloc[:0], "at least one row"),
    ],
)
@over_kinds
def test_rows_unlike_those_of_fit_are_refused(kind, change, match):
    frame = FRAME.assign(when=pd.date_range("2024", periods=60))
    model = one_pass(small(kind), frame, Y)
    expected = outputs(model, frame)
    for method in (model.predict, model.transform, model.attend):
        with pytest.raises(ValueError, match=match):
            method(change(frame))
    assert (outputs(model, frame) == expected).all()


@pytest.mark.parametrize("frame", [FRAME.assign(a="text"), pl.DataFrame(X, schema=list("abcd"))])
def test_column_that_was_a_category_may_not_hold_lists(frame):
    model = one_pass(classifier(), FRAME.assign(a="text"), Y_ONE)
    assert model.predict(frame).shape == (60,)
    with pytest.raises(ValueError, match=r"'a' is read as categories, found .*hashable"):
        model.predict(FRAME.assign(a=[[1, 2]] * 60))


# ---- y -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (None, "requires y to be passed"),
        (np.arange(61) % 2, r"inconsistent numbers of samples: \[60, 61\]"),
        (np.zeros((60, 2, 2)), "y must have the shape .* 3 dimensions"),
        (np.zeros((60, 0)), "no columns"),
        (np.column_stack([Y_ONE, np.full(60, np.nan)]), "Task 'y1' of y has no observed label"),
        (pd.DataFrame({"u": Y_ONE, "v": None}), "Task 'v' of y has no observed label"),
        (np.full(60, np.nan), "Task 'y' of y has no observed label"),
        (Y_ONE + 1j, "Complex data not supported"),
        (csr_array(Y), "Sparse"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else type(value).__name__,
)
@over_kinds
def test_bad_labels_are_refused(kind, bad, match):
    refuses(small(kind), X, bad, match, error=(ValueError, TypeError))


def test_numbers_are_no_classes():
    refuses(classifier(), X, X[:, 0], "continuous")
    refuses(classifier(), X, np.column_stack([Y_ONE, X[:, 0]]), "continuous")


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_numbers_are_refused(bad):
    y = np.where(np.arange(60) == 3, bad, X[:, 0])
    refuses(regressor(), X, y, "y contains infinity.*'y'")


def test_words_are_no_numbers():
    refuses(regressor(), X, np.where(Y_ONE, "a", "b"), "Task 'y' of y must hold numbers")


def test_missing_label_may_not_be_all_there_is():
    refuses(classifier(missing_label=-1), X, np.full(60, -1), "no observed label")


# ---- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.zeros(60), "at least one.*(non-zero|positive)"),
        (np.r_[-1.0, np.ones(59)], "[Nn]egative"),
        (np.r_[np.nan, np.ones(59)], "NaN"),
        (np.r_[np.inf, np.ones(59)], "infinity"),
        (np.ones(59), r"sample_weight.shape == \(59,\)"),
        (np.ones((60, 2)), "1D"),
    ],
    ids=["zero", "negative", "NaN", "infinite", "short", "2-D"],
)
@over_kinds
def test_bad_weights_are_refused(kind, weight, match):
    refuses(small(kind), X, Y, match, sample_weight=weight)


@pytest.mark.parametrize(
    ("class_weight", "match"),
    [
        (["balanced"], "class_weight must have one entry per task, 2; got 1"),
        ([None] * 3, "class_weight must have one entry per task, 2; got 3"),
        ("heavy", "'class_weight' parameter .* must be"),
        ({7: 2.0}, "class_weight.*7"),
        ({0: -1.0}, "class_weight.*-1"),
        ({0: "a"}, "class_weight must be a number.*'a' for 0"),
        ({0: None}, "class_weight must be a number.*None for 0"),
        ({0: 0, 1: 0}, "class_weight is zero for every class"),
        (["balanced", "heavy"], "class_weight.*heavy"),
    ],
)
def test_bad_class_weights_are_refused(class_weight, match):
    refuses(classifier(class_weight=class_weight), X, Y, match)


# ---- parameters --------------------------------------------------------------------------------


def bad_values():
    """Each parameter with values that break each of its rules."""
    constraints = KINDS[0]._parameter_constraints
    for name, rules in constraints.items():
        if rules == "no_validation":
            continue
        bad = [object()]
        for rule in map(make_constraint, rules):
            if isinstance(rule, Interval) or not hasattr(rule, "_constraints"):
                try:
                    bad.append(generate_invalid_param_val(rule))
                except NotImplementedError:
                    continue
        for value in bad:
            if not any(make_constraint(rule).is_satisfied_by(value) for rule in rules):
                yield pytest.param(name, value, id=f"{name}-{type(value).__name__}")


@pytest.mark.parametrize(("name", "value"), list(bad_values()))
def test_parameter_out_of_its_range_is_named(name, value):
    match = f"The {name!r} parameter of MultiTaskAttentionClassifier must be"
    refuses(classifier(**{name: value}), X, Y_ONE, match)
    with pytest.raises(ValueError, match=match):
        classifier(**{name: value}).partial_fit(X, Y_ONE, classes=[0, 1])


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"attention": "none"}, "'attention' parameter .*'cross'.*Got 'none'"),
        ({"embedding_dim": 6, "n_heads": 4}, "embedding_dim=6 and n_heads=4"),
        ({"device": "toaster"}, "device='toaster' cannot be used"),
        ({"device": 3.5}, "device must be a str"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8.5,)}, "hidden_layer_sizes"),
        ({"early_stopping": True, "validation_fraction": 1e-9}, "validation_fraction=1e-09"),
        ({"categorical_features": [4]}, "positions from 0 to 3; got 4"),
        ({"categorical_features": [-1]}, "positions from 0 to 3; got -1"),
        ({"categorical_features": [True]}, r"one entry per feature, \(4,\); got shape \(1,\)"),
        ({"categorical_features": ["e"]}, "'e', which is not a feature of X"),
        ({"categorical_features": [0.5]}, "categorical_features"),
        ({"categorical_features": {0}}, "must be a plain list of names.*; got {0}"),
        ({"categorical_features": [[0]]}, r"must be a plain list of names.*; got \[\[0\]\]"),
    ],
    ids=lambda value: str(value)[:40],
)
@over_kinds
def test_impossible_parameter_is_refused(kind, parameters, match):
    refuses(small(kind, **parameters), FRAME, Y, match)


# ---- validation data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validation", "match"),
    [
        ({"X_val": X}, "y_val is None"),
        ({"y_val": Y}, "X_val"),
        ({"sample_weight_val": np.ones(60)}, "X_val"),
        ({"X_val": X, "y_val": Y_ONE}, "y_val has 1 task"),
        ({"X_val": X, "y_val": Y[:7]}, "inconsistent numbers of samples"),
        ({"X_val": X[:, :2], "y_val": Y}, "X has 2 features"),
        (
            {"X_val": X, "y_val": Y, "sample_weight_val": np.zeros(60)},
            "at least one.*(non-zero|positive)",
        ),
        ({"X_val": X, "y_val": np.full(Y.shape, np.nan)}, "y_val has no observed label"),
        ({"X_val": X[:0], "y_val": Y[:0]}, r"0 sample\(s\)"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
@over_kinds
def test_bad_validation_data_are_refused(kind, validation, match):
    refuses(small(kind), X, Y, match, **validation)


def test_validation_label_outside_the_classes_is_refused():
    match = "In X_val, y_val.*Task 'y1' of y.* has the label 2"
    refuses(classifier(), X, Y, match, X_val=X, y_val=Y + np.array([0, 1]))


def test_a_warm_start_without_any_label_is_refused():
    model = classifier(warm_start=True).fit(X, Y)
    before = model.predict_proba(X)[0]
    with pytest.raises(ValueError, match="y has no observed label"):
        model.fit(X, np.full(Y.shape, np.nan))
    assert (model.predict_proba(X)[0] == before).all()


# ---- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing_label", [[-1, -2], (0,), np.array([-1])])
def test_several_missing_labels_are_refused(missing_label):
    refuses(
        classifier(missing_label=missing_label), X, Y, "missing_label must be a single label, got"
    )


@pytest.mark.parametrize("entry", [5, "early_stopping", ("name", 5), (Callback(), "name")])
@over_kinds
def test_what_is_no_callback_is_refused(kind, entry):
    refuses(small(kind, callbacks=[entry]), X, Y, "callbacks must hold skorch callbacks.*got")


def test_an_optimizer_without_parameter_groups_is_refused():
    refuses(
        classifier(optimizer=torch.optim.LBFGS), X, Y, "optimizer must take.*LBFGS.* says: LBFGS"
    )


# ---- nothing changes ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_unfitted_estimator_says_so(kind):
    model = small(kind)
    for method in (model.predict, model.transform, model.attend, model.get_feature_names_out):
        with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted"):
            method(X)
    with pytest.raises(NotFittedError):
        model.score(X, Y)


BAD_DATA = {
    "infinite": (INFINITE, Y),
    "short y": (X, Y[:7]),
    "missing y": (X, np.full((60, 2), np.nan)),
    "sparse without numbers": (csr_array(INFINITE), Y),
    "no y": (X, None),
}
# Only where a fit goes on from another.
UNLIKE_BEFORE = {"narrow": (X[:, :2], Y), "one task": (X, Y_ONE)}


@pytest.mark.parametrize(
    ("method", "bad"),
    [("cold fit", bad) for bad in BAD_DATA]
    + [
        (method, bad)
        for method in ("warm fit", "partial_fit")
        for bad in (BAD_DATA | UNLIKE_BEFORE)
        if bad != "missing y"
    ],
)
@over_kinds
def test_bad_input_never_changes_a_fitted_estimator(kind, method, bad):
    model = one_pass(small(kind, warm_start=method == "warm fit"), X, Y)
    before, expected = dict(vars(model)), outputs(model, X)
    learn = model.partial_fit if method == "partial_fit" else model.fit
    with pytest.raises((ValueError, TypeError)):
        learn(*(BAD_DATA | UNLIKE_BEFORE)[bad])
    assert vars(model) == before
    assert (outputs(model, X) == expected).all()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_new_class_is_named(method):
    model = one_pass(classifier(warm_start=True), X, Y)
    with pytest.raises(ValueError, match=re.escape("Task 'y1' of y has the label 2")):
        getattr(model, method)(X, Y + np.array([0, 1]))
    with pytest.raises(ValueError, match="y has 1 task"):
        getattr(model, method)(X, Y_ONE)


def test_classes_must_come_with_the_first_partial_fit():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match="classes must have one entry per task, 2; got 1"):
        classifier().partial_fit(X, Y, classes=[0, 1])


def test_names_of_other_features_are_refused():
    model = one_pass(classifier(), FRAME, Y)
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        model.get_feature_names_out(["a", "b", "c", "e"])
