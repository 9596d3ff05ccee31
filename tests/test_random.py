import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_attention._random import MAX_SEED, draw_seed


@given(st.integers(0, MAX_SEED - 1))
def test_integer_is_its_own_seed(seed):
    assert draw_seed(seed) == seed
    assert draw_seed(np.int64(seed)) == seed


@given(st.integers(0, 2**32 - 1))
def test_every_integer_gives_a_seed_in_range(seed):
    assert 0 <= draw_seed(seed) < MAX_SEED
    assert type(draw_seed(np.uint32(seed))) is int


def test_random_state_is_drawn_from():
    state, same = np.random.RandomState(3), np.random.RandomState(3)
    first, second = draw_seed(state), draw_seed(state)
    assert first != second
    assert [draw_seed(same), draw_seed(same)] == [first, second]
    assert 0 <= first < MAX_SEED


def test_numpy_module_stands_for_its_global_generator():
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(3)  # noqa: NPY002
        assert draw_seed(np.random.mtrand._rand) == draw_seed(np.random.RandomState(3))
    finally:
        np.random.set_state(state)  # noqa: NPY002


def test_none_is_fresh_and_leaves_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    seeds = {draw_seed(None) for _ in range(20)}
    assert len(seeds) > 15
    assert all(0 <= seed < MAX_SEED for seed in seeds)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("seed", [0, 1, MAX_SEED - 1])
def test_seeds_suit_the_generators(seed):
    import torch

    torch.Generator().manual_seed(draw_seed(seed))
    np.random.default_rng(draw_seed(seed))
