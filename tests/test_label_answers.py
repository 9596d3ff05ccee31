"""Recommendations by the label that is foretold: against one row at a time."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import _label_answers, _retrieval
from tests._recommenders import ATTENTIONS, interactions, recommender

X = interactions()
LIKED = np.where((X["item_id"] + X["user_id"]) % 3 == 0, "yes", "no")
STARS = (X["item_id"] % 5 + 1).to_numpy(dtype=float)
SOON = X["timestamp"].max() + pd.Timedelta("1h")
MORE = X.assign(price=np.arange(len(X)) % 7 + 0.5, device=np.where(X.index % 2, "phone", "desk"))
N_ITEMS = X["item_id"].nunique()


@pytest.fixture(scope="module", params=ATTENTIONS)
def liking(request):
    return recommender(task="classification", attention=request.param, max_epochs=2).fit(X, LIKED)


@pytest.fixture(scope="module")
def rating():
    return recommender(task="regression", max_epochs=2).fit(MORE, STARS)


@pytest.fixture(params=["one slice", "several slices"])
def slices(request, monkeypatch):
    if request.param == "several slices":
        monkeypatch.setattr(_retrieval, "SCORES_AT_A_TIME", 7 * N_ITEMS)
        monkeypatch.setattr(_retrieval, "USERS_AT_A_TIME", 11)
        monkeypatch.setattr(_label_answers, "CANDIDATES_AT_A_TIME", 8)
        monkeypatch.setattr(_label_answers, "PAIRS_AT_A_TIME", 20)


def rows_for(user, items, **more):
    """A row for each item that a user may be given soon."""
    return pd.DataFrame({"user_id": user, "item_id": items, "timestamp": SOON, **more})


def test_items_are_ranked_by_what_is_foretold_of_a_row_each(liking, slices):
    items, scores = liking.recommend([4, 31, 4], k=5, at=SOON)
    assert items.shape == scores.shape == (3, 5) and scores.dtype == np.float32
    for user, own, found in zip([4, 31, 4], items, scores, strict=True):
        foretold = liking.predict_proba(rows_for(user, liking.items_))[:, 1]
        seen = X["item_id"][X["user_id"] == user]
        left = np.where(np.isin(liking.items_, seen), -np.inf, foretold)
        best = np.argsort(-left, kind="stable")[:5]
        assert_allclose(found, left[best], rtol=1e-5)
        assert_array_equal(own, liking.items_[best])


def test_candidates_blocked_and_seen_items_are_as_in_rankings(liking):
    everything = liking.recommend(k=N_ITEMS, filter_seen=False)[0].tolist()
    options = {"filter_seen": False, "candidates": [1, 5, 9, 12, 999], "blocked": [5, 999]}
    found, scores = liking.recommend(k=4, **options)
    assert found[:, :3].tolist() == [[i for i in row if i in (1, 9, 12)] for row in everything]
    assert found[:, 3].tolist() == [None] * 40 and np.isneginf(scores[:, 3]).all()
    assert liking.recommend([0], k=1, candidates=[])[0].tolist() == [[None]]
    assert [part.shape for part in liking.recommend([], k=3)] == [(0, 3), (0, 3)]


def test_unknown_users_get_what_nobody_with_that_history_gets(liking):
    items, scores = liking.recommend(["nobody", None, 999], k=3)
    expected = liking.recommend(histories=[[]], k=3)
    assert_array_equal(items, np.repeat(expected[0], 3, axis=0))
    assert_allclose(scores, np.repeat(expected[1], 3, axis=0), rtol=1e-5)
    items, scores = liking.recommend(histories=[[3, 999, 4], [3, 4]], k=3)
    assert not np.isin(items, [3, 4]).any() and np.isfinite(scores).all()


def test_what_is_told_of_the_moment_is_read_and_what_is_not_is_unknown(rating):
    asking = pd.DataFrame({"device": ["phone", "desk"], "user_id": [3, 8], "price": [2.5, 99.0]})
    items, scores = rating.recommend(asking.assign(timestamp=SOON), k=2)
    for row in range(2):
        told = asking.iloc[row]
        foretold = rating.predict(
            rows_for(told["user_id"], items[row], price=told["price"], device=told["device"])
        )
        assert_allclose(scores[row], foretold, rtol=1e-5)
    for table in (asking[["user_id", "device"]], pl.DataFrame({"user_id": [3, 8]})):
        items, scores = rating.recommend(table, k=2, at=SOON)
        device = "phone" if "device" in table.columns else None
        foretold = rating.predict(rows_for(3, items[0], price=np.nan, device=device))
        assert_allclose(scores[0], foretold, rtol=1e-5)


def test_what_is_not_told_is_not_what_was_missing_in_fit():
    gaps = MORE.assign(device=np.where(X.index % 3, MORE["device"], None))
    own = recommender(task="regression", max_epochs=2).fit(gaps, STARS)
    items, scores = own.recommend([3], k=2, at=SOON)
    asked = rows_for(3, items[0], price=np.nan, device="never seen")
    assert_allclose(scores[0], own.predict(asked), rtol=1e-5)
    assert not np.allclose(scores[0], own.predict(asked.assign(device=None)), rtol=1e-5)


@pytest.mark.slow
def test_where_the_moment_is_not_told_what_is_foretold_is_usual():
    """A high price decides, and is rare: where it is not known, labels are near their mean."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"user": rng.integers(40, size=800), "item": rng.integers(10, size=800)})
    table["price"] = rng.exponential(size=800)
    sizes = {"attention": "self", "max_history": 4, "batch_size": 16, "max_epochs": 15}
    own = recommender(task="classification", early_stopping=False, **{**sizes, "random_state": 1})
    own.fit(table, table["price"] > 2.0)
    assert own.score(table, table["price"] > 2.0) > 0.98
    _, scores = own.recommend(np.arange(40), k=10, filter_seen=False)
    assert abs(scores.mean() - (table["price"] > 2.0).mean()) < 0.1


