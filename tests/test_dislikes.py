"""Rows whose y is 0 or less: items that were turned down are no targets, and are learned from."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV

from sk_attention import PopularRecommender
from sk_attention._dislikes import no_dislikes
from sk_attention._interactions import Ids
from sk_attention.data.columns import Column
from sk_attention.data.histories import Windows
from sk_attention.model_selection import evaluate, make_ranking_scorer
from tests._histories import histories
from tests._recommenders import ATTENTIONS, recommender

N_USERS, N_GROUPS, N_KINDS = 48, 3, 6


def tastes():
    """Each group of users has a taste of its own; of the odd items in it they dislike most."""
    rng = np.random.default_rng(0)
    user = np.tile(np.arange(N_USERS), 12)
    item = user % N_GROUPS * N_KINDS + rng.integers(N_KINDS, size=len(user))
    y = np.where((item % 2 == 0) | (rng.random(len(user)) < 0.3), 1, -1)
    return pd.DataFrame({"user_id": user, "item_id": item, "timestamp": np.arange(len(user))}), y


X, Y = tastes()
# turned down by a user who likes nothing, and a row that nobody else has an item of
NEVER = pd.DataFrame({"user_id": [99, 0], "item_id": [0, 77], "timestamp": len(X) + 5})
ALL, ALL_Y = pd.concat([X, NEVER], ignore_index=True), np.append(Y, [0, -2])


def lead_of_what_is_liked(model):
    """By how much the even items of a user's taste score higher than the odd ones."""
    asked = pd.DataFrame({"user_id": np.arange(N_USERS).repeat(N_KINDS), "timestamp": len(X)})
    asked["item_id"] = asked["user_id"] % N_GROUPS * N_KINDS + np.arange(len(asked)) % N_KINDS
    scores = model.decision_function(asked[X.columns]).reshape(-1, 2)
    return (scores[:, 0] - scores[:, 1]).mean()


@pytest.mark.parametrize(
    "parameters",
    [
        *({"attention": attention} for attention in ATTENTIONS),
        {"loss": "sampled_softmax", "n_negatives": 8},
        {"loss": "gbce", "n_negatives": 8},
        {"timestamp": None},
    ],
    ids=lambda parameters: str(next(iter(parameters.values()))),
)
def test_what_users_turn_down_falls_behind(parameters):
    own = recommender(max_epochs=8, early_stopping=False, **parameters)
    dropped = lead_of_what_is_liked(own.fit(X[Y > 0]))
    assert lead_of_what_is_liked(own.fit(X, Y)) > dropped + 0.1


@pytest.mark.parametrize("timed", [True, False], ids=["timed", "in order"])
def test_dislikes_belong_to_the_event_after_them_else_to_the_last(timed):
    likes = histories([0, 0, 0, 2], [1, 2, 3, 1], [1, 3, 5, 1] if timed else None, n_users=3)
    turned_down = Column("item", np.array(["d", "e", "f", "g", "d", "x", "d"]))
    dislikes = no_dislikes(3).joined(
        np.array([0, 0, 0, 0, 1, 0, 2]),
        turned_down,
        np.array([2.0, 3.0, 9.0, 0.0, 1.0, 2.0, 1.0]) if timed else None,
        np.arange(7.0),
        np.array([1, 1, 3, 0, 0, 1, 0]),
    )
    dislikes = dislikes.of_items(Ids(Column("item", np.array(list("abcdefg")))))
    places = dislikes.places(likes, timed)
    expected = {(0, 7, 3), (1, 4, 0), (1, 5, 1), (2, 6, 2), (3, 4, 6)}  # event, item, weight
    assert sorted(zip(*places, strict=True)) == sorted(expected)
    windows = Windows(
        likes, np.array([3, 1]), np.array([4, 3]), np.arange(4) != 2, 8, disliked=places
    )
    inputs, target = windows.take(torch.tensor([1, 0]))
    assert target.tolist() == [2, 3, 1]
    assert inputs["weight"].tolist() == [1, 0, 1]  # the second is there to be compared with
    found = (inputs[name].tolist() for name in ("disliked_target", "disliked", "disliked_weight"))
    assert list(zip(*found, strict=True)) == [(0, 4, 0), (0, 5, 1), (1, 6, 2), (2, 4, 6)]
    further = dislikes.places(likes, timed, new=np.arange(4) == 0, n_old=4)
    assert list(zip(*further, strict=True)) == [(0, 7, 3), (3, 4, 6)]


