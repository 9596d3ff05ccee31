import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning

from sk_attention._labels import (
    is_collection,
    is_missing,
    label_columns,
    observed_labels,
    take_tasks,
)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")


class NotAnArray:
    def __init__(self, data):
        self.data = np.asarray(data)

    def __array__(self, dtype=None, copy=None):
        return self.data


@given(hnp.arrays(st.sampled_from([np.int64, np.float32, "U3", "M8[D]"]), st.integers(1, 9)))
def test_vector_is_one_column_of_the_same_dtype(y):
    labels = label_columns(y)
    assert labels.one_dimensional
    assert labels.names == ["y"]
    assert labels.n_tasks == 1
    assert labels.columns[0].dtype == y.dtype
    assert_array_equal(labels.columns[0], y)


@given(hnp.arrays(np.int32, st.tuples(st.integers(0, 5), st.integers(2, 4))))
def test_matrix_is_one_column_per_task(y):
    labels = label_columns(y)
    assert not labels.one_dimensional
    assert labels.names == [f"y{j}" for j in range(y.shape[1])]
    assert (labels.n_samples, labels.n_tasks) == y.shape
    assert_array_equal(np.column_stack(labels.columns), y)


@pytest.mark.parametrize("wrap", [list, tuple, NotAnArray, pd.Index, pd.Series, pl.Series])
def test_forms_of_a_vector_agree(wrap):
    (column,) = label_columns(wrap([3, 1, 2])).columns
    assert column.dtype.kind == "i"
    assert_array_equal(column, [3, 1, 2])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frame_names_the_tasks_and_keeps_each_dtype(frame):
    labels = label_columns(frame({"size": [1, 2], "colour": ["red", "blue"], "rate": [0.5, 1.5]}))
    assert labels.names == ["size", "colour", "rate"]
    assert [column.dtype.kind for column in labels.columns if column.dtype.kind in "if"] == [
        "i",
        "f",
    ]
    assert labels.columns[1].tolist() == ["red", "blue"]
    assert not labels.one_dimensional


@pytest.mark.parametrize(
    ("series", "name"),
    [
        (pd.Series([1, 2], name="topic"), "topic"),
        (pd.Series([1, 2]), "y"),
        (pd.Series([1, 2], name=7), "y"),
        (pl.Series("topic", [1, 2]), "topic"),
        (pl.Series([1, 2]), "y"),
    ],
)
def test_series_name_is_the_task_name(series, name):
    labels = label_columns(series)
    assert labels.names == [name]
    assert labels.one_dimensional


def test_frame_with_a_name_that_is_no_string_is_counted():
    labels = label_columns(pd.DataFrame({"y1": [1], 5: [2]}))
    assert labels.names == ["y0", "y1"]


@pytest.mark.parametrize(
    ("y", "name"),
    [
        ([[1], [2]], "y"),
        (np.array([[1], [2]]), "y"),
        (pd.DataFrame({"topic": [1, 2]}), "topic"),
        (pl.DataFrame({"topic": [1, 2]}), "topic"),
    ],
)
def test_column_vector_is_read_as_a_vector_with_a_warning(y, name):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        labels = label_columns(y)
    assert labels.one_dimensional
    assert labels.names == [name]
    assert_array_equal(labels.columns[0], [1, 2])


def test_column_vector_is_silent_on_request():
    assert label_columns([[1], [2]], warn_on_column_vector=False).one_dimensional


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (pd.Series([2, None, 1], dtype="Int64"), [2, 1]),
        (pd.Series([True, None, False], dtype="boolean"), [True, False]),
        (pd.Series([0.5, None, 1.5], dtype="Float64"), [0.5, 1.5]),
        (pd.Series(["b", None, "a"], dtype="string"), ["b", "a"]),
        (pd.Series(["b", None, "a"], dtype="category"), ["b", "a"]),
        (pd.Series(["b", float("nan"), "a"]), ["b", "a"]),
        (pd.Series([2, pd.NA, 1], dtype=object), [2, 1]),
        (pd.array([2, None, 1], dtype="Int64"), None),
        (pl.Series([2, None, 1]), [2, 1]),
        (pl.Series([True, None, False]), [True, False]),
        (pl.Series(["b", None, "a"]), ["b", "a"]),
        ([2, None, 1], [2, 1]),
        ([2.5, float("nan"), 1.5], [2.5, 1.5]),
        (["b", float("nan"), "a"], ["b", "a"]),
        (["b", None, "a"], ["b", "a"]),
        (np.ma.array([2, 9, 1], mask=[False, True, False]), [2, 1]),
        (np.array(["2020-01-01", "NaT", "2021-01-01"], dtype="M8[D]"), None),
    ],
    ids=repr,
)
def test_missing_label_is_found_and_the_others_keep_their_type(y, expected):
    (column,) = label_columns(y).columns
    missing = is_missing(column)
    assert missing.dtype == bool
    assert missing.tolist() == [False, True, False]
    if expected is not None:
        observed = observed_labels(column, missing)
        assert observed.tolist() == expected
        assert observed.dtype == (object if isinstance(expected[0], str) else type(expected[0]))


