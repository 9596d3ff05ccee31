import pytest
import torch
from torch.testing import assert_close

from sk_attention.nn.history.recency import N_GAPS, Moments, Recency, bounded, gap_codes
from tests._networks import LENGTH, histories


@pytest.mark.parametrize(
    ("gap", "code"),
    [
        (10.0, 20),  # the usual gap is in the middle
        (20.0, 22),
        (10.0 * 2**0.5, 21),  # half an octave
        (5.0, 18),
        (12.0, 21),  # 2 log2 1.2 = 0.53
        (11.8, 20),  # 2 log2 1.18 = 0.48
        (10.0 * 2**10, N_GAPS - 1),
        (1e9, N_GAPS - 1),
        (10.0 * 2**-10, 0),
        (0.0, 0),
        (-5.0, 0),
    ],
)
def test_gap_codes_count_half_octaves_from_the_usual_gap(gap, code):
    later = torch.tensor([100.0 + gap, 100.0], dtype=torch.float64)
    codes = gap_codes(later, torch.tensor([100.0], dtype=torch.float64), 10.0)
    assert codes.dtype == torch.int64
    assert codes.tolist() == [code, 0]


def test_gap_codes_of_seconds_since_1970_are_exact_in_double_precision():
    now = torch.tensor([1.7e9], dtype=torch.float64)
    assert gap_codes(now + 1e-3, now, 1e-3).tolist() == [20]


def test_exponents_are_held_where_they_can_be_multiplied():
    assert bounded(torch.tensor([-99.0, -3.0, 0.5, 1e9])).tolist() == [-30.0, -3.0, 0.5, 30.0]


@pytest.mark.parametrize("usual_gap", [None, 10.0], ids=["no times", "times"])
def test_bias_from_one_moment_is_a_row_of_that_from_all(usual_gap):
    inputs = histories()
    moments = Moments(inputs["time"], inputs["asked"], usual_gap)
    recency = Recency(LENGTH, 2, usual_gap is not None)
    generator = torch.Generator().manual_seed(0)
    for parameter in recency.parameters():
        parameter.data.normal_(generator=generator)
    everywhere = recency(moments.everywhere()).expand(3, 2, LENGTH, LENGTH)
    some = recency(moments.at(torch.tensor([2, 8, 14, 0])))
    assert some.shape == (4, 2, 1, LENGTH)
    rows = [everywhere[0, :, 2], everywhere[1, :, 3], everywhere[2, :, 4], everywhere[0, :, 0]]
    assert_close(some.squeeze(2), torch.stack(rows))
    later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    assert (everywhere[:, :, later] == -torch.inf).all()
    assert everywhere[:, :, ~later].isfinite().all()
