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
