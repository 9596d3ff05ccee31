import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate

from sk_attention.model_selection import GlobalTemporalSplit, LeaveLastOut, UserGroupKFold

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

SPLITTERS = [LeaveLastOut(2), GlobalTemporalSplit(2), UserGroupKFold(2)]
tables = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), min_size=1, max_size=40)


def interactions(n=60, n_users=6, seed=0):
    """Users, items and times in no order."""
    rng = np.random.default_rng(seed)
    return {
        "user_id": rng.integers(n_users, size=n),
        "item_id": rng.integers(9, size=n),
        "timestamp": rng.permutation(n),
    }


def splits(splitter, X):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]


def last_out(rows, n, n_forgotten):
    """Split of one user's rows, oldest first, by the definition."""
    rows = rows[: len(rows) - n_forgotten] if n_forgotten else rows
    return (rows[:-n], rows[-n:]) if len(rows) > n else (rows, [])


def test_hand_computed_leave_last_out():
    #            Ann at 10, 30, 20       Bob at 20, 40    Cy once
    X = np.array([[1, 10], [1, 30], [2, 20], [1, 20], [2, 40], [3, 99]])
    roles = {"user": 0, "timestamp": 1}
    assert splits(LeaveLastOut(**roles), X) == [([0, 2, 3, 5], [1, 4])]
    assert splits(LeaveLastOut(2, **roles), X) == [([0, 2], [3]), ([0, 2, 3, 5], [1, 4])]
    assert splits(LeaveLastOut(n=2, **roles), X) == [([0, 2, 4, 5], [1, 3])]


def test_leave_last_out_without_times_takes_the_order_of_rows():
    X = pd.DataFrame({"user": ["a", "b", "a", "a", "b"], "item": range(5)})
    assert splits(LeaveLastOut(), X) == [([0, 1, 2], [3, 4])]
    X["timestamp"] = [9, 9, 8, 7, 6]
    assert splits(LeaveLastOut(), X) == [([2, 3, 4], [0, 1])]
    assert splits(LeaveLastOut(timestamp=None), X) == [([0, 1, 2], [3, 4])]


@given(rows=tables, n_splits=st.integers(1, 3), n=st.integers(1, 3))
def test_leave_last_out_holds_out_the_last_rows_of_each_user(rows, n_splits, n):
    X = np.array(rows)
    splitter = LeaveLastOut(n_splits, n=n, user=0, timestamp=1)
    ordered = sorted(range(len(rows)), key=lambda row: rows[row][1])  # stable
    of_user = [[row for row in ordered if rows[row][0] == user] for user in range(5)]
    expected = []
    for n_forgotten in range((n_splits - 1) * n, -1, -n):
        parts = [last_out(own, n, n_forgotten) for own in of_user]
        train, test = (sorted(row for part in parts for row in part[side]) for side in (0, 1))
        expected.append((train, test))
    if all(test for _, test in expected):
        assert splits(splitter, X) == expected
    else:
        with pytest.raises(ValueError, match="holds out nothing in a split: no user has more than"):
            splits(splitter, X)


def test_hand_computed_temporal_split():
    X = pd.DataFrame({"user": [1, 2, 2, 1, 2, 1], "timestamp": [10, 60, 20, 30, 40, 50]})
    splitter = GlobalTemporalSplit(2, test_size=0.3)
    assert splits(splitter, X) == [([0, 2], [3, 4]), ([0, 2, 3, 4], [1, 5])]
    splitter = GlobalTemporalSplit(1, test_size=0.7, targets="first")
    assert splits(splitter, X) == [([0, 2], [3, 4])]


def test_equal_times_are_never_torn_apart():
    X = np.array([[1], [2], [2], [2], [3], [3], [4]])
    splitter = GlobalTemporalSplit(2, test_size=0.3, timestamp=0)  # blocks of 2 rows
    assert splits(splitter, X) == [([0], [1, 2, 3]), ([0, 1, 2, 3], [4, 5, 6])]


