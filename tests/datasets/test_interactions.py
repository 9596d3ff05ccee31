import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.datasets import make_interactions

pd = pytest.importorskip("pandas")

MINUTE, DAY = pd.Timedelta("1min"), pd.Timedelta("1D")


def by_user(planted):
    """Rows user by user, with the group of the item and the time since the user's row before."""
    data = planted.data.sort_values(["user_id", "timestamp"], kind="stable")
    return data.assign(
        group=planted.item_groups[data["item_id"]],
        gap=data.groupby("user_id")["timestamp"].diff(),
        first=~data.duplicated("session_id"),
    )


def share_that_follows(planted, lag):
    rows = by_user(planted)
    before = rows.groupby("user_id")["group"].shift(lag)
    rows, before = rows[before.notna()], before.dropna().astype(int)
    return (planted.next_group[before] == rows["group"]).mean()


def last_rows(planted):
    return np.flatnonzero(~planted.data.duplicated("user_id", keep="last"))


def ndcg(scores, items, k=10):
    """Mean over the rows of what one relevant item gives; ties count half."""
    own = scores[np.arange(len(items)), items][:, None]
    rank = (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2
    return np.where(rank < k, 1 / np.log2(rank + 2), 0).mean()


def reference(planted, row, *, noise, repeat, time_effect):
    """P(i) of one row, as the docstring has it, in plain Python."""
    data, groups = planted.data, planted.item_groups
    now = data.iloc[row]
    past = data.iloc[:row]
    past = past[past["user_id"] == now["user_id"]]
    history = past["item_id"].tolist()

    def popular(group):
        new = [i for i in range(len(groups)) if i not in history]
        inside = [i for i in new if group is None or groups[i] == group] or new
        weights = np.zeros(len(groups))
        weights[inside] = planted.popularity[inside]
        return weights / weights.sum()

    starts = past.empty or now["timestamp"] - past["timestamp"].iloc[-1] >= DAY
    tau = time_effect if starts else 0.0
    known = len(history) >= planted.lag
    following = planted.next_group[groups[history[-planted.lag]]] if known else None
    home = popular(planted.home_groups[now["user_id"]])
    fresh = noise * popular(None) + (1 - noise) * (tau * home + (1 - tau) * popular(following))
    if not history:
        return fresh
    again = np.bincount(history, minlength=len(groups)) / len(history)
    return repeat * again + (1 - repeat) * fresh


def test_default_columns_and_truth():
    planted = make_interactions(random_state=0)
    data = planted.data
    assert list(data.columns) == ["user_id", "item_id", "timestamp", "session_id"]
    assert (data.dtypes[["user_id", "item_id", "session_id"]] == np.int64).all()
    assert data["timestamp"].dtype == "datetime64[ns]"
    assert data["timestamp"].is_monotonic_increasing
    assert_array_equal(data.index, np.arange(len(data)))
    assert len(data) == pytest.approx(500 * 30, rel=0.05)
    assert set(data["user_id"]) == set(range(500))
    assert set(data["item_id"]) == set(range(200))
    assert set(data["session_id"]) == set(range(data["session_id"].max() + 1))
    assert planted.item_groups.shape == planted.popularity.shape == (200,)
    assert planted.next_group.shape == (10,)
    assert planted.home_groups.shape == (500,)
    assert planted.lag == 2


def test_users_have_half_to_one_and_a_half_as_many_interactions():
    sizes = make_interactions(2000, random_state=0).data.groupby("user_id").size()
    assert (sizes.min(), sizes.max()) == (15, 45)
    assert sizes.mean() == pytest.approx(30, abs=0.7)


def test_groups_are_equally_large_and_follow_each_other_in_one_circle():
    planted = make_interactions(5, n_items=103, n_groups=10, random_state=0)
    assert sorted(np.bincount(planted.item_groups)) == [10] * 7 + [11] * 3
    seen = [0]
    while (group := planted.next_group[seen[-1]]) != 0:
        seen.append(group)
    assert sorted(seen) == list(range(10))


def test_sessions_are_parted_by_long_gaps():
    planted = make_interactions(random_state=0)
    rows = by_user(planted)
    assert (rows.groupby("session_id")["user_id"].nunique() == 1).all()
    inside, between = rows["gap"][~rows["first"]], rows["gap"][rows["first"]].dropna()
    assert inside.min() >= pd.Timedelta("1s")
    assert inside.max() <= 30 * MINUTE
    assert between.min() >= DAY
    assert between.max() <= 14 * DAY
    assert len(between) / len(rows["gap"].dropna()) == pytest.approx(1 / 5, abs=0.01)
    arrivals = rows[rows["gap"].isna()]["timestamp"]
    assert arrivals.min() >= pd.Timestamp("2024-01-01")
    assert arrivals.max() < pd.Timestamp("2024-01-01") + 60 * DAY


@pytest.mark.parametrize("lag", [1, 2, 4])
def test_the_next_group_follows_that_at_the_lag_alone(lag):
    planted = make_interactions(lag=lag, noise=0.2, random_state=0)
    assert share_that_follows(planted, lag) == pytest.approx(0.8 + 0.2 / 10, abs=0.02)
    others = [share_that_follows(planted, other) for other in range(1, 7) if other != lag]
    assert max(others) < 0.2


def test_items_are_popular_by_the_law_of_zipf():
    planted = make_interactions(10, skew=1.5, random_state=0)
    weights = np.sort(planted.popularity)[::-1]
    assert_allclose(weights, weights[0] * np.arange(1, 201) ** -1.5)
    assert planted.popularity.sum() == pytest.approx(1)
    assert_allclose(make_interactions(10, skew=0, random_state=0).popularity, 1 / 200)
    assert np.argmax(planted.popularity) != 0


def test_noise_alone_is_popularity():
    planted = make_interactions(4000, 20, 1, noise=1.0, random_state=0)
    counts = np.bincount(planted.data["item_id"], minlength=20)
    assert_allclose(counts / 4000, planted.popularity, atol=0.025)


def test_without_repeats_every_item_is_new():
    data = make_interactions(n_items=45, random_state=0).data
    assert not data.duplicated(["user_id", "item_id"]).any()


def test_repeats_have_their_share():
    planted = make_interactions(repeat=0.4, random_state=0)
    again = planted.data.duplicated(["user_id", "item_id"]).to_numpy()
    later = planted.data.duplicated("user_id").to_numpy()
    assert again[later].mean() == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("time_effect", [0.0, 0.5, 1.0])
def test_sessions_begin_at_home(time_effect):
    planted = make_interactions(n_items=400, time_effect=time_effect, noise=0, random_state=0)
    rows = by_user(planted)
    rows = rows[rows["gap"].notna()]
    home = rows["group"] == planted.home_groups[rows["user_id"]]
    assert time_effect - 0.03 < home[rows["first"]].mean() < time_effect + 0.13
    assert home[~rows["first"]].mean() < 0.2


@pytest.mark.parametrize(
    "shares",
    [
        {"noise": 0.2, "repeat": 0.0, "time_effect": 0.0},
        {"noise": 0.0, "repeat": 0.3, "time_effect": 0.7},
        {"noise": 0.5, "repeat": 0.6, "time_effect": 1.0},
    ],
)
@pytest.mark.parametrize("lag", [1, 3])
def test_probabilities_are_the_documented_formula(shares, lag):
    # Groups of three items run out, so that popularity takes their place.
    planted = make_interactions(6, 18, 12, n_groups=6, lag=lag, **shares, random_state=1)
    expected = [reference(planted, row, **shares) for row in range(len(planted.data))]
    assert_allclose(planted.probabilities(slice(None)), expected, atol=1e-12)


def test_probabilities_come_true():
    planted = make_interactions(1000, repeat=0.2, time_effect=0.5, random_state=0)
    rows = np.flatnonzero(np.random.default_rng(0).random(len(planted.data)) < 0.3)
    probabilities = planted.probabilities(rows)
    taken = np.zeros_like(probabilities, dtype=bool)
    taken[np.arange(len(rows)), planted.data["item_id"].to_numpy()[rows]] = True
    edges = np.quantile(probabilities[probabilities > 0], np.linspace(0, 1, 11)[1:-1])
    bins = np.digitize(probabilities, edges)
    for b in range(10):
        inside = bins == b
        expected = probabilities[inside].sum()
        assert abs(taken[inside].sum() - expected) < 4 * np.sqrt(expected) + 1


def test_probabilities_take_any_index():
    planted = make_interactions(20, random_state=0)
    whole = planted.probabilities(slice(None))
    assert whole.shape == (len(planted.data), 200)
    assert_array_equal(planted.probabilities([5, 3]), whole[[5, 3]])
    last = ~planted.data.duplicated("user_id", keep="last")
    assert_array_equal(planted.probabilities(last), whole[last.to_numpy()])
    assert planted.probabilities([]).shape == (0, 200)


def test_the_oracle_is_far_above_popularity_and_the_latest_item():
    planted = make_interactions(2000, random_state=0)
    last = last_rows(planted)
    data = planted.data
    users, items = (data[name].to_numpy() for name in ("user_id", "item_id"))
    before = np.setdiff1d(np.arange(len(data)), last)
    new = np.ones((2000, 200))
    new[users[before], items[before]] = 0
    popularity = np.bincount(items[before], minlength=200) * new[users[last]]
    history = data.iloc[before].sort_values(["user_id", "timestamp"], kind="stable")
    pairs = history.assign(next=history.groupby("user_id")["item_id"].shift(-1)).dropna()
    follows = np.zeros((200, 200))
    np.add.at(follows, (pairs["item_id"], pairs["next"].astype(int)), 1)
    latest = history.groupby("user_id")["item_id"].last()[users[last]]

    oracle = ndcg(planted.probabilities(last), items[last])
    assert oracle == pytest.approx(0.39, abs=0.03)
    assert ndcg(popularity, items[last]) < 0.4 * oracle
    assert ndcg(follows[latest] * new[users[last]], items[last]) < 0.4 * oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    n_users=st.integers(1, 5),
    n_interactions=st.integers(1, 6),
    n_groups=st.integers(1, 9),
    lag=st.integers(1, 12),
    skew=st.sampled_from([0, 0.8, 10]),
    repeat=st.sampled_from([0.0, 0.5, 1.0]),
    time_effect=st.sampled_from([0.0, 1.0]),
)
def test_any_sizes_work(seed, n_users, n_interactions, n_groups, lag, skew, repeat, time_effect):
    planted = make_interactions(
        n_users,
        9,
        n_interactions,
        n_groups=n_groups,
        lag=lag,
        skew=skew,
        repeat=repeat,
        time_effect=time_effect,
        random_state=seed,
    )
    probabilities = planted.probabilities(slice(None))
    assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()
    items = planted.data["item_id"].to_numpy()
    assert (probabilities[np.arange(len(items)), items] > 0).all()


