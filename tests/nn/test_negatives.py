import math

import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.layers import seed_draws
from sk_attention.nn.negatives import Negatives, draw_negatives, mixed_log_share


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_items_are_drawn_in_proportion_to_their_shares():
    share = torch.tensor([1.0, 0.0, 3.0, 6.0, 0.0])
    codes = draw_negatives(40_000, share.log(), generator())
    assert (codes.dtype, codes.shape) == (torch.int64, (40_000,))
    found = torch.bincount(codes, minlength=5) / 40_000
    assert found[[1, 4]].tolist() == [0.0, 0.0]  # what has no share is never drawn
    assert_close(found, share / share.sum(), atol=0.01, rtol=0.0)


def test_the_scale_of_the_shares_does_not_matter():
    log_share = torch.randn(50, generator=generator(), dtype=torch.float64)
    expected = draw_negatives(100, log_share, generator(1))
    assert_close(draw_negatives(100, log_share + 3.0, generator(1)), expected)
    assert not torch.equal(draw_negatives(100, log_share, generator(2)), expected)


def test_the_last_of_a_million_items_is_drawn_as_often_as_the_first():
    """In single precision the cumulated shares of so many items would run together."""
    codes = draw_negatives(20_000, torch.full((3_000_000,), -math.log(3e6)), generator())
    assert (codes >= 0).all()
    assert (codes < 3_000_000).all()
    thirds = torch.bincount(codes // 1_000_000, minlength=3) / 20_000
    assert_close(thirds, torch.full((3,), 1 / 3), atol=0.02, rtol=0.0)
    assert codes.unique().numel() > 19_000


def test_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draw_negatives(10, torch.zeros(5), generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("popular_share", [0.0, 0.25, 1.0])
def test_shares_mix_all_items_alike_and_the_popular_ones(popular_share):
    weight = torch.tensor([1.0, 4.0, 5.0, 10.0])
    share = mixed_log_share(weight, popular_share).exp()
    expected = [(1 - popular_share) / 4 + popular_share * w / 20 for w in weight.tolist()]
    assert share.tolist() == pytest.approx(expected)


def test_negatives_draw_from_the_generator_that_training_hands_over():
    log_share = mixed_log_share(torch.arange(1.0, 8.0), 0.5)
    negatives = Negatives(6, log_share)
    seed_draws(torch.nn.ModuleList([negatives]), generator(3))
    first, second = negatives(torch.device("cpu")), negatives(torch.device("cpu"))
    own = generator(3)
    for drawn in (first, second):
        assert_close(drawn.code, draw_negatives(6, log_share, own))
        assert_close(drawn.log_share, log_share[drawn.code].float())
