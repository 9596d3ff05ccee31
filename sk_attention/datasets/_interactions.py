"""Made-up interactions of which is known what comes next, and why."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sk_attention._random import draw_seed
from sk_attention.datasets._frames import import_pandas

SESSION_LENGTH = 5  # interactions, in the mean
MINUTE, DAY = 60, 24 * 60 * 60  # seconds
SHORT_GAP, LONG_GAP = (1, 30 * MINUTE), (DAY, 14 * DAY)
BEGIN = np.datetime64("2024-01-01", "s")
ARRIVAL = 60 * DAY  # users come within that time
CELLS = 20_000  # users times items at once: what fits the cache is three times as fast


def make_interactions(
    n_users: int = 500,
    n_items: int = 200,
    n_interactions: int = 30,
    *,
    n_groups: int = 10,
    lag: int = 2,
    skew: float = 0.8,
    noise: float = 0.2,
    repeat: float = 0.0,
    time_effect: float = 0.0,
    context_effect: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    r"""Draw interactions of users with items, where each follows from an earlier one.

    Items belong to groups, and each group is followed by another one, all in one circle. The group
    of a user's next item is the one that follows the group of the item `lag` interactions ago: this
    is what attention to the history has to find. Within groups, items of which all users take more
    are taken more often. A user's next item is i with the probability

    .. math::
        P(i) = r \, a_i + (1 - r) \Big( \nu \, p_i + (1 - \nu) \, \big( \kappa \, p_{i | o} +
               (1 - \kappa) ( \tau \, p_{i | h} + (1 - \tau) \, p_{i | g} ) \big) \Big)

    with these symbols:

    - r is `repeat`, 0 for the first item, and a_i the share of i in the user's history.
    - :math:`\nu` is `noise`.
    - p_i is the popularity of i among the items that are new to the user, where the item of rank k
      has a popularity proportional to ``k ** -skew``; p_{i|g} the same within group g alone.
    - g is the group that follows the group of the item `lag` interactions ago.
    - h is the user's home group, and :math:`\tau` is `time_effect` where a session begins, that is
      after a long gap, and 0 within a session: a model that does not know the time of the next
      interaction cannot tell.
    - o is the group that belongs to the occasion of the interaction, which is drawn anew for each,
      and :math:`\kappa` is `context_effect`: a model that does not know the occasion cannot tell.

    Where there is no such group, or nothing new in it, p_i takes the place of p_{i|g}.

    Sessions have 5 interactions in the mean (geometric). Gaps within a session last up to half an
    hour, those between sessions 1 to 14 days. Users arrive within 60 days.

    Parameters
    ----------
    n_users : int, default=500
        Number of users.
    n_items : int, default=200
        Number of items; at least as many as the interactions of a user.
    n_interactions : int, default=30
        Mean number of interactions of a user; they have from half to one and a half times as many.
    n_groups : int, default=10
        Number of groups, equally large, or nearly.
    lag : int, default=2
        How many interactions ago the item lies on which the next one depends; 1 is the latest.
    skew : float, default=0.8
        How unequal the popularity of the items is, between 0 (all are equally popular) and 10.
    noise : float, default=0.2
        Share of the new items that depend on nothing but popularity.
    repeat : float, default=0.0
        Share of interactions with an item of the user's history. With 0 a user meets an item once.
    time_effect : float, default=0.0
        Share of the sessions that begin in the user's home group, whatever the history.
    context_effect : float, default=0.0
        Share of the interactions that follow from their occasion, whatever the history.
    random_state : int, RandomState or None, default=None
        Where the random numbers come from. An integer gives the same data in every call.

    Returns
    -------
    planted : Bunch
        The interactions and the truth about them:

        - ``data``, DataFrame in the order of time: user_id, item_id and session_id (int64, counted
          from 0) and timestamp (datetime64[ns]). With a `context_effect` also occasion (str): "o3"
          belongs to group 3.
        - ``item_groups``, ndarray of shape (n_items,): the group of each item.
        - ``next_group``, ndarray of shape (n_groups,): the group that follows each group.
        - ``home_groups``, ndarray of shape (n_users,): the home group of each user.
        - ``popularity``, ndarray of shape (n_items,): popularity of each item; the sum is 1.
        - ``lag``, int: the parameter.
        - ``probabilities``, function of an index of rows of ``data``: positions, a mask or a slice.
          Returns an ndarray of shape (n_rows, n_items): P(i) for each of these rows, given the
          user's earlier rows and home group and the row's time and occasion. In the mean no ranking
          of the items is better than the one by P(i).

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from sk_attention.datasets import make_interactions
    >>> planted = make_interactions(n_users=20, random_state=0)
    >>> planted.data.columns.tolist()
    ['user_id', 'item_id', 'timestamp', 'session_id']
    >>> last = ~planted.data.duplicated("user_id", keep="last")
    >>> planted.probabilities(last).shape
    (20, 200)
    """
    pd = import_pandas("make_interactions")
    sizes = {
        "n_users": n_users,
        "n_items": n_items,
        "n_interactions": n_interactions,
        "n_groups": n_groups,
        "lag": lag,
    }
    shares = {
        "noise": noise,
        "repeat": repeat,
        "time_effect": time_effect,
        "context_effect": context_effect,
    }
    _check(sizes, shares, skew)
    seed = draw_seed(random_state)
    rng = np.random.default_rng(seed)
    rule = _draw_rule(rng, n_items, n_groups, skew=skew, lag=lag, **shares)
    home_groups = rng.integers(n_groups, size=n_users)
    fewest, most = n_interactions - n_interactions // 2, n_interactions + n_interactions // 2
    lengths = rng.integers(fewest, most, size=n_users, endpoint=True)
    starts = rng.random((n_users, most)) < 1 / SESSION_LENGTH
    starts[:, 0] = True
    homes = np.where(starts, home_groups[:, None], -1)
    # of a stream of their own: without an effect nothing else changes
    occasions = np.random.default_rng([seed, 1]).integers(n_groups, size=starts.shape)
    n_blocks = min(n_users, -(-n_users * n_items // CELLS))
    blocks = zip(np.array_split(homes, n_blocks), np.array_split(occasions, n_blocks), strict=True)
    items = np.vstack([_draw_items(rng, rule, *block) for block in blocks])
    times = _draw_times(rng, starts)

    users, positions = np.nonzero(np.arange(most) < lengths[:, None])
    order = np.argsort(times[users, positions], kind="stable")
    sessions = starts[users, positions].cumsum() - 1
    users, positions = users[order], positions[order]
    data = pd.DataFrame(
        {
            "user_id": users,
            "item_id": items[users, positions],
            "timestamp": (BEGIN + times[users, positions]).astype("datetime64[ns]"),
            "session_id": sessions[order],
        }
    )
    if context_effect > 0:
        data["occasion"] = [f"o{group}" for group in occasions[users, positions]]
    return Bunch(
        data=data,
        item_groups=rule.item_groups,
        next_group=rule.next_group,
        home_groups=home_groups,
        popularity=rule.popularity,
        lag=lag,
        probabilities=_Truth(rule, items, homes, occasions, users, positions).probabilities,
    )


@dataclass(frozen=True)
class _Rule:
    """What the next item depends on."""

    item_groups: np.ndarray
    next_group: np.ndarray
    popularity: np.ndarray
    lag: int
    noise: float
    repeat: float
    time_effect: float
    context_effect: float

    def probabilities(
        self, counts: np.ndarray, lagged: np.ndarray, homes: np.ndarray, occasions: np.ndarray
    ) -> np.ndarray:
        """P(i) for each row.

        `counts` (n_rows, n_items) is how often the user met each item, `lagged` (n_rows,) the item
        at the lag, `homes` (n_rows,) the home group where a session begins; -1 is none. The group
        of the occasion is `occasions` (n_rows,).
        """
        new = self.popularity * (counts == 0)
        anything = new / new.sum(axis=1, keepdims=True)
        following = np.where(lagged < 0, -1, self.next_group[self.item_groups[lagged]])
        planted = self._within(following, new, anything)
        if self.time_effect > 0:
            begins = self.time_effect * (homes >= 0)[:, None]
            planted = (1 - begins) * planted + begins * self._within(homes, new, anything)
        if self.context_effect > 0:
            own = self.context_effect * self._within(occasions, new, anything)
            planted = (1 - self.context_effect) * planted + own
        fresh = self.noise * anything + (1 - self.noise) * planted
        n_past = counts.sum(axis=1, keepdims=True)
        again = self.repeat * (n_past > 0)
        return (1 - again) * fresh + again * counts / np.maximum(n_past, 1)

    def _within(self, groups: np.ndarray, new: np.ndarray, anything: np.ndarray) -> np.ndarray:
        inside = new * (self.item_groups == groups[:, None])
        total = inside.sum(axis=1, keepdims=True)
        nothing = total[:, 0] == 0
        inside /= np.where(total > 0, total, 1)
        inside[nothing] = anything[nothing]
        return inside


@dataclass(frozen=True)
class _Truth:
    """The rule, what it worked on, and which user and position in the history each row is."""

    rule: _Rule
    items: np.ndarray
    homes: np.ndarray
    occasions: np.ndarray
    users: np.ndarray
    positions: np.ndarray

    def probabilities(self, rows: Any) -> np.ndarray:
        """P(i) for rows of the data, given what came before."""
        users, positions = self.users[rows], self.positions[rows]
        histories = self.items[users]
        row, past = np.nonzero(np.arange(histories.shape[1]) < positions[:, None])
        counts = np.zeros((len(users), len(self.rule.item_groups)))
        np.add.at(counts, (row, histories[row, past]), 1)
        earlier = positions - self.rule.lag
        lagged = histories[np.arange(len(users)), np.maximum(earlier, 0)]
        lagged = np.where(earlier < 0, -1, lagged)
        moment = users, positions
        return self.rule.probabilities(counts, lagged, self.homes[moment], self.occasions[moment])


def _draw_rule(
    rng: np.random.Generator, n_items: int, n_groups: int, *, skew: float, **parameters: Any
) -> _Rule:
    circle = rng.permutation(n_groups)
    next_group = np.empty_like(circle)
    next_group[circle] = np.roll(circle, -1)
    weights = rng.permutation(np.arange(1, n_items + 1) ** -float(skew))
    return _Rule(
        item_groups=rng.permutation(np.arange(n_items) % n_groups),
        next_group=next_group,
        popularity=weights / weights.sum(),
        **parameters,
    )


def _draw_items(
    rng: np.random.Generator, rule: _Rule, homes: np.ndarray, occasions: np.ndarray
) -> np.ndarray:
    """Items in the shape of `homes`, (n_users, n_steps): step by step, by the rule itself."""
    n_users, n_steps = homes.shape
    items = np.full((n_users, n_steps), -1)
    counts = np.zeros((n_users, len(rule.item_groups)))
    users = np.arange(n_users)
    for step in range(n_steps):
        lagged = items[:, step - rule.lag] if step >= rule.lag else items[:, step]  # none yet
        moment = homes[:, step], occasions[:, step]
        cumulated = rule.probabilities(counts, lagged, *moment).cumsum(axis=1)
        thresholds = rng.random((n_users, 1)) * cumulated[:, -1:]
        items[:, step] = np.count_nonzero(cumulated <= thresholds, axis=1)
        counts[users, items[:, step]] += 1
    return items


def _draw_times(rng: np.random.Generator, starts: np.ndarray) -> np.ndarray:
    """Seconds since the beginning, (n_users, n_steps)."""
    gaps = np.where(
        starts,
        rng.integers(*LONG_GAP, size=starts.shape, endpoint=True),
        rng.integers(*SHORT_GAP, size=starts.shape, endpoint=True),
    )
    gaps[:, 0] = rng.integers(ARRIVAL, size=len(gaps))
    return gaps.cumsum(axis=1)


def _check(sizes: dict[str, int], shares: dict[str, float], skew: float) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}.")
    n_items, n_interactions = sizes["n_items"], sizes["n_interactions"]
    most = n_interactions + n_interactions // 2
    if n_items < sizes["n_groups"]:
        raise ValueError(f"n_items={n_items} is less than n_groups={sizes['n_groups']}.")
    if n_items < most:
        raise ValueError(
            f"n_items={n_items} is less than {most}, the most interactions that a user may have "
            f"with n_interactions={n_interactions}."
        )
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} must be between 0 and 1, got {share}.")
    if not 0 <= skew <= 10:
        raise ValueError(f"skew must be between 0 and 10, got {skew}.")