def test_the_smallest_possible_data():
    planted = make_interactions(1, 1, 1, n_groups=1, random_state=0)
    assert planted.data[["user_id", "item_id", "session_id"]].to_numpy().tolist() == [[0, 0, 0]]
    assert planted.probabilities([0]).tolist() == [[1.0]]


def test_random_state_decides_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (make_interactions(30, random_state=7) for _ in range(2))
    pd.testing.assert_frame_equal(first.data, second.data)
    assert_array_equal(first.item_groups, second.item_groups)
    other = make_interactions(30, random_state=8)
    assert (first.item_groups != other.item_groups).any()
    assert not make_interactions(30).data.equals(make_interactions(30).data)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_planted_data_can_be_pickled():
    planted = make_interactions(10, random_state=0)
    loaded = pickle.loads(pickle.dumps(planted))
    pd.testing.assert_frame_equal(loaded.data, planted.data)
    assert_array_equal(loaded.probabilities([3]), planted.probabilities([3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_users": 0}, "n_users must be at least 1, got 0"),
        ({"n_items": 0}, "n_items must be at least 1, got 0"),
        ({"n_interactions": 0}, "n_interactions must be at least 1, got 0"),
        ({"n_groups": 0}, "n_groups must be at least 1, got 0"),
        ({"lag": 0}, "lag must be at least 1, got 0"),
        ({"n_groups": 201}, "n_items=200 is less than n_groups=201"),
        ({"n_items": 44}, "n_items=44 is less than 45, the most .* with n_interactions=30"),
        ({"noise": -0.1}, "noise must be between 0 and 1, got -0.1"),
        ({"noise": float("nan")}, "noise must be between 0 and 1, got nan"),
        ({"repeat": 1.5}, "repeat must be between 0 and 1, got 1.5"),
        ({"time_effect": 2}, "time_effect must be between 0 and 1, got 2"),
        ({"skew": -1}, "skew must be between 0 and 10, got -1"),
        ({"skew": float("nan")}, "skew must be between 0 and 10, got nan"),
    ],
)
def test_parameter_out_of_range_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_interactions(**options)


def test_occasions_ask_for_their_group_and_change_nothing_where_they_have_no_effect():
    sizes = {"n_users": 60, "n_items": 40, "n_interactions": 10, "n_groups": 4, "random_state": 0}
    planted = make_interactions(**sizes, noise=0.0, context_effect=1.0)
    occasion = planted.data["occasion"].str[1:].astype(int)
    own = planted.item_groups[planted.data["item_id"]] == occasion
    assert own.mean() > 0.9  # all, while there is anything new in the group
    probabilities = planted.probabilities(slice(None))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert "occasion" not in make_interactions(**sizes).data
