from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_attention.data.sessions import gap_seconds, parting_gap, sessions_by_gap


def test_a_session_ends_with_a_longer_gap_or_the_user():
    users = np.array([0, 0, 0, 0, 1, 1])
    times = np.array([0.0, 10.0, 20.5, 20.5, 25.0, 35.0])
    assert sessions_by_gap(users, times, 10.0).tolist() == [0, 0, 1, 1, 2, 2]
    assert sessions_by_gap(users, times, np.inf).tolist() == [0, 0, 0, 0, 1, 1]
    assert sessions_by_gap(users[:0], times[:0], 10.0).tolist() == []


# ---- the gap that parts short from long --------------------------------------------------------


def test_gaps_of_two_kinds_are_parted_between_them():
    rng = np.random.default_rng(0)
    short, long = rng.uniform(1, 1800, 500), rng.uniform(86400, 14 * 86400, 90)
    assert parting_gap(np.concatenate([long, short])) == short.max()


@given(st.lists(st.integers(0, 50), max_size=12))
def test_parting_gap_makes_the_variance_between_the_two_kinds_largest(gaps):
    gaps = np.array(gaps, dtype=float)
    found = parting_gap(gaps)
    positive = gaps[gaps > 0]
    if len(np.unique(np.maximum(gaps, positive.min(initial=np.inf)))) < 2:
        assert found == np.inf
        return
    logs = np.log(np.maximum(gaps, positive.min()))

    def between(gap):
        short = gaps <= gap
        if short.all() or not short.any():
            return 0.0
        apart = logs[short].mean() - logs[~short].mean()
        return short.sum() * (~short).sum() * apart**2

    assert found in gaps
    assert between(found) >= max(map(between, gaps)) * (1 - 1e-9)
    assert between(found) > 0


@pytest.mark.parametrize("gaps", [[], [0.0, 0.0], [5.0], [5.0, 5.0, 0.0]])
def test_gaps_that_are_alike_part_nothing(gaps):
    assert parting_gap(np.array(gaps)) == np.inf


# ---- the parameter -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session_gap", "seconds"),
    [
        ("auto", None),
        ("30min", 1800.0),
        (" 1.5 hours ", 5400.0),
        ("90 s", 90.0),
        ("2d", 172800.0),
        ("1 week", 604800.0),
        (1800, 1800.0),
        (np.float32(0.5), 0.5),
        (timedelta(minutes=30), 1800.0),
        (np.timedelta64(30, "m"), 1800.0),
        (pd.Timedelta("30min"), 1800.0),
    ],
)
def test_gaps_may_be_written_in_many_ways(session_gap, seconds):
    assert gap_seconds(session_gap) == seconds


@pytest.mark.parametrize(
    "session_gap",
    ["soon", "30m", "min", "", "-5min", 0, -1.0, float("nan"), None, True, [30], timedelta(0)],
)
def test_what_is_no_span_of_time_is_refused(session_gap):
    with pytest.raises(ValueError, match='session_gap must be "auto" or a positive span of time'):
        gap_seconds(session_gap)


def test_not_a_time_is_refused():
    with pytest.raises(ValueError, match=r"session_gap must be .* NaT|got np\.timedelta64"):
        gap_seconds(np.timedelta64("NaT"))
