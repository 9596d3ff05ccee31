"""Sessions of histories, from a column or from gaps in time, and the attention that reads them."""

import copy
import pickle
from datetime import timedelta

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.datasets import make_interactions
from tests._recommenders import assert_same_model, recommender

DATA = make_interactions(
    n_users=40, n_items=30, n_interactions=12, n_groups=5, random_state=0
).data  # with session_id; its sessions end with a gap of more than half an hour
LATE = DATA["timestamp"] > DATA["timestamp"].quantile(0.8)
X = DATA.drop(columns="session_id")


def hierarchical(**parameters):
    return recommender(attention="hierarchical", **parameters)


@pytest.fixture(scope="module")
def model():
    return hierarchical(session_gap="30min").fit(X)


# ---- where sessions come from ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "table"),
    [
        ({"session_gap": 1800}, X),
        ({"session_gap": timedelta(minutes=30)}, X),
        ({"session_gap": np.timedelta64(30, "m")}, X),
        ({}, X),
        ({}, DATA),
        ({"session": "visit"}, DATA.rename(columns={"session_id": "visit"})),
        ({"session": 3}, DATA.rename(columns={"session_id": "visit"})),
        ({"session": None, "session_gap": "0.5 h"}, DATA),
        ({}, DATA.assign(session_id="s" + DATA["session_id"].astype(str))),
        ({}, DATA.assign(session_id=DATA["user_id"] + DATA["session_id"] % 2 / 2)),
    ],
    ids=[
        *("number", "timedelta", "timedelta64", "auto", "column", "name", "position"),
        *("no column", "strings", "not unique"),
    ],
)
def test_sessions_are_the_same_wherever_they_come_from(model, parameters, table):
    assert_same_model(hierarchical(**parameters).fit(table), model)


def test_without_parting_there_is_one_session(model):
    whole = hierarchical(session_gap="9999 weeks").fit(X)
    assert not np.array_equal(whole.recommend(k=5)[1], model.recommend(k=5)[1])
    assert_same_model(hierarchical(session="s").fit(X.assign(s=0)), whole)


def test_a_session_needs_no_times():
    own = hierarchical(timestamp=None).fit(DATA)
    assert np.isfinite(own.recommend(k=3)[1]).all()
    other = hierarchical(timestamp=None, session="s").fit(DATA.assign(s=0))
    assert not np.array_equal(own.recommend(k=3)[1], other.recommend(k=3)[1])


@pytest.mark.parametrize("attention", ["self", "cross", "double"])
def test_other_kinds_of_attention_do_not_look_at_sessions(attention):
    own = recommender(attention=attention).fit(DATA)
    assert_same_model(own, recommender(attention=attention, session_gap=1).fit(X))


# ---- what it reads -----------------------------------------------------------------------------


def test_weights_are_shares_of_sessions_and_of_events_within_them(model):
    rows = X[LATE]
    weights = model.attend(rows)
    there = model.explain(rows).history != None  # noqa: E711  (element by element)
    assert_allclose(weights.sum(axis=1), there.any(axis=1), atol=1e-6)
    assert not weights[~there].any()
    assert (weights[there] > 0).all()


def test_copies_recommend_the_same(model):
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_same_model(other, model)
        assert_same_model(other.update_history(X[:5]), copy.deepcopy(model).update_history(X[:5]))


# ---- histories that go on ----------------------------------------------------------------------


@pytest.mark.parametrize("table", [X, DATA], ids=["by gaps", "by a column"])
def test_sessions_go_on_with_new_events_in_whatever_pieces(table):
    knows_all = hierarchical(max_epochs=1, refit=False).fit(table)
    own = copy.deepcopy(knows_all)
    early, late = table[~LATE], table[LATE]
    empty = copy.deepcopy(own)
    for known in (own, empty):  # the same network, which forgets what it saw
        known._record(*_columns(known, early))
    own.update_history(late.iloc[1::2]).update_history(late.iloc[::2])
    empty.update_history(late)
    assert_array_equal(own._histories.items, knows_all._histories.items)
    sessions = [known._histories.sessions for known in (own, empty, knows_all)]
    changes = [np.diff(numbers) != 0 for numbers in sessions]
    assert_array_equal(changes[0], changes[2])
    assert_array_equal(changes[1], changes[2])


def _columns(own, table):
    from sk_attention._inputs import read_columns

    return read_columns(own, table, reset=False), None, None


def test_lists_of_items_are_one_session(model):
    items, scores = model.recommend(histories=[[3, 4, 5], [], [7]], k=3)
    assert items.shape == (3, 3)
    assert np.isfinite(scores).all()
    by_column = hierarchical().fit(DATA)
    assert np.isfinite(by_column.recommend(histories=[[3, 4, 5]], k=3)[1]).all()


def test_a_short_gap_parts_lists_of_items_too():
    own = hierarchical(session_gap=1e-3).fit(X)
    history = [[3, 4, 5, 6]]
    _, apart = own.recommend(histories=history, k=3)
    own._session_gap = np.inf
    assert not np.allclose(own.recommend(histories=history, k=3)[1], apart)


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "bad", "match"),
    [
        ({}, X.drop(columns="timestamp"), "neither a column of sessions nor one of times among"),
        ({"timestamp": None}, X, 'attention="hierarchical" reads a history session by session'),
        ({"session_gap": "soon"}, X, "session_gap must be"),
        ({"session_gap": -1, "attention": "self"}, X, "session_gap must be"),
        ({"session": "visit"}, X, "session='visit' is not a column of X"),
        ({"session": "item_id"}, X, "needs a column each .* got 'item_id' for two of them"),
        ({}, DATA.assign(session=1), "matches the columns 'session_id' and 'session'"),
        ({}, DATA.assign(session_id=None), "'session_id' holds ids, of which none may be missing"),
    ],
)
def test_bad_sessions_are_refused(parameters, bad, match):
    own = recommender(**{"attention": "hierarchical", **parameters})
    with pytest.raises(ValueError, match=match):
        own.fit(bad)
    assert vars(own) == own.get_params()


def test_bad_sessions_leave_the_histories_as_they_were():
    own = hierarchical().fit(DATA)
    before = own.recommend(k=3)
    with pytest.raises(ValueError, match="'session_id' holds ids"):
        own.update_history(DATA[:3].assign(session_id=None))
    assert_array_equal(own.recommend(k=3)[1], before[1])
