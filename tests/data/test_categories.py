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
