"""Which task is of which kind, sets of labels, and all kinds in one table."""

import re
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import MultiLabelBinarizer

from sk_attention._labels import label_columns
from sk_attention.data.targets import ClassEncoder, MixedEncoder, NumberEncoder, SetEncoder
from sk_attention.data.targets import task_types as types_of

ONES = np.ones(3)


def types(y, given=None, missing_label=None):
    return types_of(label_columns(y, warn_on_column_vector=False), given, missing_label)


def sets(cells, weight=None, classes=None):
    labels = label_columns(pd.Series(cells, dtype=object))
    weight = np.ones(len(cells)) if weight is None else np.asarray(weight, dtype=float)
    encoder = SetEncoder().fit(labels, weight, classes)
    return encoder, encoder.transform(labels)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a", "b", None], "classification"),
        ([True, False, True], "classification"),
        ([3, 1, 2], "classification"),
        (pd.array([3, None, 1], dtype="Int64"), "classification"),
        (pd.Categorical([1.5, 2.5, 1.5]), "classification"),
        (pd.Categorical([1, None, 2]), "classification"),
        ([1.0, 2.0, np.nan], "regression"),
        (np.array([1, 2.5, None], dtype=object), "regression"),
        ([Decimal("1.5"), 2.0, None], "regression"),
        ([["a"], [], ["a", "b"]], "multilabel"),
        ([None, {"a"}, {"b"}], "multilabel"),
        ([("a",), ("b", "a"), None], "multilabel"),
    ],
    ids=str,
)
def test_dtype_says_what_a_task_is(column, expected):
    assert types(pd.DataFrame({"y": column})) == [expected]
    other = "regression" if expected == "classification" else "classification"
    assert types(pd.DataFrame({"y": column}), {"y": other}) == [other]


def test_polars_tell_the_same():
    frame = pl.DataFrame(
        {
            "a": pl.Series(["x", "y"], dtype=pl.Categorical),
            "b": [1, None],
            "c": [0.5, 1.0],
            "d": [["x"], ["x", "y"]],
        }
    )
    assert types(frame) == ["classification", "classification", "regression", "multilabel"]


def test_columns_of_an_array_of_objects_have_their_own_types():
    y = np.array([["a", 1.5, True], ["b", 2.5, None]], dtype=object)
    assert types(y) == ["classification", "regression", "classification"]
    assert types(np.zeros((3, 2))) == ["regression"] * 2
    assert types(np.zeros((3, 2), dtype=int)) == ["classification"] * 2


def test_very_many_integers_are_doubted_unless_something_was_said():
    y = pd.DataFrame({"count": range(101)})
    with pytest.warns(
        UserWarning, match=r"'count' of y holds integers, 101.*\{'count': \"regr"
    ) as caught:
        assert types(y) == ["classification"]
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        types(y[:100])
        types(y, {"count": "classification"})


@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        ([0, 1], {"z": "regression"}, r"task_types names the task 'z', but .* are \['y'\]"),
        ([0, 1], {"y": "number"}, r"task_types\['y'\] must be one of .*, got 'number'"),
        (pd.Series(pd.to_datetime(["2020-01-01"]), name="when"), None, "'when' of y holds dates"),
    ],
)
def test_types_that_cannot_be_are_an_error(y, given, message):
    with pytest.raises(ValueError, match=message):
        types(y, given)


