"""What followed what: against plain loops over pairs of events."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
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


@pytest.mark.parametrize("n_kept", [1, 3, 100], ids="keeps_{}".format)
def test_what_events_counted_is_left_out_as_if_they_had_not_been_counted(monkeypatch, n_kept):
    monkeypatch.setattr(transitions, "N_FOLLOWERS", n_kept)
    rng = np.random.default_rng(1)
    users, items = np.repeat([0, 1, 2], 20), rng.integers(N_ITEMS + 1, size=60)
    built = histories(users, items, weight=rng.integers(3, size=60))
    everything = Transitions(built, N_ITEMS)
    latest = np.stack(
        [np.pad(items[max(e - 6, 0) : e][::-1], (0, max(6 - e, 0))) for e in range(60)]
    )
    own = everything.counted_of(built, sp.eye_array(60, dtype=bool, format="csr"))
    gains = everything.gains(latest, own).toarray()
    for event in range(60):
        without = Transitions(built, N_ITEMS, np.arange(60) != event)
        expected = without.gains(latest[[event]]).toarray()[0]
        assert_allclose(gains[event], expected, rtol=1e-5, atol=1e-6)
    for item in range(N_ITEMS):
        one = everything.pair_gains(latest, np.full(60, item), own)
        assert_allclose(one, gains[:, item], rtol=1e-5, atol=1e-6)
    assert np.abs(gains - everything.gains(latest).toarray()).max() > 0.1


def test_several_events_are_left_out_together_and_those_never_counted_change_nothing():
    rng = np.random.default_rng(2)
    built = histories([0] * 20, rng.integers(1, N_ITEMS + 1, size=20))
    counted = np.arange(20) < 15
    events = replace(built, codes={"counted": counted})
    found = Transitions(built, N_ITEMS, counted)
    latest = built.items[[9, 8, 7, 6, 5]][None]
    for left_out in ([10, 11, 12], [17, 18]):
        own = sp.csr_array(np.isin(np.arange(20), left_out)[None])
        gains = found.gains(latest, found.counted_of(events, own)).toarray()
        without = Transitions(built, N_ITEMS, counted & ~np.isin(np.arange(20), left_out))
        assert_allclose(gains, without.gains(latest).toarray(), rtol=1e-5, atol=1e-6)


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
