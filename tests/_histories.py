"""Small histories whose items tell which event they are."""

import numpy as np

from sk_attention.data.histories import build_histories

START = 7  # items are 0 (unknown) to 6


def histories(users, items, times=None, weight=None, n_users=None, sessions=None):
    users = np.asarray(users, dtype=np.int64)
    return build_histories(
        users,
        np.asarray(items, dtype=np.int64),
        None if times is None else np.asarray(times, dtype=np.float64),
        np.ones(len(users)) if weight is None else np.asarray(weight, dtype=np.float64),
        n_users or int(users.max(initial=-1)) + 1,
        None if sessions is None else np.asarray(sessions, dtype=np.int64),
    )


def random_histories(seed=0, n_users=6, n_events=60):
    """Histories whose items tell which event they are; the last user has none."""
    rng = np.random.default_rng(seed)
    users = rng.integers(n_users - 1, size=n_events)
    times = rng.integers(20, size=n_events)
    sessions = rng.integers(4, size=n_events)
    return histories(users, np.arange(1, n_events + 1), times, n_users=n_users, sessions=sessions)
