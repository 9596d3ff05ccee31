"""Who sees what: no event is ever read before its time, or by another user."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sk_attention.data.histories import (
    WindowBatches,
    Windows,
    latest_items,
    training_windows,
    windows_with,
)
from tests._histories import START, histories, random_histories

# ---- building ----------------------------------------------------------------------------------


def test_events_are_sorted_by_user_then_time_then_row():
    built = histories(
        users=[1, 0, 1, 1, 0, 1],
        items=[1, 2, 3, 4, 5, 6],
        times=[9, 4, 3, 9, 4, 3],
        weight=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        n_users=3,
        sessions=[5, 4, 3, 2, 1, 0],
    )
    assert built.items.tolist() == [2, 5, 3, 6, 1, 4]
    assert built.sessions.tolist() == [4, 1, 3, 0, 5, 2]
    assert built.times.tolist() == [4, 4, 3, 3, 9, 9]
    assert built.weight.tolist() == [0.2, 0.5, 0.3, 0.6, 0.1, 0.4]
    assert built.starts.tolist() == [0, 2, 6, 6]
    assert built.users.tolist() == [0, 0, 1, 1, 1, 1]
    assert (len(built), built.n_users) == (6, 3)


def test_without_times_the_order_is_that_of_the_rows():
    built = histories(users=[1, 0, 1, 0], items=[4, 3, 2, 1])
    assert built.items.tolist() == [3, 1, 4, 2]
    assert not built.times.any()
    assert built.sessions.tolist() == [0] * 4


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
        session = [-1, *built.sessions[:-1]][first:last]
        if first in built.starts:
            session[0] = -1
        assert inputs["session"][row, : last - first].tolist() == session


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


def test_what_no_network_reads_stays_where_it_is():
    codes = {"counted": np.ones(60, dtype=bool), "event.price": np.ones((60, 1))}
    built = replace(random_histories(), codes=codes)
    windows = Windows(built, built.starts[:1], built.starts[1:2], np.ones(60, dtype=bool), START)
    assert list(windows.codes) == ["event.price"]


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


def test_windows_are_chosen_by_what_they_hold():
    first, last = np.array([0, 3, 5, 8]), np.array([3, 5, 8, 9])
    chosen = np.isin(np.arange(9), [0, 5, 6])
    found = windows_with(first, last, chosen)
    assert [part.tolist() for part in found] == [[0, 5], [3, 8]]


def test_the_latest_items_before_a_target_are_those_of_its_window():
    built = histories([0, 0, 0, 1, 1], [1, 2, 3, 4, 5])
    scored = np.array([False, True, True, False, True])
    windows = Windows(built, np.array([0, 4]), np.array([3, 5]), scored, START)
    inputs, target = windows.take(torch.arange(2))
    assert target.tolist() == [2, 3, 5]
    assert latest_items(inputs, 3).tolist() == [[1, START, 0], [2, 1, START], [4, 0, 0]]
