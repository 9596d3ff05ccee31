"""Who sees what: no event is ever read before its time, or by another user."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sk_attention.data.histories import (
    WindowBatches,
    Windows,
    build_histories,
    build_queries,
    past_events,
    training_windows,
)

START = 7  # items are 0 (unknown) to 6


def histories(users, items, times=None, weight=None, n_users=None):
    users = np.asarray(users, dtype=np.int64)
    return build_histories(
        users,
        np.asarray(items, dtype=np.int64),
        None if times is None else np.asarray(times, dtype=np.float64),
        np.ones(len(users)) if weight is None else np.asarray(weight, dtype=np.float64),
        n_users or int(users.max(initial=-1)) + 1,
    )


def random_histories(seed=0, n_users=6, n_events=60):
    """Histories whose items tell which event they are; the last user has none."""
    rng = np.random.default_rng(seed)
    users = rng.integers(n_users - 1, size=n_events)
    times = rng.integers(20, size=n_events)
    return histories(users, np.arange(1, n_events + 1), times, n_users=n_users)


# ---- building ----------------------------------------------------------------------------------


def test_events_are_sorted_by_user_then_time_then_row():
    built = histories(
        users=[1, 0, 1, 1, 0, 1],
        items=[1, 2, 3, 4, 5, 6],
        times=[9, 4, 3, 9, 4, 3],
        weight=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        n_users=3,
    )
    assert built.items.tolist() == [2, 5, 3, 6, 1, 4]
    assert built.times.tolist() == [4, 4, 3, 3, 9, 9]
    assert built.weight.tolist() == [0.2, 0.5, 0.3, 0.6, 0.1, 0.4]
    assert built.starts.tolist() == [0, 2, 6, 6]
    assert built.users.tolist() == [0, 0, 1, 1, 1, 1]
    assert (len(built), built.n_users) == (6, 3)


def test_without_times_the_order_is_that_of_the_rows():
    built = histories(users=[1, 0, 1, 0], items=[4, 3, 2, 1])
    assert built.items.tolist() == [3, 1, 4, 2]
    assert not built.times.any()


def test_past_events_are_those_at_or_before_the_moment():
    built = histories(users=[0, 0, 0, 2], items=[1, 2, 3, 4], times=[1, 3, 3, 5], n_users=3)
    users = np.array([0, 0, 0, 0, 1, 2, 2, -1])
    at = np.array([0.0, 1.0, 3.0, 99.0, 99.0, 4.0, 5.0, 99.0])
    first, last = past_events(built, users, at)
    assert (last - first).tolist() == [0, 1, 3, 3, 0, 0, 1, 0]
    assert first[:4].tolist() == [0, 0, 0, 0]
    assert first[6] == 3


# ---- windows -----------------------------------------------------------------------------------


def test_training_windows_are_cut_from_the_last_event_backwards():
    first, last = training_windows(np.array([0, 5, 5, 6]), np.array([5, 5, 6, 10]), 2)
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [
        (3, 5),
        (1, 3),
        (0, 1),
        (5, 6),
        (8, 10),
        (6, 8),
    ]


def windows(built, length, scored=None):
    first, last = training_windows(built.starts[:-1], built.starts[1:], length)
    scored = np.ones(len(built), dtype=bool) if scored is None else scored
    return Windows(built, first, last, scored, START)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("length", [1, 3, 50])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_a_pass_meets_every_event_once_and_reads_only_the_one_before(length, batch_size, shuffle):
    built = random_histories()
    rows = windows(built, length)
    generator = torch.Generator().manual_seed(0)
    batches = WindowBatches(rows, batch_size, shuffle=shuffle, generator=generator)
    met, n_batches = [], 0
    for inputs, target in batches:
        n_batches += 1
        assert inputs["item"].shape == inputs["time"].shape == inputs["asked"].shape
        assert inputs["item"].shape[0] <= batch_size
        assert inputs["item"].shape[1] <= length
        read, when, asked = (
            inputs[name].flatten()[inputs["position"]].tolist()
            for name in ("item", "time", "asked")
        )
        for item, before, then, now in zip(target.tolist(), read, when, asked, strict=True):
            event = int(np.flatnonzero(built.items == item)[0])
            met.append(event)
            assert now == built.times[event]
            if event in built.starts:
                assert (before, then) == (START, built.times[event])
            else:
                assert (before, then) == (built.items[event - 1], built.times[event - 1])
    assert sorted(met) == list(range(60))
    assert len(rows) == 60
    assert len(batches) == n_batches


def test_a_window_reads_its_own_user_alone_from_left_to_right():
    built = random_histories()
    rows = windows(built, 4)
    (inputs, _) = rows.take(torch.arange(rows.n_windows))
    for row, (first, last) in enumerate(zip(rows.first.tolist(), rows.last.tolist(), strict=True)):
        assert built.users[first] == built.users[last - 1]
        before = [START, *built.items[:-1]][first:last]
        if first in built.starts:
            before[0] = START
        assert inputs["item"][row, : last - first].tolist() == before


def test_events_that_weigh_nothing_or_are_not_scored_are_no_targets():
    built = histories([0] * 5, [1, 2, 3, 4, 5], np.arange(5), weight=[2.0, 0.0, 1.0, 4.0, 9.0])
    rows = windows(built, 50, scored=np.array([True, True, True, True, False]))
    ((inputs, target),) = WindowBatches(rows)
    assert target.tolist() == [1, 3, 4]
    assert inputs["item"].tolist() == [[START, 1, 2, 3, 4]]  # yet they are read
    assert len(rows) == 3
    # the mean weight of the targets is 1
    np.testing.assert_allclose(inputs["weight"].numpy(), np.array([2.0, 1.0, 4.0]) / (7 / 3))


def test_weights_have_mean_one_over_what_lies_in_the_windows():
    built = histories([0] * 4, [1, 2, 3, 4], weight=[1.0, 3.0, 8.0, 80.0])
    rows = Windows(built, np.array([0]), np.array([2]), np.ones(4, dtype=bool), START)
    ((inputs, _),) = WindowBatches(rows)
    assert inputs["weight"].tolist() == [0.5, 1.5]


def test_batches_hold_windows_of_like_length():
    users = np.repeat(np.arange(40), np.arange(40) % 8 + 1)
    rows = windows(histories(users, np.ones(len(users))), 50)
    padding = sum(
        inputs["item"].numel() - len(target)
        for inputs, target in WindowBatches(rows, 5, shuffle=True)
    )
    assert padding == 0  # eight batches of five equal lengths each


def test_order_of_the_windows_comes_from_the_generator_alone():
    rows = windows(random_histories(), 3)

    def order(seed):
        generator = torch.Generator().manual_seed(seed)
        return [
            target.tolist()
            for _, target in WindowBatches(rows, 4, shuffle=True, generator=generator)
        ]

    before = torch.get_rng_state()
    assert order(1) == order(1) != order(2)
    assert torch.equal(torch.get_rng_state(), before)


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
        for name in ("item", "time", "asked"):
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
