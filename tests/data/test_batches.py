from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_attention.data.batches import Rows, Slices


def rows(n_rows):
    x = torch.arange(float(n_rows))
    return Rows({"x": x.unsqueeze(1).expand(-1, 2), "weight": 2 * x}, 10 * x)


def order(slices):
    """Which rows each batch holds, after a look at whether its tensors belong together."""
    batches = []
    for inputs, target in slices:
        assert torch.equal(inputs["x"][:, 1] * 10, target)
        assert torch.equal(inputs["weight"] * 5, target)
        batches.append((target / 10).long().tolist())
    return batches


@given(st.integers(1, 40), st.integers(1, 50), st.booleans())
def test_every_row_comes_once_and_batches_are_full_but_the_last(n_rows, batch_size, shuffle):
    generator = torch.Generator().manual_seed(0)
    slices = Slices(rows(n_rows), batch_size, shuffle, generator)
    batches = order(slices)
    assert sorted(chain(*batches)) == list(range(n_rows))
    assert len(batches) == len(slices)
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    assert 1 <= len(batches[-1]) <= batch_size


def test_rows_keep_their_order_unless_shuffled():
    assert order(Slices(rows(5), 2)) == [[0, 1], [2, 3], [4]]


def test_each_pass_has_an_order_of_its_own_from_the_generator():
    def passes(seed):
        slices = Slices(rows(20), 6, True, torch.Generator().manual_seed(seed))
        return order(slices), order(slices)

    first, second = passes(1)
    assert first != second
    assert passes(1) == (first, second)
    assert passes(2) != (first, second)


def test_shuffling_leaves_the_global_generator():
    before = torch.get_rng_state()
    list(Slices(rows(20), 6, True, torch.Generator().manual_seed(1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_one_full_batch_is_the_tensors_themselves():
    own = rows(5)
    ((inputs, target),) = Slices(own, 5, shuffle=True)
    assert target.data_ptr() == own.target.data_ptr()
    assert inputs["weight"].data_ptr() == own.inputs["weight"].data_ptr()


def test_rows_count_and_slice():
    own = rows(5)
    assert len(own) == 5
    inputs, target = own[1:3]
    assert target.tolist() == [10.0, 20.0]
    assert inputs["weight"].tolist() == [2.0, 4.0]
    inputs, target = own[torch.tensor([4, 0])]
    assert target.tolist() == [40.0, 0.0]


def test_rows_may_do_without_a_target():
    own = Rows({"x": torch.zeros(4, 2)})
    assert len(own) == 4
    assert [target.shape for _, target in Slices(own, 3)] == [(3, 0), (1, 0)]


def test_rows_keep_their_own_dictionary():
    inputs = {"x": torch.zeros(4)}
    own = Rows(inputs)
    inputs.clear()
    assert set(own.inputs) == {"x"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_stay_on_the_device_of_the_rows():
    own = Rows({"x": torch.zeros(40, 2, device="cuda")}, torch.arange(40, device="cuda"))
    generator = torch.Generator().manual_seed(0)
    for inputs, target in Slices(own, 16, True, generator):
        assert inputs["x"].is_cuda
        assert target.is_cuda
