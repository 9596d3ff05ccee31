import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sk_attention.data.batches import Rows, Slices
from sk_attention.data.ragged import Ragged, side_by_side, stacked

LENGTHS = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=1, max_size=8)


def ragged(lengths):
    length = torch.tensor(lengths)
    n_tokens = int(length.sum())
    parts = {"id": torch.arange(n_tokens), "value": torch.arange(n_tokens) / 2.0}
    return Ragged(length, parts)


def lists(own):
    """Tokens of each field of each row."""
    ids = iter(own.parts["id"].tolist())
    return [[[next(ids) for _ in range(n)] for n in row] for row in own.length.tolist()]


@given(LENGTHS, st.data())
def test_rows_are_those_of_a_list(lengths, data):
    own, expected = ragged(lengths), lists(ragged(lengths))
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1)))
    first, last = sorted(data.draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    mask = np.isin(np.arange(len(lengths)), chosen)
    assert lists(own) == expected
    assert lists(own[torch.tensor(chosen, dtype=torch.int64)]) == [expected[i] for i in chosen]
    assert lists(own[first:last]) == expected[first:last]
    assert lists(own[mask]) == [row for row, kept in zip(expected, mask, strict=True) if kept]
    assert torch.equal(own[first:last].parts["value"] * 2, own[first:last].parts["id"])


@given(LENGTHS)
def test_fields_are_put_side_by_side_row_by_row(lengths):
    columns = np.array(lengths).T
    fields = [
        (length, {"id": 100 * j + np.arange(length.sum())}) for j, length in enumerate(columns)
    ]
    own = side_by_side(fields)
    assert own.length.tolist() == lengths
    for row in lists(own):
        assert [token // 100 for field in row for token in field] == [
            j for j, field in enumerate(row) for _ in field
        ]
        assert all(field == sorted(field) for field in row)


def test_padded_rows_are_equal_where_the_rows_are():
    own = side_by_side(
        [
            (np.array([1, 1, 0, 2]), {"id": np.array([5, 5, 5, 5])}),
            (np.array([0, 0, 1, 0]), {"id": np.array([5])}),
        ]
    )
    cells = own.padded()
    assert_array_equal(cells[0], cells[1])
    assert len(np.unique(cells, axis=0)) == 3


def test_batches_hold_the_tokens_of_their_rows():
    own = ragged([[1, 0], [2, 1], [0, 0], [1, 1]])
    rows = Rows({"bag": own})
    assert len(rows) == 4
    batches = [inputs for inputs, _ in Slices(rows, 3)]
    assert [batch["bag_length"].tolist() for batch in batches] == [
        [[1, 0], [2, 1], [0, 0]],
        [[1, 1]],
    ]
    assert torch.equal(torch.cat([batch["bag_id"] for batch in batches]), own.parts["id"])
    shuffled = Slices(rows, 2, shuffle=True, generator=torch.Generator().manual_seed(0))
    assert sorted(torch.cat([batch["bag_id"] for batch, _ in shuffled]).tolist()) == list(range(6))


def test_stacked_rows_follow_each_other():
    first = side_by_side([(np.array([1, 2]), {"id": np.array([5, 6, 7])})])
    second = side_by_side([(np.array([0, 1]), {"id": np.array([8])})])
    both = stacked(first, second)
    assert both.length.ravel().tolist() == [1, 2, 0, 1]
    assert both[np.array([3, 1])].parts["id"].tolist() == [8, 6, 7]
    assert stacked(np.zeros((1, 2)), np.ones((2, 2))).tolist() == [[0, 0], [1, 1], [1, 1]]
