"""What followed what adds to the scores of rankings: as much as it is worth, and no more."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data.transitions import Transitions
from sk_attention.metrics import ndcg_at_k
from sk_attention.model_selection import LeaveLastOut, make_ranking_scorer
from tests._recommenders import ATTENTIONS, assert_same_model, interactions, recommender

DATA = interactions()
((TRAIN, TEST),) = LeaveLastOut().split(DATA)
X, LATER = DATA.iloc[TRAIN], DATA.iloc[TEST]


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    own = recommender(attention=request.param, max_epochs=1).fit(X)
    own.transition_weight_ = 0.7
    return own


def test_scores_gain_what_explain_tells_and_nothing_else_changes(model):
    plain = copy.copy(model)
    plain.transition_weight_ = 0.0
    gains = model.explain(LATER).transitions
    assert (gains >= 0).all() and gains.any()
    assert not plain.explain(LATER).transitions.any()
    added = model.decision_function(LATER) - plain.decision_function(LATER)
    assert_allclose(added, gains, atol=1e-5)
    strangers = LATER.assign(user_id=-1)
    assert not model.explain(strangers).transitions.any()
    assert_allclose(model.decision_function(strangers), plain.decision_function(strangers))


def test_it_is_the_latest_events_before_the_moment_that_count(model):
    user = LATER["user_id"].iloc[0]
    latest = X["item_id"][X["user_id"] == user].to_numpy()[::-1][: model.max_history]
    codes = np.searchsorted(model.items_, latest)[None] + 1
    expected = 0.7 * Transitions(model._histories, len(model.items_)).gains(codes).toarray()[0]
    rows = LATER.iloc[[0] * len(model.items_)].assign(item_id=model.items_)
    assert_allclose(model.explain(rows).transitions, expected, rtol=1e-5)


@pytest.mark.parametrize("candidates", [None, [3, 5, 9]], ids=["all", "few"])
def test_lists_are_in_the_order_of_the_scores(model, candidates):
    items, scores = model.recommend(LATER["user_id"], k=3, candidates=candidates)
    for column in range(3):
        asked = LATER.assign(item_id=items[:, column], timestamp=X["timestamp"].max())
        some = np.array([item is not None for item in items[:, column]])
        found = model.decision_function(asked[some].astype({"item_id": int}))
        assert_allclose(scores[some, column], found, rtol=1e-4, atol=1e-4)


def test_events_that_are_only_recorded_are_read_and_not_counted_and_those_learned_are(model):
    own = copy.deepcopy(model).update_history(LATER)
    assert_array_equal(own._transitions.shares.toarray(), model._transitions.shares.toarray())
    pair = pd.DataFrame({"user_id": -1, "item_id": [2, -7], "timestamp": X["timestamp"].max()})
    own = copy.deepcopy(model).partial_fit(pair)
    assert own.transition_weight_ == model.transition_weight_
    asked = pd.DataFrame({"user_id": [-2], "item_id": [-7], "timestamp": X["timestamp"].max()})
    own.update_history(asked.assign(item_id=2))
    assert own.explain(asked).transitions > 0
    assert_same_model(pickle.loads(pickle.dumps(own)), own)


def gains_without(model, counted, rows):
    """What each row gains by counts in which it is no follower: counted anew for each."""
    explained, codes = model.explain(rows), dict(zip(model.items_, range(1, 99), strict=False))
    for place, row in enumerate(rows.itertuples()):
        same = counted.times == row.timestamp.timestamp()
        same &= counted.items == codes[row.item_id]
        same &= counted.users == np.searchsorted(model.users_, row.user_id)
        assert same.any()
        latest = [codes.get(item, 0) for item in explained.history[place]]
        transitions = Transitions(counted, len(model.items_), ~same)
        yield 0.7 * transitions.pair_gains(np.array([latest]), np.array([codes[row.item_id] - 1]))


def test_rows_of_fit_gain_nothing_by_themselves(model):
    rows = X.iloc[5::40]
    expected = np.concatenate(list(gains_without(model, model._histories, rows)))
    assert_allclose(model.explain(rows).transitions, expected, rtol=1e-4, atol=1e-4)
    plain = copy.copy(model)
    plain.transition_weight_ = 0.0
    added = model.decision_function(rows) - plain.decision_function(rows)
    assert_allclose(added, expected, rtol=1e-4, atol=1e-4)
    earlier = rows.assign(timestamp=rows["timestamp"] - pd.Timedelta("1s"), item_id=3)
    own = copy.deepcopy(model).update_history(earlier)  # read before the rows, but not counted
    expected = np.concatenate(list(gains_without(own, model._histories, rows)))
    assert_allclose(own.explain(rows).transitions, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n_rows", [1, 2], ids=["asked one by one", "asked together"])
def test_rows_of_fit_are_foretold_no_better_than_others_where_all_is_chance(n_rows):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"user": np.repeat(np.arange(120), 8), "item": rng.integers(200, size=960)}
    )
    table["timestamp"] = np.arange(960) // n_rows
    own = recommender(max_epochs=1).fit(table)
    own.transition_weight_ = 5.0
    last = table.groupby("user").tail(n_rows)
    assert own.score(last) < 0.15
    assert make_ranking_scorer("ndcg", filter_seen=False)(own, last) < 0.15


def test_nothing_held_out_nothing_added():
    assert recommender(early_stopping=False).fit(X).transition_weight_ == 0.0
    assert recommender().partial_fit(X).transition_weight_ == 0.0
    fitted = recommender().fit(X)
    assert fitted.set_params(early_stopping=False).fit(X).transition_weight_ == 0.0
    assert not hasattr(fitted.set_params(task="regression").fit(X, X["item_id"]), "temperature_")
    assert not hasattr(fitted, "transition_weight_")


def test_a_rule_is_followed_after_one_pass_and_chance_is_not():
    """Items lie on a ring, and users walk along it; or they are drawn."""
    rng = np.random.default_rng(0)
    begin, ring = rng.integers(200, size=120), rng.permutation(200)
    walks = ring[(begin[:, None] + np.arange(9)) % 200]
    for items, known in ((walks, True), (rng.integers(200, size=walks.shape), False)):
        table = pd.DataFrame({"user": np.repeat(np.arange(120), 9), "item": items.ravel()})
        ((train, test),) = LeaveLastOut(user="user").split(table)
        own = recommender(max_epochs=1).fit(table.iloc[train])
        found = ndcg_at_k(*own.target_ranks(table.iloc[test]))
        own.transition_weight_ = 0.0
        alone = ndcg_at_k(*own.target_ranks(table.iloc[test]))
        assert alone < 0.15
        assert found > 0.6 if known else found < 0.15