def test_weights_and_rows_given_twice_are_the_same_to_learn_from():
    own = recommender(early_stopping=False, batch_size=N_USERS, dropout=0.0)
    weight = np.where(Y > 0, 1.0, 2.0)
    twice = np.arange(len(X)).repeat(weight.astype(int))
    expected = own.fit(X.iloc[twice], Y[twice]).decision_function(X)
    found = own.fit(X, Y, sample_weight=weight).decision_function(X)
    assert np.abs(found - expected).max() < 0.01
    assert np.abs(own.fit(X, Y).decision_function(X) - expected).max() > 0.05


@pytest.fixture(
    scope="module", params=[recommender(), PopularRecommender()], ids=["own", "popular"]
)
def model(request):
    return request.param.fit(ALL, ALL_Y)


def test_what_a_user_turned_down_is_not_recommended_after_that(model):
    assert 77 not in model.items_
    assert 99 in model.users_
    met_once = ~X.duplicated(["user_id", "item_id"], keep=False)
    user, item, time = X[met_once & (Y < 0)].iloc[-1]
    everything = {"k": len(model.items_), "candidates": [0, item]}
    assert item not in model.recommend([user], **everything)[0]
    assert item in model.recommend([user], at=time - 1, **everything)[0]
    assert item in model.recommend([user], filter_seen=False, **everything)[0]
    assert item in model.recommend(histories=[[1]], **everything)[0]
    assert model.recommend([99], k=1, candidates=[0, 1])[0].tolist() == [[1]]
    assert set(model.recommend([99], k=2, candidates=[0, 1], at=0)[0][0]) == {0, 1}


def test_it_stays_so_when_users_and_items_join_later(model):
    joined = pd.DataFrame({"user_id": [-1, 50, 0], "item_id": [77, 1, 0], "timestamp": 9999})
    own = copy.deepcopy(model).partial_fit(joined, [1, -1, 1])
    asked = {"k": 3, "candidates": [77, 1]}
    assert 77 not in own.recommend([0], **asked)[0]
    assert own.recommend([50], **asked)[0].tolist() == [[77, None, None]]
    recorded = copy.deepcopy(own).update_history(joined.assign(user_id=-5))
    alone = copy.deepcopy(own).partial_fit(joined.iloc[:1].assign(item_id=1), [-1])
    assert alone.recommend([-1], k=2, candidates=[1, 2])[0].tolist() == [[2, None]]
    for user in (0, 50, 99):
        assert_array_equal(recorded.recommend([user])[0], own.recommend([user])[0])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_partial_fit_learns_from_dislikes_alone(attention):
    user = np.arange(N_USERS)
    rows = pd.DataFrame({"user_id": user, "item_id": user % N_GROUPS * N_KINDS})
    rows["timestamp"] = len(X)
    own = recommender(attention=attention, early_stopping=False).fit(X, Y)

    def lead(model):
        others = rows.assign(item_id=rows["item_id"] + 2)
        return (model.decision_function(rows) - model.decision_function(others)).mean()

    before, turned_down = lead(own), np.zeros(N_USERS)
    assert lead(copy.deepcopy(own).update_history(rows, turned_down)) == before
    assert lead(own.partial_fit(rows, turned_down)) < before - 0.05
    curve = own.loss_curve_
    assert 0 < curve[-1] < 1 < curve[-2]  # of two items, and no other
    own.partial_fit(rows.iloc[:1].assign(user_id=-7), [0])  # compared with nothing
    assert own.loss_curve_ == curve


