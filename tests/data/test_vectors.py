"""Columns of ready vectors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data.columns import table_columns
from sk_attention.data.vectors import VectorEncoder, holds_vectors

VECTORS = [[1.0, 2.0], [3.0, 2.0], None, [5.0, 8.0]]


def column(values, library=pd):
    return table_columns(library.DataFrame({"v": values}))[0]


@pytest.mark.parametrize("library", [pd, pl])
def test_lists_and_arrays_are_vectors_and_nothing_else(library):
    assert holds_vectors(column(VECTORS, library))
    assert not holds_vectors(column([1.0, 2.0], library))
    assert not holds_vectors(column(["a", "b"], library))
    assert not holds_vectors(column([None, None], library))
    assert holds_vectors(column([np.array([1.0]), np.array([2.0])], library))


@pytest.mark.parametrize("library", [pd, pl])
def test_vectors_are_centred_and_scaled_as_a_whole(library):
    own = column(VECTORS, library)
    encoder = VectorEncoder().fit([own])
    found = encoder.transform([own], np.float64)
    plain = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]])
    centred = plain - plain.mean(axis=0)
    assert_allclose(found[[0, 1, 3]], centred / np.sqrt((centred**2).mean()))
    assert_array_equal(found[2], 0.0)
    assert encoder.sizes_ == [2]


def test_vectors_that_do_not_vary_are_zero():
    own = column([[1.0, 2.0]] * 3)
    assert_array_equal(VectorEncoder().fit([own]).transform([own], np.float32), 0.0)


def test_columns_stand_side_by_side():
    one, two = column(VECTORS), column([[1.0], [2.0], [3.0], [4.0]])
    assert VectorEncoder().fit([one, two]).transform([one, two], np.float32).shape == (4, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[1.0, 2.0], [1.0]],
            r"vectors of 2 finite numbers each; the one in row 1 is of the shape",
        ),
        ([[1.0, 2.0], [1.0, np.inf]], "not finite"),
        ([["a"], ["b"]], "holds vectors of numbers"),
        ([[[1.0]], [[2.0]]], "of the shape"),
    ],
)
def test_cells_that_are_no_vectors_are_an_error(values, message):
    with pytest.raises(ValueError, match=message):
        VectorEncoder().fit([column(values)])