def test_large_integers_with_gaps_stay_exact():
    (column,) = label_columns(pl.Series([2**60 + 1, None])).columns
    assert column.tolist() == [2**60 + 1, None]


def test_unmasked_masked_array_keeps_its_dtype():
    assert label_columns(np.ma.array([1, 2])).columns[0].dtype.kind == "i"


def test_rows_may_mix_numbers_and_strings():
    labels = label_columns([["b", 1], ["a", 0]])
    assert labels.columns[0].tolist() == ["b", "a"]
    assert labels.columns[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("column", "missing_label", "expected"),
    [
        (np.array([1, -1, 0]), -1, [False, True, False]),
        (np.array([1.0, -1.0, np.nan]), -1, [False, True, True]),
        (np.array(["a", "?", "b"]), "?", [False, True, False]),
        (np.array(["a", "?", None], dtype=object), "?", [False, True, True]),
        (np.array([1, -1, pd.NA], dtype=object), -1, [False, True, True]),
        (np.array([1, -1, 0]), "?", [False, False, False]),
        (np.array(["1", "-1", "0"]), -1, [False, False, False]),
        (np.array([1.0, np.nan, 0.0]), np.nan, [False, True, False]),
        (np.array([1.0, np.nan, 0.0]), None, [False, True, False]),
        (np.array([1.0, np.nan, 0.0]), pd.NA, [False, True, False]),
        (np.array([], dtype=object), -1, []),
    ],
)
def test_missing_label_adds_to_the_usual_ones(column, missing_label, expected):
    assert is_missing(column, missing_label).tolist() == expected


def test_missing_labels_are_found_without_pandas(monkeypatch):
    column = np.array([1, None, np.nan, "a", np.datetime64("NaT")], dtype=object)
    expected = [False, True, True, False, True]
    assert is_missing(column).tolist() == expected
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert is_missing(column).tolist() == expected
    assert is_missing(column, "?").tolist() == expected


def test_mixed_observed_labels_stay_objects():
    column = np.array([1, "a", True, None], dtype=object)
    assert observed_labels(column, is_missing(column)).tolist() == [1, "a", True]
    column = np.array([1, True], dtype=object)
    assert observed_labels(column, is_missing(column)).dtype == object


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([[1, 2], [3]], ValueError, "y is ragged.* Sets of labels go into a Series, a column"),
        (np.array([1 + 2j]), ValueError, "Complex data not supported"),
        (pd.DataFrame({"a": [1j], "b": [1]}), ValueError, "Complex data not supported"),
        (3, ValueError, "y must have the shape .* got int with 0 dimensions"),
        (None, ValueError, "got NoneType with 0 dimensions"),
        (np.zeros((2, 2, 2)), ValueError, "got ndarray with 3 dimensions"),
        (np.ma.masked_equal(np.zeros((2, 2, 2)), 0), ValueError, "with 3 dimensions"),
        (np.zeros((2, 0)), ValueError, "y has no columns"),
        (pd.DataFrame(index=[0, 1]), ValueError, "y has no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "two columns share a name"),
        (csr_array(np.eye(2)), TypeError, "Sparse data was passed for y"),
    ],
    ids=repr,
)
def test_unusable_y_is_an_error(y, error, message):
    with pytest.raises(error, match=message):
        label_columns(y)


@pytest.mark.parametrize(
    "y",
    [
        pl.Series("tags", [["a", "b"], ["a"], None]),
        pd.Series([["a", "b"], ["a"], None], name="tags"),
        pl.DataFrame({"tags": [["a", "b"], ["a"], None]}),
    ],
    ids=["polars", "pandas", "frame"],
)
def test_cells_of_a_series_may_be_collections(y):
    labels = label_columns(y, warn_on_column_vector=False)
    assert labels.columns[0].tolist() == [["a", "b"], ["a"], None]
    assert is_missing(labels.columns[0]).tolist() == [False, False, True]
    assert list(map(is_collection, labels.columns[0])) == [True, True, False]


def test_series_tell_which_tasks_are_categories_and_frames_their_library():
    frame = pd.DataFrame({"a": pd.Categorical([3, 1]), "b": [3, 1]})
    assert label_columns(frame).categorical == [True, False]
    assert label_columns(frame).frame == "pandas"
    assert label_columns(pl.DataFrame({"a": [1], "b": [2]})).frame == "polars"
    assert label_columns(frame.to_numpy()).frame is None


def test_taken_tasks_keep_their_form():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5]})
    assert take_tasks(frame, [2, 0]).columns.tolist() == ["c", "a"]
    assert take_tasks(pl.DataFrame({"a": [1], "b": ["x"]}), [1])["b"].to_list() == ["x"]
    assert take_tasks([[1, "x"], [2, "y"]], [1]).tolist() == [["x"], ["y"]]
    vector = [1, 2]
    assert take_tasks(vector, [0]).tolist() == vector
    assert take_tasks(frame["a"], [0]).equals(frame["a"])