def test_sets_become_ones_and_come_back():
    cells = [{"b", "a"}, None, {"c"}, set()]
    encoder, targets = sets(cells)
    assert encoder.classes_.tolist() == ["a", "b", "c"]
    assert_array_equal(targets.values, [[1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert_array_equal(targets.observed[:, 0], [True, False, True, True])
    back = encoder.inverse_transform(targets.values == 1)
    assert back.tolist() == [{"a", "b"}, set(), {"c"}, set()]


@given(st.lists(st.lists(st.integers(0, 5), unique=True), min_size=1).filter(any))
def test_sets_are_coded_as_scikit_learn_codes_them(cells):
    encoder, targets = sets(cells)
    binarizer = MultiLabelBinarizer()
    assert_array_equal(targets.values, binarizer.fit_transform(cells))
    assert_array_equal(encoder.classes_, binarizer.classes_)
    assert encoder.inverse_transform(targets.values == 1).tolist() == list(map(sorted, cells))


@pytest.mark.parametrize("container", [list, tuple, set, frozenset])
def test_predicted_sets_are_of_the_kind_that_came(container):
    encoder, targets = sets([container("ab"), container("a")])
    assert encoder.inverse_transform(targets.values == 1).tolist() == [
        container("ab"),
        container("a"),
    ]


def test_null_loss_of_a_set_is_the_sum_of_the_entropies_of_its_labels():
    encoder, _ = sets([["a", "b"], ["a"], [], None], weight=[1, 2, 1, 7])

    def entropy(share):
        return -share * np.log(share) - (1 - share) * np.log(1 - share)

    assert_allclose(encoder.null_loss_, entropy(3 / 4) + entropy(1 / 4))
    assert sets([["a"], ["a"]])[0].null_loss_ == 1.0


@pytest.mark.parametrize(
    ("cells", "classes", "message"),
    [
        ([None, None], None, "Task 'y' of y has no observed label"),
        ([[], []], None, "has empty sets only"),
        ([["a"], "b"], None, "must hold sets of labels.*; got 'b' of type str"),
        ([["a", 1]], None, "in the sets of task 'y' of y cannot be sorted"),
        ([["a", ["b"]]], None, r"must hold labels, not collections of these; got \['b'\]"),
        ([[("a", "b")]], None, r"must hold labels, not .*; got \('a', 'b'\)"),
        ([[1.0, np.nan]], None, "holds a missing label"),
        ([["a", None]], None, "holds a missing label"),
        ([["a"], ["z"]], ["a", "b"], r"a set with the label 'z', .* classes \['a', 'b'\]"),
    ],
)
def test_bad_sets_are_an_error(cells, classes, message):
    with pytest.raises(ValueError, match=message):
        sets(cells, classes=classes)


def test_collections_are_refused_where_one_label_is_expected():
    labels = label_columns(pd.Series([["a", "b"], ["a"]]))
    match = r"y is ragged.*collections such as \['a', 'b'\]"
    for encoder in (ClassEncoder(), NumberEncoder()):
        with pytest.raises(ValueError, match=match):
            encoder.fit(labels, np.ones(2))
    with pytest.raises(ValueError, match=match):
        ClassEncoder().fit(labels, np.ones(2), classes=[["a", "b"]])


MIXED = pd.DataFrame(
    {"grade": ["b", "a", None], "delay": [10.0, np.nan, 30.0], "tags": [["x"], ["x", "y"], None]}
)


def test_kinds_stand_side_by_side_in_one_table():
    labels = label_columns(MIXED)
    encoder = MixedEncoder(types(MIXED)).fit(labels, ONES)
    targets = encoder.transform(labels)
    assert_allclose(targets.values, [[1, -1, 1, 0], [0, 0, 1, 1], [0, 1, 0, 0]])
    assert_array_equal(targets.observed, MIXED.notna())
    assert encoder.n_columns == [1, 1, 2]
    assert [None if own is None else own.tolist() for own in encoder.classes_] == [
        ["a", "b"],
        None,
        ["x", "y"],
    ]
    assert_allclose(encoder.null_loss_, [np.log(2), 1.0, np.log(2)])
    grade, delay, tags = encoder.by_task(targets)
    assert (grade.dtype.kind, delay.dtype.kind, tags.dtype.kind) == ("i", "f", "i")
    assert_array_equal(tags, [[1, 0], [1, 1], [0, 0]])


def test_class_weights_are_for_classes():
    labels = label_columns(MIXED)
    encoder = MixedEncoder(types(MIXED)).fit(labels, ONES)
    targets = encoder.transform(labels)
    expected = [[1, 1, 1], [3, 1, 1], [1, 1, 1]]
    for class_weight in ({"a": 3.0}, [{"a": 3.0}, None, None]):
        assert_allclose(encoder.class_factors(class_weight, targets, ONES), expected)
    encoder.expect_classes(targets, np.array(expected, dtype=float))
    assert_allclose(encoder.null_loss_[0], -0.25 * np.log(0.25) - 0.75 * np.log(0.75))
    with pytest.raises(ValueError, match="a task of type 'multilabel' must be None, got 'balanced"):
        encoder.class_factors([None, None, "balanced"], targets, ONES)
    with pytest.raises(ValueError, match="class_weight must have one entry per task, 3; got 1"):
        encoder.class_factors([{}], targets, ONES)
    numbers = MixedEncoder(["regression"]).fit(label_columns(ONES), ONES)
    with pytest.raises(ValueError, match=r"is about classes, but .* are \['regression'\]"):
        numbers.class_factors("balanced", numbers.transform(label_columns(ONES)), ONES)


def test_classes_may_be_given_and_stay():
    classes = [["a", "b", "c"], None, ["x", "y", "z"]]
    encoder = MixedEncoder(types(MIXED)).fit(label_columns(MIXED), ONES, classes)
    assert [None if own is None else own.tolist() for own in encoder.classes_] == classes
    encoder.check_classes(classes)
    with pytest.raises(ValueError, match=re.escape("classes=['a'] is not the same as on the")):
        encoder.check_classes([["a"], None, ["x"]])
    with pytest.raises(ValueError, match="classes must be None for task 'delay'"):
        MixedEncoder(types(MIXED)).fit(label_columns(MIXED), ONES, [["a", "b"], [1], ["x", "y"]])