def test_what_is_turned_down_later_may_be_recorded_without_training(model):
    rows = pd.DataFrame({"user_id": [0, -8, 0], "item_id": [1, 1, 0], "timestamp": 9999})
    own = copy.deepcopy(model).update_history(rows, [-1, 0, 1])
    assert own.recommend([0, -8], k=2, candidates=[0, 1, 9])[0][:, 0].tolist() == [9, 0]
    asked = own.recommend([-8], k=1, candidates=[1], filter_seen=False)
    assert asked[1] == model.recommend([-8], k=1, candidates=[1])[1]  # still without a history
    own = copy.deepcopy(model).update_history(rows, [-1, -1, -1])
    assert_array_equal(own._histories.items, model._histories.items)
    with pytest.raises(ValueError, match=r"y must hold one finite number per row"):
        own.update_history(rows, [1])


def test_shares_of_users_are_of_those_who_liked_something():
    reach = PopularRecommender().fit(ALL, ALL_Y).item_reach_
    assert_array_equal(reach, PopularRecommender().fit(X[Y > 0]).item_reach_)


# ---- scores ------------------------------------------------------------------------------------

TRAIN, TEST = X.iloc[:-100], X.iloc[-100:]
TRAIN_Y, TEST_Y = Y[:-100], Y[-100:]


@pytest.mark.parametrize("kind", [list, np.asarray, pd.Series], ids=lambda kind: kind.__name__)
def test_what_was_turned_down_is_not_to_be_foretold(kind):
    own = recommender().fit(TRAIN, kind(TRAIN_Y))
    weight = np.linspace(1, 2, 100)
    scorer = make_ranking_scorer(["ndcg", "coverage"])
    liked = TEST_Y > 0
    expected = own.score(TEST[liked], sample_weight=weight[liked])
    assert own.score(TEST, kind(TEST_Y), sample_weight=weight) == expected != own.score(TEST)
    assert scorer(own, TEST, kind(TEST_Y)) == scorer(own, TEST[liked])
    assert scorer(own, pl.from_pandas(TEST), TEST_Y) == scorer(own, TEST[liked])


def test_searches_and_evaluations_count_no_hits_of_it():
    cv = [(np.arange(len(TRAIN)), np.arange(len(TRAIN), len(X)))]
    own = recommender()
    search = GridSearchCV(own, {"n_layers": [1]}, cv=cv, error_score="raise").fit(X, Y)
    expected = own.fit(TRAIN, TRAIN_Y).score(TEST[TEST_Y > 0])
    assert search.cv_results_["mean_test_score"] == pytest.approx(expected)
    found = evaluate(own, X, Y, cv=cv, metrics=["ndcg"], n_resamples=9)
    assert {entry["n_questions"] for entry in found if entry["group"] == "all"} == {sum(TEST_Y > 0)}
    assert found[0]["score"] == pytest.approx(expected)


def test_labels_are_no_relevance():
    own = recommender(task="regression").fit(TRAIN, TRAIN_Y)
    scorer = make_ranking_scorer("ndcg")
    assert scorer(own, TEST, TEST_Y) == scorer(own, TEST)


def test_nothing_to_be_foretold_is_an_error():
    own = recommender(max_epochs=1).fit(TRAIN, TRAIN_Y)
    for score in (own.score, lambda *args: make_ranking_scorer()(own, *args)):
        with pytest.raises(ValueError, match=r"y must be above 0 for a row .* the largest is -1"):
            score(TEST, np.full(100, -1))
        with pytest.raises(ValueError, match=r"y must hold numbers, how much each .* dtype <U1"):
            score(TEST, ["a"] * 100)
    bad = [(np.arange(len(TRAIN)), len(TRAIN) + np.flatnonzero(TEST_Y < 0))]
    with pytest.raises(ValueError, match="cv has a split without a test row of a y above 0"):
        evaluate(own, X, Y, cv=bad, metrics=["ndcg"])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_batches_without_a_dislike_are_learned_too(attention):
    y = np.where(np.arange(len(X)) == 5, -1, 1)
    own = recommender(attention=attention, batch_size=4, max_epochs=1, early_stopping=False)
    assert np.isfinite(own.fit(X, y).loss_curve_).all()
