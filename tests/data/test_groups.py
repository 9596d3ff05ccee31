"""Columns that are read together, as codes."""

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal

from sk_attention.data.columns import table_columns
from sk_attention.data.groups import ColumnGroup

TABLE = table_columns(
    pd.DataFrame(
        {
            "price": [1.0, 2.0, np.nan],
            "kind": ["a", "b", "a"],
            "class": [0.0, 1.0, np.nan],
            "vector": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        }
    )
)
WEIGHT = np.ones(3)


def test_codes_bear_the_name_of_the_group():
    group = ColumnGroup("event", [0, 1, 2, 3], [2]).fit(TABLE, WEIGHT)
    codes = group.codes(TABLE)
    assert set(codes) == {"event.bin", "event.fraction", "event.category", "event.vector"}
    assert codes["event.bin"].shape == (3, 1)  # the price alone
    assert codes["event.category"].shape == (3, 2)
    assert codes["event.vector"].shape == (3, 2)
    assert group.n_numbers == 2 and len(group) == 4


def test_nothing_known_looks_as_missing_and_unseen():
    group = ColumnGroup("event", [0, 1, 3]).fit(TABLE, WEIGHT)
    unknown, known = group.unknown(2), group.codes(TABLE)
    assert_array_equal(unknown["event.bin"][0], known["event.bin"][2])  # a missing price
    assert_array_equal(unknown["event.category"], 0)
    assert_array_equal(unknown["event.vector"], 0.0)
    assert {name: values.dtype for name, values in unknown.items()} == {
        name: values.dtype for name, values in known.items()
    }


def test_a_group_without_columns_has_no_codes():
    group = ColumnGroup("asked", []).fit(TABLE, WEIGHT)
    assert group.codes(TABLE) == group.unknown(3) == {}


def test_columns_that_are_not_known_are_as_in_rows_of_which_nothing_is():
    group = ColumnGroup("context", [0, 1, 3]).fit(TABLE, WEIGHT)
    assert_codes_equal(group.codes_of_some([], 3), group.unknown(3))
    assert_codes_equal(group.codes_of_some(TABLE, 3), group.codes(TABLE))
    some = group.codes_of_some([TABLE[1]], 3)
    assert_array_equal(some["context.category"], group.codes(TABLE)["context.category"])
    assert_array_equal(some["context.bin"], group.unknown(3)["context.bin"])
    assert_array_equal(some["context.vector"], 0.0)


def test_an_unknown_category_is_not_a_missing_one():
    table = table_columns(pd.DataFrame({"kind": ["a", None, "b"], "other": ["c", "d", "d"]}))
    group = ColumnGroup("context", [0, 1]).fit(table, WEIGHT)
    assert group.codes(table)["context.category"][1, 0] > 0
    assert_array_equal(group.codes_of_some([table[1]], 3)["context.category"][:, 0], 0)


def test_texts_are_read_word_by_word():
    table = table_columns(pd.DataFrame({"name": ["red tea", "red", ""], "kind": ["a", "b", "a"]}))
    group = ColumnGroup("item", [0, 1], texts=[0]).fit(table, WEIGHT)
    codes = group.codes(table)
    assert set(codes) == {"item.category", "item.bag"}
    assert (codes["item.bag"].length[:, 0] > 0).tolist() == [True, True, False]
    assert not group.unknown(2)["item.bag"].length.any()


def assert_codes_equal(codes, expected):
    assert set(codes) == set(expected)
    for name, values in codes.items():
        assert_array_equal(values, expected[name])
