from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from sk_attention.metrics import coverage_at_k, novelty_at_k


def test_hand_computed_coverage():
    assert coverage_at_k([[0, 1], [1, -1]], n_items=4) == 0.5
    assert coverage_at_k(np.full((3, 2), -1), n_items=4) == 0.0
    assert coverage_at_k(np.empty((0, 2), dtype=int), n_items=4) == 0.0


def test_hand_computed_novelty():
    popularity = [1.0, 0.5, 0.25, 0.0]  # nobody is recommended the last
    assert novelty_at_k([[0, 1], [2, -1]], popularity) == pytest.approx((0.5 + 2) / 2)
    assert novelty_at_k([[2, 1], [-1, -1]], popularity) == pytest.approx(1.5)
    assert novelty_at_k([[0]], popularity) == 0.0


@given(seed=st.integers(0, 2**32 - 1))
def test_scores_of_lists_equal_plain_loops(seed):
    rng = np.random.default_rng(seed)
    items = np.sort(rng.integers(-1, 7, size=(5, 3)))[:, ::-1]
    popularity = rng.uniform(0.01, 1, size=7)
    lists = [[item for item in row if item >= 0] for row in items.tolist()]
    assert coverage_at_k(items, 7) == len(set(chain(*lists))) / 7
    surprises = [np.mean([-np.log2(popularity[item]) for item in own]) for own in lists if own]
    if surprises:
        assert novelty_at_k(items, popularity) == pytest.approx(np.mean(surprises))


def test_novelty_of_nothing_is_nan_with_a_warning():
    with pytest.warns(UndefinedMetricWarning, match="nothing is recommended") as caught:
        assert np.isnan(novelty_at_k([[-1, -1]], [1.0]))
    assert caught[0].filename == __file__


def test_bad_items_are_an_error():
    for score in (coverage_at_k, novelty_at_k):
        extra = 2 if score is coverage_at_k else [0.5, 0.5]
        with pytest.raises(ValueError, match=r"shape \(n_queries, k\), got the shape \(2,\)"):
            score([0, 1], extra)
        with pytest.raises(ValueError, match=r"items must be integers .* dtype float64"):
            score([[0.0]], extra)
        for item in (-2, 2):
            with pytest.raises(ValueError, match=f"-1 or an item, 0 to 1; got {item}"):
                score([[0, item]], extra)


@pytest.mark.parametrize("n_items", [0, 1.5, None])
def test_bad_number_of_items_is_an_error(n_items):
    with pytest.raises(ValueError, match=f"n_items must be .* at least 1, got {n_items!r}"):
        coverage_at_k([[0]], n_items)


def test_bad_popularity_is_an_error():
    with pytest.raises(
        ValueError, match=r"popularity must have the shape \(n_items,\), got \(1, 1"
    ):
        novelty_at_k([[0]], [[0.5]])
    for share in (0.0, 1.5, np.nan, -0.5):
        with pytest.raises(ValueError, match=f"above 0 and at most 1 .* got {share} for item 1"):
            novelty_at_k([[0, 1]], [0.5, share])
