"""The history rule: what a query sees, and what it does not."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sk_attention.data.histories import Windows
from sk_attention.data.queries import (
    build_queries,
    have_later_events,
    own_events,
    past_events,
)
from tests._histories import START, histories, random_histories


def test_past_events_are_those_at_or_before_the_moment():
    built = histories(users=[0, 0, 0, 2], items=[1, 2, 3, 4], times=[1, 3, 3, 5], n_users=3)
    users = np.array([0, 0, 0, 0, 1, 2, 2, -1])
    at = np.array([0.0, 1.0, 3.0, 99.0, 99.0, 4.0, 5.0, 99.0])
    first, last = past_events(built, users, at)
    assert (last - first).tolist() == [0, 1, 3, 3, 0, 0, 1, 0]
    assert first[:4].tolist() == [0, 0, 0, 0]
    assert first[6] == 3


# ---- queries: the history rule -----------------------------------------------------------------

EVENT = st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 4))  # user, item, time
QUERY = st.tuples(st.integers(-1, 3), st.integers(0, 6), st.integers(-1, 5))


def tokens_by_the_rule(events, user, item, at, max_history):
    """What a query sees: a list of (token, time), the rule in plain Python."""
    own = sorted((event for event in events if event[0] == user), key=lambda event: event[2])
    past = [(i, t) for _, i, t in own if t <= at and (item is None or (i, t) != (item, at))]
    if len(past) >= max_history:
        return past[-max_history:]
    return [(START, past[0][1] if past else at), *past]


@given(
    events=st.lists(EVENT, max_size=14),
    queries=st.lists(QUERY, min_size=1, max_size=5),
    max_history=st.integers(1, 6),
    knows_itself=st.booleans(),
)
def test_queries_follow_the_history_rule(events, queries, max_history, knows_itself):
    user, item, time = np.array(events, dtype=np.int64).reshape(-1, 3).T
    built = histories(user, item, time, n_users=4)
    users, items, at = np.array(queries, dtype=np.int64).T
    own = items if knows_itself else None
    found = build_queries(built, users, at.astype(float), own, max_history, START)
    assert len(found) == len(queries)
    for row, (who, what, when) in enumerate(queries):
        expected = tokens_by_the_rule(
            events, who, what if knows_itself else None, when, max_history
        )
        assert found.n_tokens[row] == len(expected)
        n_tokens = len(expected)
        seen = zip(found.item[row, :n_tokens], found.time[row, :n_tokens], strict=True)
        assert [(int(i), float(t)) for i, t in seen] == expected


def test_a_repeated_event_does_not_hide_what_was_before():
    built = histories([0] * 6, [1, 2, 3, 4, 4, 4], [0, 1, 2, 3, 3, 3])
    found = build_queries(built, np.array([0]), np.array([3.0]), np.array([4]), 3, START)
    assert found.n_tokens.tolist() == [3]
    assert found.item[0, :3].tolist() == [1, 2, 3]


def test_a_query_reads_what_the_window_of_its_row_reads():
    built = random_histories()
    built.times[:] = np.arange(60)  # no ties: else a query sees the rows beside its own, too
    for event in range(60):
        user = built.users[event]
        found = build_queries(
            built,
            np.array([user]),
            built.times[[event]],
            built.items[[event]],
            50,
            START,
        )
        ((inputs, _),) = found.batches(1, "cpu")
        first = built.starts[user]
        window = Windows(
            built, np.array([first]), np.array([event + 1]), np.ones(60, dtype=bool), START
        )
        expected, _ = window.take(torch.tensor([0]))
        for name in ("item", "time", "session", "asked"):
            assert_array_equal(inputs[name], expected[name])
        assert inputs["position"] == expected["position"][-1]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_batches_of_queries_point_at_the_last_token_and_its_moment(size):
    built = random_histories()
    users, at = np.array([0, 5, -1, 2, 3]), np.array([99.0, 99.0, 5.0, 3.0, 9.0])
    found = build_queries(built, users, at, None, 8, START)
    lengths, row = found.n_tokens, 0
    for inputs, target in found.batches(size, "cpu"):
        n, length = inputs["item"].shape
        assert target.shape == (n, 0)
        assert length == lengths[row : row + n].max()
        for place in range(n):
            last = lengths[row] - 1
            assert inputs["position"][place] == place * length + last
            assert inputs["asked"][place, last] == at[row]
            assert_array_equal(inputs["asked"][place, :last], found.time[row, 1 : last + 1])
            row += 1
    assert row == 5


def test_no_events_at_all_give_the_start_alone():
    found = build_queries(
        histories([], [], [], n_users=2), np.array([0, 1]), np.zeros(2), None, 5, START
    )
    assert found.n_tokens.tolist() == [1, 1]
    assert found.item[:, 0].tolist() == [START, START]


@given(
    events=st.lists(EVENT, min_size=1, max_size=14),
    queries=st.lists(QUERY, min_size=1, max_size=5),
)
def test_own_and_later_events_are_counted_as_by_hand(events, queries):
    user, item, time = np.array(events, dtype=np.int64).T
    built = histories(user, item, time, n_users=4)
    users, items, at = np.array(queries, dtype=np.int64).T
    own = own_events(built, users, at.astype(float), items)
    later = have_later_events(built, users, at.astype(float))
    assert np.diff(own.indptr).tolist() == [events.count(query) for query in queries]
    found = zip(*own.nonzero(), strict=True)
    assert all(
        (built.users[event], built.items[event], built.times[event]) == queries[query]
        for query, event in found
    )
    by_hand = [any(e[0] == who and e[2] > when for e in events) for who, _, when in queries]
    assert later.tolist() == by_hand


def test_thousands_of_rows_of_one_user_and_moment_are_compared_little_by_little():
    n_rows = 3000
    users = np.zeros(n_rows, dtype=np.int64)
    built = histories(users, np.arange(n_rows), times=users)
    tracemalloc.start()
    own = own_events(built, users, users.astype(float), np.arange(n_rows)[::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_array_equal(own.nonzero(), (np.arange(n_rows), np.arange(n_rows)[::-1]))
    assert peak < 8 * n_rows**2  # one number for each pair of rows


def test_context_is_that_of_what_was_asked_for_next_and_at_last_of_the_query():
    built = histories([0, 0, 0, 1], [1, 2, 3, 4], [1.0, 2.0, 3.0, 1.0])
    codes = {"context.category": 10 * built.items[:, None], "event.category": built.items[:, None]}
    built = replace(built, codes=codes)
    found = build_queries(built, np.array([0, 1, -1]), np.array([2.5, 9.0, 9.0]), None, 8, START)
    asked = {"context.category": np.array([[7], [8], [9]])}
    ((inputs, _),) = replace(found, asked=asked).batches(8, "cpu")
    context = inputs["context.category"][..., 0].tolist()
    assert context[0] == [10, 20, 7]  # before the first event, before the second, now
    assert context[1][:2] == [40, 8]
    assert context[2][0] == 9
    assert inputs["event.category"][0, 1:, 0].tolist() == [1, 2]
    windows = Windows(built, np.array([0]), np.array([3]), np.ones(4, dtype=bool), START)
    inputs, _ = windows.take(torch.tensor([0]))
    assert inputs["context.category"][0, :, 0].tolist() == [10, 20, 30]