def test_times_that_are_not_to_be_read_are_no_feature_either():
    own = recommender(task="regression", timestamp=None, max_epochs=1).fit(X, STARS)
    later = X.assign(timestamp=SOON)
    assert_array_equal(own.predict(later), own.predict(X))


def test_of_several_classes_the_mean_is_ranked_by_if_they_are_numbers():
    own = recommender(task="classification", max_epochs=1).fit(X, STARS.astype(int))
    items, scores = own.recommend([7], k=3, at=SOON)
    expected = own.predict_proba(rows_for(7, items[0])) @ own.classes_
    assert_allclose(scores[0], expected, rtol=1e-5)


def test_of_several_classes_without_an_order_none_is_wanted_most():
    words = np.array(["bad", "good", "so so"])[X["item_id"] % 3]
    own = recommender(task="classification", max_epochs=1).fit(X, words)
    with pytest.raises(ValueError, match=r"nobody knows which of the classes \['bad', 'good', 'so"):
        own.recommend([7])


def test_where_there_are_no_items_there_is_nothing_to_recommend():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    own = recommender(task="classification", max_epochs=1).fit(rows, rows[:, 0] > 0)
    for name in ("recommend", "similar_items", "explain", "update_history", "target_ranks"):
        assert not hasattr(own, name)


def test_ranks_of_what_comes_next_are_no_question_of_labels(liking):
    assert not hasattr(liking, "target_ranks")


def test_explanations_name_the_events_that_a_row_looks_at(liking):
    asked = rows_for(5, [3])
    explained = liking.explain(asked)
    past = X["item_id"][X["user_id"] == 5].tolist()
    assert explained.history[0].tolist() == past[: -8 - 1 : -1]
    assert_array_equal(explained.weights, liking.attend(asked))
    assert set(explained) == {"history", "weights"}
