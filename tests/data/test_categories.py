import datetime as dt
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sk_attention.data.categories import CategoryEncoder
from sk_attention.data.columns import Column, array_columns, table_columns

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

VALUES = st.lists(
    st.one_of(st.none(), st.text(max_size=2), st.integers(-3, 3), st.booleans()), min_size=1
)


def objects(values):
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array_columns(array)


def codes(train, query):
    return CategoryEncoder().fit(objects(train)).transform(objects(query))[:, 0].tolist()


@given(VALUES)
def test_equal_categories_and_only_they_share_a_code(values):
    own = codes(values, values)
    assert min(own) >= 1
    assert len(set(own)) == len(set(values))
    assert all((own[0] == code) == (values[0] == v) for code, v in zip(own, values, strict=True))


@given(VALUES, st.randoms())
def test_codes_do_not_depend_on_the_order_of_the_rows(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert codes(shuffled, values) == codes(values, values)


def test_codes_do_not_depend_on_which_kind_of_integer_comes_first():
    values = [np.int64(5), 5, 3, np.float64(4.0)]
    assert codes(values, values) == codes(values[::-1], values) == [3, 3, 1, 2]


def test_numbers_of_any_type_are_one_category_and_text_is_another():
    ones = [1, 1.0, True, np.int64(1), np.float32(1.0), np.bool_(True), Decimal(1)]
    assert len(set(codes([*ones, "1", 2], ones))) == 1
    assert codes([1, 2], ["1", 1]) == [0, 1]
    assert codes([Decimal("1.5"), 1, 2.5], [1.5, 1, 2.5]) == [2, 1, 3]


ONE_AND_TWO = {
    "array": lambda: array_columns(np.array([[1], [2]])),
    "array of floats": lambda: array_columns(np.array([[1.0], [2.0]], dtype=np.float32)),
    "array of objects": lambda: array_columns(np.array([[1], [np.int8(2)]], dtype=object)),
    "pandas": lambda: table_columns(pd.DataFrame({"x0": [1, 2]})),
    "pandas nullable": lambda: table_columns(pd.DataFrame({"x0": [1, 2]}, dtype="Int64")),
    "pandas float": lambda: table_columns(pd.DataFrame({"x0": [1.0, 2.0]})),
    "pandas category": lambda: table_columns(pd.DataFrame({"x0": [1, 2]}, dtype="category")),
    "pandas sparse": lambda: table_columns(
        pd.DataFrame({"x0": pd.arrays.SparseArray([1, 2], fill_value=1)})
    ),
    "polars": lambda: table_columns(pl.DataFrame({"x0": [1, 2]})),
    "polars decimal": lambda: table_columns(pl.DataFrame({"x0": [Decimal(1), Decimal(2)]})),
}


@pytest.mark.parametrize("make", ONE_AND_TWO.values(), ids=ONE_AND_TWO)
def test_numbers_of_any_container_are_the_same_categories(make):
    encoder = CategoryEncoder().fit(objects([2, 1]))
    assert_array_equal(encoder.transform(make())[:, 0], [1, 2])
    strings = CategoryEncoder().fit(objects(["1", "2"]))
    assert_array_equal(strings.transform(make())[:, 0], [0, 0])


def test_datetimes_of_any_container_are_the_same_categories():
    days = [dt.datetime(2024, 5, 6), dt.datetime(2024, 5, 7)]
    encoder = CategoryEncoder().fit(objects(days))
    for unit in ("s", "ns"):
        column = Column("x0", np.array(days, dtype=f"datetime64[{unit}]"))
        assert_array_equal(encoder.transform([column])[:, 0], [1, 2])
    assert_array_equal(encoder.transform(table_columns(pd.DataFrame({"x0": days})))[:, 0], [1, 2])


def test_codes_follow_the_sorted_categories():
    assert codes(["b", "c", "a"], ["a", "b", "c"]) == [1, 2, 3]
    assert codes([10, 9, 2], [2, 9, 10]) == [1, 2, 3]


def test_unseen_categories_have_code_zero():
    assert codes(["b", "a"], ["c", "a", "B", 1]) == [0, 1, 0, 0]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_is_a_category_of_its_own_where_training_had_one(missing):
    assert codes(["b", missing], ["b", None, "c"]) == [2, 1, 0]


def test_missing_is_unseen_where_training_had_none():
    assert codes(["b", "a"], [None, "a"]) == [0, 1]


def test_a_column_of_missing_values_has_one_category():
    encoder = CategoryEncoder().fit(objects([None, None]))
    assert encoder.cardinalities_ == [2]


SERIES = {
    "pandas str": lambda values: pd.Series(values, dtype="str"),
    "pandas object": lambda values: pd.Series(values, dtype=object),
    "pandas category": lambda values: pd.Series(values, dtype="category"),
    "polars str": pl.Series,
    "polars category": lambda values: pl.Series(values, dtype=pl.Categorical),
    "polars enum": lambda values: pl.Series(values, dtype=pl.Enum(["c", "a", "b"])),
}


@pytest.mark.parametrize("train", SERIES.values(), ids=SERIES)
@pytest.mark.parametrize("query", SERIES.values(), ids=SERIES)
def test_codes_do_not_depend_on_the_library(train, query):
    def columns(series):
        return table_columns(series.to_frame("x"))

    encoder = CategoryEncoder().fit(columns(train(["b", None, "a", "b"])))
    query_codes = encoder.transform(columns(query(["a", "b", None, "c"])))
    assert query_codes.dtype == np.int32
    assert_array_equal(query_codes[:, 0], [2, 3, 1, 0])


def test_columns_have_codes_of_their_own():
    X = np.array([["a", "x"], ["b", "x"], ["c", "a"]], dtype=object)
    encoder = CategoryEncoder().fit(array_columns(X))
    assert encoder.cardinalities_ == [4, 3]
    assert_array_equal(encoder.transform(array_columns(X)), [[1, 2], [2, 2], [3, 1]])


def test_numbers_may_be_categories():
    column = Column("x", np.array([3.0, np.nan, 1.0]))
    assert_array_equal(CategoryEncoder().fit([column]).transform([column])[:, 0], [3, 1, 2])


@pytest.mark.parametrize("values", [[[1, 2], [3]], [[1, 2], [3, 4]]])
def test_values_that_cannot_be_categories_are_refused(values):
    columns = table_columns(pl.DataFrame({"tags": values}))
    with pytest.raises(
        ValueError, match=r"Feature 'tags' is read as categories, found \[1, 2\]: a category must"
    ):
        CategoryEncoder().fit(columns)
    known = CategoryEncoder().fit(table_columns(pl.DataFrame({"tags": ["a"]})))
    with pytest.raises(ValueError, match="'tags' is read as categories"):
        known.transform(columns)
