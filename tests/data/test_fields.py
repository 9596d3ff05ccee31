import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data.columns import array_columns, table_columns, take_rows
from sk_attention.data.fields import TableEncoder, field_kinds
from sk_attention.data.numeric import BinEncoder, NormalScoreEncoder

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

TABLE = {
    "size": [1.0, 2.0, None, 4.0],
    "colour": ["red", None, "blue", "red"],
    "when": list(np.array(["2024-01-01", "2024-02-02", "2024-03-03", "NaT"], "M8[us]").tolist()),
    "open": [True, False, True, True],
    "code": [3, 1, 3, 2],
}
COLUMNS = table_columns(pd.DataFrame(TABLE))
KINDS = ["number", "category", "datetime", "number", "number"]


@pytest.mark.parametrize("chosen", ["from_dtype", None])
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_kinds_come_from_the_dtypes(frame, chosen):
    assert field_kinds(table_columns(frame(TABLE)), chosen) == KINDS


@pytest.mark.parametrize(
    "chosen",
    [
        [4],
        np.array([4], dtype=np.int8),
        ["code"],
        np.array(["code", "colour"]),
        ["code", "code"],
        [False, False, False, False, True],
        np.array([False, True, False, False, True]),
    ],
    ids=str,
)
def test_categories_may_be_chosen_besides(chosen):
    assert field_kinds(COLUMNS, chosen) == [*KINDS[:4], "category"]


@pytest.mark.parametrize("chosen", [[], np.zeros(5, dtype=bool)], ids=["list", "mask"])
def test_no_category_may_be_chosen(chosen):
    assert field_kinds(COLUMNS, chosen) == KINDS


@pytest.mark.parametrize("chosen", [{0}, [[0]], {"code": 1}, np.array(0)], ids=str)
def test_features_that_are_no_list_are_refused(chosen):
    with pytest.raises(ValueError, match="categorical_features") as caught:
        field_kinds(COLUMNS, chosen)
    assert str(caught.value) == (
        "categorical_features must be a plain list of names or of positions, or a mask; "
        f"got {chosen!r}."
    )


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            [True, False],
            "categorical_features as a mask must have one entry per feature, (5,); got shape (2,).",
        ),
        ([1, 5], "categorical_features must hold positions from 0 to 4; got 5."),
        ([-1], "categorical_features must hold positions from 0 to 4; got -1."),
        (
            ["colour", "color"],
            "categorical_features names 'color', which is not a feature of X; the features are "
            "['size', 'colour', 'when', 'open', 'code'].",
        ),
    ],
)
def test_features_that_do_not_exist_are_refused(chosen, sentence):
    with pytest.raises(ValueError, match="categorical_features") as caught:
        field_kinds(COLUMNS, chosen)
    assert str(caught.value) == sentence


def encoder(numbers=None, kinds=KINDS, columns=COLUMNS):
    own = TableEncoder(kinds, numbers or BinEncoder(4))
    return own.fit(columns, np.ones(len(columns[0].values)))


def test_tokens_stand_numbers_first_then_datetimes_then_categories():
    # the datetimes vary in elapsed, month, day and weekday
    assert_array_equal(encoder().field_features_, [0, 3, 4, 2, 2, 2, 2, 1])


def test_codes_hold_one_column_per_token():
    codes = encoder().transform(COLUMNS, np.float32)
    assert {name: array.shape for name, array in codes.items()} == {
        "bin": (4, 7),
        "fraction": (4, 7),
        "category": (4, 1),
    }
    assert codes["fraction"].dtype == np.float32
    assert_array_equal(codes["category"][:, 0], [3, 1, 2, 3])


def test_missing_values_are_missing_in_their_tokens_only():
    codes = encoder(NormalScoreEncoder()).transform(COLUMNS, np.float64)
    assert set(codes) == {"value", "missing", "category"}
    expected = np.zeros((4, 7), dtype=bool)
    expected[2, 0] = expected[3, 3:] = True
    assert_array_equal(codes["missing"], expected)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_codes_do_not_depend_on_the_library(frame):
    own = encoder().transform(table_columns(frame(TABLE)), np.float64)
    for name, array in encoder().transform(COLUMNS, np.float64).items():
        assert_array_equal(own[name], array)


@pytest.mark.parametrize("kind", ["number", "category"])
def test_a_table_of_one_kind_has_no_other_codes(kind):
    columns = array_columns(np.array([[1.0, 2.0], [3.0, 2.0]]))
    codes = encoder(kinds=[kind] * 2, columns=columns).transform(columns, np.float32)
    assert set(codes) == ({"bin", "fraction"} if kind == "number" else {"category"})


def test_each_row_is_encoded_by_itself():
    own = encoder()
    together = own.transform(COLUMNS, np.float64)
    for row in range(4):
        alone = own.transform(take_rows(COLUMNS, np.arange(4) == row), np.float64)
        for name, array in alone.items():
            assert_array_equal(array[0], together[name][row])


def test_a_weight_of_two_equals_a_row_given_twice():
    twice = table_columns(pd.DataFrame(TABLE).iloc[[0, 1, 1, 2, 3]])
    weighted = TableEncoder(KINDS, BinEncoder(4)).fit(COLUMNS, np.array([1.0, 2.0, 1.0, 1.0]))
    repeated = TableEncoder(KINDS, BinEncoder(4)).fit(twice, np.ones(5))
    for name, array in weighted.transform(COLUMNS, np.float64).items():
        assert_allclose(array, repeated.transform(COLUMNS, np.float64)[name], rtol=0, atol=0)
