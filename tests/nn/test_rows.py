import torch
from torch.testing import assert_close

from sk_attention.nn.rows import inner_rows, take_rows

CODE = torch.tensor([[3, 0, 3], [1, 1, 4]])


def tables():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    vector = torch.randn(6, generator=generator, dtype=torch.float64)
    return matrix.requires_grad_(), vector.requires_grad_()


def gradient(value, table):
    return torch.autograd.grad(value.square().sum(), table)[0]


def test_rows_are_taken_and_their_gradient_is_sparse_and_the_same():
    for table in tables():
        rows = take_rows(table, CODE)
        assert_close(rows, table[CODE])
        found = gradient(rows, table)
        assert found.is_sparse
        assert found._nnz() == CODE.numel()
        assert_close(found.to_dense(), gradient(table[CODE], table))


def test_inner_rows_keep_a_sparse_gradient_sparse():
    table, _ = tables()
    assert_close(inner_rows(table), table[1:-1])
    assert inner_rows(table).data_ptr() == table[1:].data_ptr()  # nothing is copied
    code = CODE.clamp(max=3)
    found = gradient(take_rows(inner_rows(table), code), table)
    assert found.is_sparse
    assert_close(found.to_dense(), gradient(table[1:-1][code], table))
    found = gradient(inner_rows(table), table)
    assert not found.is_sparse
    assert_close(found, gradient(table[1:-1], table))


def test_sparse_and_dense_gradients_add_up():
    table, _ = tables()

    def both(take, inner):
        return torch.cat([take(table, CODE).flatten(0, 1), 2.0 * inner(table)])

    found = gradient(both(take_rows, inner_rows), table)
    assert not found.is_sparse
    assert_close(found, gradient(both(lambda t, c: t[c], lambda t: t[1:-1]), table))
    # the order in which autograd meets them does not matter
    swapped = torch.cat([inner_rows(table), take_rows(table, CODE).flatten(0, 1)])
    expected = torch.cat([table[1:-1], table[CODE].flatten(0, 1)])
    assert_close(gradient(swapped, table), gradient(expected, table))