@given(
    rows=tables,
    n_splits=st.integers(1, 3),
    test_size=st.floats(0.05, 0.5),
    targets=st.sampled_from(["all", "first"]),
)
def test_temporal_split_never_looks_into_the_future(rows, n_splits, test_size, targets):
    X = np.array(rows)
    time = X[:, 1]
    splitter = GlobalTemporalSplit(
        n_splits, test_size=test_size, targets=targets, user=0, timestamp=1
    )
    try:
        found = list(splitter.split(X))
    except ValueError as error:
        assert "leaves nothing to train on" in str(error) or "rows of equal time" in str(error)
        return
    assert len(found) == n_splits
    for train, test in found:
        assert time[train].max() < time[test].min()
        assert_array_equal(train, np.flatnonzero(time < time[train].max() + 1))
    ends = [time[test].min() for _, test in found[1:]] + [np.inf]
    for (train, test), end in zip(found, ends, strict=True):
        block = np.flatnonzero((time > time[train].max()) & (time < end))
        if targets == "all":
            assert_array_equal(test, block)
            continue
        order = block[np.argsort(time[block], kind="stable")]
        assert_array_equal(test, np.sort(order[np.unique(X[order, 0], return_index=True)[1]]))


@given(n=st.integers(10, 200), n_splits=st.integers(1, 4), test_size=st.floats(0.02, 0.2))
def test_temporal_blocks_have_the_wanted_size_where_times_differ(n, n_splits, test_size):
    X = np.random.default_rng(n).permutation(n)[:, None]
    found = list(GlobalTemporalSplit(n_splits, test_size=test_size, timestamp=0).split(X))
    assert {len(test) for _, test in found} == {max(1, round(test_size * n))}
    tested = np.concatenate([test for _, test in found])
    assert len(set(tested.tolist())) == len(tested)
    assert X[tested].min() == n - len(tested)


@given(rows=tables, n_splits=st.integers(2, 4), shuffle=st.booleans())
def test_user_folds_hold_out_each_user_once(rows, n_splits, shuffle):
    X = np.array(rows)
    splitter = UserGroupKFold(n_splits, user=0, shuffle=shuffle, random_state=0)
    if len(np.unique(X[:, 0])) < n_splits:
        with pytest.raises(ValueError, match="needs a user for each split, X has"):
            splits(splitter, X)
        return
    found = list(splitter.split(X))
    for train, test in found:
        assert not set(X[train, 0].tolist()) & set(X[test, 0].tolist())
        assert sorted([*train, *test]) == list(range(len(X)))
    assert sorted(np.concatenate([test for _, test in found]).tolist()) == list(range(len(X)))
    if not shuffle:
        expected = GroupKFold(n_splits).split(X, groups=X[:, 0])
        for ours, theirs in zip(found, expected, strict=True):
            assert_array_equal(ours[1], theirs[1])


def test_shuffled_user_folds_repeat_with_their_seed_only():
    X = np.arange(40)[:, None]
    seeded = UserGroupKFold(4, user=0, shuffle=True, random_state=0)
    assert splits(seeded, X) == splits(seeded, X)
    free = UserGroupKFold(4, user=0, shuffle=True)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert splits(free, X) != splits(free, X)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_train_and_test_are_apart_and_sorted(splitter):
    X = pd.DataFrame(interactions())
    found = list(splitter.split(X))
    assert len(found) == splitter.get_n_splits(X) == splitter.get_n_splits() == 2
    for train, test in found:
        assert train.dtype == test.dtype == np.intp
        assert len(train)
        assert len(test)
        assert not set(train.tolist()) & set(test.tolist())
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_frames_and_arrays_split_alike(splitter):
    columns = interactions()
    expected = splits(splitter, pd.DataFrame(columns))
    assert splits(splitter, pl.DataFrame(columns)) == expected
    names = list(columns)
    positions = {
        role: names.index(name)
        for role, name in [("user", "user_id"), ("timestamp", "timestamp")]
        if hasattr(splitter, role)
    }
    by_position = clone(splitter, safe=False)
    vars(by_position).update(positions)
    array = np.column_stack(list(columns.values()))
    assert splits(by_position, array) == expected
    assert splits(by_position, array.astype(float)) == expected
    assert splits(by_position, array.tolist()) == expected
    assert splits(by_position, pd.DataFrame(columns)) == expected


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_names_and_datetimes_are_welcome(splitter, frame):
    columns = interactions()
    expected = splits(splitter, frame(columns))
    start = dt.datetime(2024, 10, 20, tzinfo=dt.UTC)
    columns["user_id"] = [f"user {number}" for number in columns["user_id"].tolist()]
    columns["timestamp"] = [start + dt.timedelta(hours=h) for h in columns["timestamp"].tolist()]
    assert splits(splitter, frame(columns)) == expected


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_splitters_go_wherever_cv_does(splitter, frame):
    X = frame(interactions())
    y = np.arange(60) % 2
    results = cross_validate(
        DummyClassifier(), X, y, cv=splitter, return_indices=True, error_score="raise"
    )
    for ours, theirs in zip(
        splitter.split(X), zip(*results["indices"].values(), strict=True), strict=True
    ):
        assert_array_equal(ours[0], theirs[0])
        assert_array_equal(ours[1], theirs[1])
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior", "uniform"]}, cv=splitter)
    assert repr(clone(search).fit(X, y).cv) == repr(splitter)


