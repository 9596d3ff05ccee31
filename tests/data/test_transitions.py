"""What followed what: against plain loops over pairs of events."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data import transitions
from sk_attention.data.transitions import CAUTION, REACH, Transitions
from tests._histories import histories

N_ITEMS = 9


@pytest.fixture(scope="module")
def built():
    """Two users with events of unknown items and of weight 0; the first has many."""
    rng = np.random.default_rng(0)
    users = np.repeat([0, 2], [25, 7])
    weight = rng.integers(3, size=len(users))
    return histories(users, rng.integers(N_ITEMS + 1, size=len(users)), weight=weight, n_users=3)


def counts_by_a_loop(built, counted):
    counts, mean = np.zeros((N_ITEMS, N_ITEMS)), built.weight[built.weight > 0].mean()
    for first, last in zip(built.starts[:-1], built.starts[1:], strict=True):
        for one in range(first, last):
            for other in range(one + 1, min(one + 1 + REACH, last)):
                pair = built.items[one] - 1, built.items[other] - 1
                if min(pair) >= 0 and counted[other]:
                    counts[pair] += built.weight[other] / mean / (other - one)
    return counts


@pytest.mark.parametrize("held_out", [[], [24, 31]], ids=["all", "some"])
def test_shares_and_gains_equal_plain_loops(built, held_out):
    counted = ~np.isin(np.arange(len(built)), held_out)
    counts = counts_by_a_loop(built, counted)
    shares = counts / (CAUTION + counts.sum(axis=1, keepdims=True))
    found = Transitions(built, N_ITEMS, counted if held_out else None)
    assert_allclose(found.shares.toarray(), shares, rtol=1e-6)
    latest = np.array([[3, 5, 0, N_ITEMS + 1, 3], [0, 0, 0, 0, 0], [4, 4, 4, 4, 4]])
    gains = np.zeros((3, N_ITEMS))
    for query, items in enumerate(latest):
        for lag, item in enumerate(items, start=1):
            if 1 <= item <= N_ITEMS:
                gains[query] += shares[item - 1] / lag
    gains = np.log1p(N_ITEMS * gains / sum(1 / lag for lag in range(1, REACH + 1)))
    assert_allclose(found.gains(latest).toarray(), gains, rtol=1e-5)
    assert found.pair_gains(latest[[1]], np.array([0])) == 0.0
    for item in range(N_ITEMS):
        one = found.pair_gains(latest, np.full(3, item))
        assert_allclose(one, gains[:, item], rtol=1e-5, atol=1e-7)


def test_the_items_that_followed_most_are_kept_of_equal_ones_the_first(monkeypatch):
    monkeypatch.setattr(transitions, "N_FOLLOWERS", 2)
    built = histories([0, 0, 1, 1, 2, 2, 3, 3], [1, 5, 1, 4, 1, 3, 1, 5])
    shares = Transitions(built, 5).shares.toarray()
    assert_allclose(shares[0], [0, 0, 1 / 4, 0, 2 / 4])  # less 4, with one for caution
    assert not shares[1:].any()


def test_events_beyond_the_reach_say_nothing():
    built = histories([0] * (REACH + 2), range(1, REACH + 3))
    shares = Transitions(built, REACH + 2).shares.toarray()
    assert shares[0, REACH] > 0 == shares[0, REACH + 1]
    gains = Transitions(built, REACH + 2).gains(np.array([[0] * REACH + [1]]))
    assert gains.toarray().max() == 0


def test_who_follows_for_sure_gains_about_the_logarithm_of_the_number_of_items():
    built = histories(np.repeat(np.arange(500), 2), np.tile([1, 2], 500))
    sure = Transitions(built, 1000).gains(np.array([[1]])).toarray()
    assert_array_equal(np.flatnonzero(sure), [1])
    weight_of_the_latest = 1 / sum(1 / lag for lag in range(1, REACH + 1))
    assert sure[0, 1] == pytest.approx(math.log(1 + 1000 * weight_of_the_latest * 500 / 501))
