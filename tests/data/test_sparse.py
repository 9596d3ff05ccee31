import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from sk_attention.data.columns import Column
from sk_attention.data.sparse import SparseEncoder

X = np.array([[0, 2.0, 0, 1], [0, 0, 0, 1], [0, -4, 0, 0], [0, 0, 0, 0]])


def column(array):
    return [Column("X", csr_array(array))]


def test_values_are_codes_of_their_columns():
    encoder = SparseEncoder().fit(column(X), np.ones(4))
    ((length, parts),) = encoder.transform(column(X), np.float64)
    assert length.tolist() == [2, 1, 1, 0]
    assert encoder.columns_[parts["id"]].tolist() == [1, 3, 3, 1]
    scale = np.sqrt(10)
    expected = [np.log2(1 + 2 / scale), 1, 1, -np.log2(1 + 4 / scale)]
    assert_allclose(parts["value"], expected)
    assert_allclose(encoder.prior_, 1 + np.log(2))


def test_weights_count_as_rows():
    heavy = SparseEncoder().fit(column(X), np.array([3.0, 1, 1, 1]))
    often = SparseEncoder().fit(column(X[[0, 0, 0, 1, 2, 3]]), np.ones(6))
    assert_allclose(heavy.prior_, often.prior_)
    assert_allclose(heavy.scale_, often.scale_)


def test_stored_zeros_and_columns_unseen_in_training_are_left_out():
    stored = csr_array((np.array([5.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 4))
    encoder = SparseEncoder().fit(column(X), np.ones(4))
    ((length, _),) = encoder.transform([Column("X", stored)], np.float64)
    assert length.tolist() == [0]
    ((length, _),) = SparseEncoder().fit(column(X * 0), np.ones(4)).transform(column(X), np.float32)
    assert length.tolist() == [0, 0, 0, 0]


def test_codes_take_memory_by_stored_values():
    wide = csr_array((np.ones(3), np.array([7, 90_000, 99_999]), np.array([0, 2, 3])), (2, 100_000))
    encoder = SparseEncoder().fit([Column("X", wide)], np.ones(2))
    assert_array_equal(encoder.columns_, [7, 90_000, 99_999])
    assert len(encoder.prior_) == 3