def test_representation_shows_every_parameter():
    assert repr(LeaveLastOut(n=2)) == (
        "LeaveLastOut(n=2, n_splits=1, timestamp='auto', user='auto')"
    )
    assert repr(UserGroupKFold(user="who")) == (
        "UserGroupKFold(n_splits=5, random_state=None, shuffle=False, user='who')"
    )


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (LeaveLastOut(0), r"'n_splits' parameter of LeaveLastOut must be .* \[1, inf\). Got 0"),
        (LeaveLastOut(n=0), "'n' parameter of LeaveLastOut must be an int .* Got 0"),
        (LeaveLastOut(n=1.5), "'n' parameter of LeaveLastOut must be an int .* Got 1.5"),
        (GlobalTemporalSplit("3"), "'n_splits' parameter of GlobalTemporalSplit .* Got '3'"),
        (GlobalTemporalSplit(test_size=0), r"'test_size' .* in the range \(0.*, 1.*\). Got 0"),
        (GlobalTemporalSplit(test_size=20), r"'test_size' .* in the range \(0.*, 1.*\). Got 20"),
        (GlobalTemporalSplit(targets="last"), "'targets' parameter .* Got 'last'"),
        (UserGroupKFold(1), r"'n_splits' parameter of UserGroupKFold .* \[2, inf\). Got 1"),
        (UserGroupKFold(shuffle="yes"), "'shuffle' parameter of UserGroupKFold .* Got 'yes'"),
        (UserGroupKFold(random_state="a"), "'random_state' parameter of UserGroupKFold .* 'a'"),
        (UserGroupKFold(7), "n_splits=7.* needs a user for each split, X has 6"),
        (
            LeaveLastOut(n=60),
            "n=60 holds out nothing in a split: no user has more than 60 interactions",
        ),
        (GlobalTemporalSplit(5, test_size=0.2), "nothing to train on: X has 60 rows, .* takes 12"),
        (LeaveLastOut(user="who"), "user='who' is not a column of X"),
        (LeaveLastOut(timestamp=7), "timestamp must be .* 0 to 2; got 7"),
        (LeaveLastOut(user=None), "LeaveLastOut needs a user column, which user=None does not"),
        (UserGroupKFold(user=None), "UserGroupKFold needs a user column"),
        (GlobalTemporalSplit(timestamp=None), "GlobalTemporalSplit needs a timestamp column"),
    ],
)
def test_bad_parameters_are_an_error(splitter, message):
    with pytest.raises(ValueError, match=message):
        splits(splitter, pd.DataFrame(interactions()))


def test_cuts_between_equal_times_only_are_an_error():
    for time in ([1, 1, 1, 1, 1, 2], [1, 2, 2, 2, 2, 2]):
        X = pd.DataFrame({"timestamp": time})
        with pytest.raises(ValueError, match="cannot cut between rows of equal time"):
            splits(GlobalTemporalSplit(2, test_size=0.3), X)


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_columns_that_are_not_found_are_an_error(splitter):
    role = "timestamp" if isinstance(splitter, GlobalTemporalSplit) else "user"
    message = rf"needs a {role} column, which {role}='auto' does not find among .* \['x0', 'x1'\]"
    with pytest.raises(ValueError, match=message):
        splits(splitter, np.zeros((9, 2)))
    with pytest.raises(ValueError, match=f"call it '{role}'"):
        splits(splitter, pd.DataFrame({"a": [1, 2, 3]}))
    with pytest.raises(ValueError, match="an array of two dimensions, got 1 dimensions"):
        splits(splitter, [1, 2, 3])


def test_users_are_needed_for_first_targets_only():
    X = pd.DataFrame({"timestamp": range(20)})
    assert len(splits(GlobalTemporalSplit(), X)) == 3
    with pytest.raises(ValueError, match="GlobalTemporalSplit needs a user column"):
        splits(GlobalTemporalSplit(targets="first"), X)
