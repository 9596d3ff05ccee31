import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import ndcg_at_k, target_ranks
from sk_attention.model_selection import LeaveLastOut
from tests._recommenders import interactions, recommender

X = pd.DataFrame(
    {
        "user": ["Ann", "Bob", "Cy", "Cy", "Di", "Di"],
        "item": ["tea", "tea", "tea", "jam", "rum", "rum"],
        "timestamp": [1, 2, 3, 4, 5, 6],
    }
)


def test_everyone_gets_what_is_popular_and_new_to_them():
    model = PopularRecommender().fit(X)
    assert_array_equal(model.popularity_, [1, 2, 3])  # jam, rum, tea
    items, scores = model.recommend(["Ann", "Cy", "Ed"], k=3)
    assert items.tolist() == [["rum", "jam", None], ["rum", None, None], ["tea", "rum", "jam"]]
    assert (np.diff(scores[2]) < 0).all()
    assert model.recommend(["Cy"], k=3, filter_seen=False)[0].tolist() == [["tea", "rum", "jam"]]
    assert model.recommend(histories=[["tea"]], k=1)[0].tolist() == [["rum"]]


def test_old_interactions_count_less():
    model = PopularRecommender(half_life=1 / 6).fit(X.sample(frac=1, random_state=0))
    assert_allclose(model.popularity_, [2**-2, 2**-1 + 1, 2**-5 + 2**-4 + 2**-3])
    assert model.recommend(["Ed"], k=3)[0].tolist() == [["rum", "jam", "tea"]]
    slow = PopularRecommender(half_life=100.0).fit(X)
    assert slow.recommend(["Ed"], k=3)[0].tolist() == [["tea", "rum", "jam"]]
    quick = PopularRecommender(half_life=1e-6).fit(X)
    assert (quick.recommend(["Ed"], k=3)[1] > 0).all()


@pytest.mark.parametrize("half_life", [None, 0.5])
def test_what_was_met_only_later_is_not_popular_yet(half_life):
    model = PopularRecommender(half_life=half_life).fit(X)
    items, scores = model.recommend(["Ed"], k=3, at=4)  # rum is more popular than jam, later
    assert items.tolist() == [["tea", "jam", "rum"]]
    assert_allclose(scores, [[model.popularity_[2], model.popularity_[0], 0.0]])
    assert model.recommend(["Ed"], k=3, at=2)[1][0, 1:].tolist() == [0.0, 0.0]
    rows = pd.DataFrame({"user": "Ed", "item": ["jam", "rum", "tea"], "timestamp": 4})
    assert_allclose(model.predict(rows), scores[0, [1, 2, 0]])
    assert [part.tolist() for part in model.target_ranks(rows)] == [[1, 2, 0], [0, 0, 0]]
    own = model.target_ranks(X.iloc[[3]], filter_seen=False)  # jam, which nobody had met before
    assert [part.tolist() for part in own] == [[1], [1]]


@pytest.mark.parametrize("attention", ["self", "double"])
def test_users_without_a_history_get_nothing_that_was_met_only_later(attention):
    data = interactions()
    own = recommender(attention=attention, max_epochs=1).fit(data)
    first = data.groupby("item_id")["timestamp"].min()
    noon, n_items = first.sort_values().iloc[20], len(first)
    early = first.index[first <= noon]
    items, scores = own.recommend([-1], k=n_items, at=noon)
    assert set(items[0, : len(early)]) == set(early)
    assert not set(own.recommend([-1], k=len(early))[0][0]) <= set(early)
    assert_array_equal(
        own.recommend([-1], k=5, at=noon, candidates=items[0, 3:8])[1], scores[:, 3:8]
    )
    rows = pd.DataFrame({"user_id": -1, "item_id": items[0], "timestamp": noon})
    assert_allclose(own.decision_function(rows), scores[0], rtol=1e-5)
    assert own.predict_proba(rows).sum() == pytest.approx(1)
    assert_array_equal(own.target_ranks(rows)[0][: len(early)], np.arange(len(early)))
    met = rows.assign(user_id=data["user_id"].iloc[0])  # others are asked about as before
    assert own._known(own._queries(own._rows(met))).unmet is None


def test_interactions_of_one_time_are_of_one_age():
    model = PopularRecommender(half_life=0.5).fit(X.assign(timestamp=[1, 1, 1, 1, 2, 2]))
    assert_allclose(model.popularity_, np.array([1, 2, 3]) * [2 ** (-2 / 3), 1, 2 ** (-2 / 3)])


def test_a_weight_of_two_is_an_interaction_given_twice():
    model = PopularRecommender(half_life=0.2)
    twice = model.fit(pd.concat([X, X.iloc[[2]]])).popularity_
    assert_allclose(model.fit(X, sample_weight=[1, 1, 2, 1, 1, 1]).popularity_, twice)
    assert_allclose(model.fit(X, y=[1, 1, 2, 1, 1, 1]).popularity_, twice)


def test_a_row_of_weight_two_is_a_row_given_twice():
    rows = X.iloc[[0, 1, 1, 2, 3, 4, 5]]
    weighted = PopularRecommender().fit(X, sample_weight=[1, 2, 1, 1, 1, 1])
    assert_array_equal(PopularRecommender().fit(rows).popularity_, weighted.popularity_)


def test_weights_and_relevance_count():
    model = PopularRecommender().fit(X, y=[1, 1, 1, 9, 0, -1])
    assert model.items_.tolist() == ["jam", "tea"]
    assert_array_equal(model.popularity_, [9, 3])
    weighted = PopularRecommender().fit(X, sample_weight=[0, 0, 0, 9, 1, 1])
    assert_array_equal(weighted.popularity_, [9, 2])


def test_score_is_that_of_counting_by_hand():
    data = make_interactions(n_users=50, n_items=40, n_interactions=15, random_state=0).data
    train, test = (data.iloc[rows] for rows in next(LeaveLastOut().split(data)))
    model = PopularRecommender().fit(train)
    counts = np.bincount(train["item_id"], minlength=40)
    seen = np.zeros((50, 40), dtype=bool)
    seen[train["user_id"], train["item_id"]] = True
    users = test["user_id"]
    ranks = target_ranks(np.tile(counts, (len(test), 1)), test["item_id"].to_numpy(), seen[users])
    assert model.score(test) == pytest.approx(ndcg_at_k(*ranks))


def test_later_interactions_fill_the_histories():
    model = PopularRecommender().fit(X)
    model.update_history(pd.DataFrame({"user": ["Ed"], "item": ["tea"], "timestamp": [7]}))
    assert model.recommend(["Ed"], k=1)[0].tolist() == [["rum"]]


def test_there_is_no_attention_to_look_at():
    model = PopularRecommender().fit(X)
    assert not hasattr(model, "attend")
    assert hasattr(AttentionRecommender, "attend")


@pytest.mark.parametrize(
    ("parameters", "table", "match"),
    [
        ({"half_life": 0.0}, X, "'half_life' parameter of PopularRecommender"),
        ({"half_life": 0.5}, X[["user", "item"]], "half_life=0.5 counts the latest .* more, but X"),
        ({}, X[["timestamp"]], "PopularRecommender requires y to be passed"),
        ({}, X[["user"]], "found a column of users but none of items"),
    ],
)
def test_bad_input_is_refused(parameters, table, match):
    with pytest.raises(ValueError, match=match):
        PopularRecommender(**parameters).fit(table)
