"""What a fitted recommender answers."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from sk_attention import PopularRecommender, _retrieval
from sk_attention.metrics import ndcg_at_k
from sk_attention.metrics import target_ranks as ranks_of_scores
from sk_attention.model_selection import LeaveLastOut
from sk_attention.nn import recommender as networks
from tests._recommenders import ATTENTIONS, interactions, recommender

DATA = interactions()
((TRAIN, TEST),) = LeaveLastOut().split(DATA)
X, LATER = DATA.iloc[TRAIN], DATA.iloc[TEST]
N_ITEMS = X["item_id"].nunique()
LONG_AGO, FAR_AHEAD = "1999-01-01", "2099-01-01"


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    return recommender(attention=request.param).fit(X)


@pytest.fixture(scope="module", params=["self", "cross", "double"])
def timeless(request):
    return recommender(attention=request.param, timestamp=None).fit(X)


@pytest.fixture(params=["one slice", "several slices"])
def slices(request, monkeypatch):
    if request.param == "several slices":
        monkeypatch.setattr(_retrieval, "SCORES_AT_A_TIME", 7 * N_ITEMS)


def past(user, at=None):
    """Items of a user, from the first to the last."""
    own = X[X["user_id"] == user]
    return own["item_id"][own["timestamp"] <= (at or own["timestamp"].max())].tolist()


def all_scores(model, rows):
    """Scores of all items for the user and moment of each row, one at a time (n_rows, n_items)."""
    tables = [rows.iloc[[row] * N_ITEMS].assign(item_id=model.items_) for row in range(len(rows))]
    return np.array([model.decision_function(table) for table in tables])


# ---- recommend ---------------------------------------------------------------------------------


def test_recommendations_are_the_best_new_items_best_first(model, slices):
    items, scores = model.recommend(k=4)
    assert items.shape == scores.shape == (40, 4)
    assert (items.dtype, scores.dtype) == (model.items_.dtype, np.float32)
    assert (np.diff(scores) <= 0).all()
    moment = pd.DataFrame({"user_id": model.users_, "timestamp": X["timestamp"].max()})
    everything = all_scores(model, moment.assign(item_id=0)[list(X)])
    for user, own in enumerate(model.users_):
        left = np.where(np.isin(model.items_, past(own)), -np.inf, everything[user])
        expected = np.argsort(-left)[:4]
        assert items[user].tolist() == model.items_[expected].tolist()
        assert_allclose(scores[user], left[expected], atol=1e-5)


def test_some_users_get_what_they_get_among_all(model):
    items, scores = model.recommend(k=3)
    some = np.array([31, 4, 4, 17])
    for users in (some, some.tolist(), pd.Series(some), pl.Series(some), tuple(some)):
        found, found_scores = model.recommend(users, k=3)
        assert_array_equal(found, items[some])
        assert_allclose(found_scores, scores[some], atol=1e-5)


def test_what_was_seen_is_left_out_unless_wanted(model):
    items, _ = model.recommend(k=N_ITEMS - 18)  # nobody met more than 18
    assert not any(set(row) & set(past(user)) for user, row in enumerate(items.tolist()))
    items, scores = model.recommend(k=N_ITEMS, filter_seen=False)
    assert all(sorted(row) == model.items_.tolist() for row in items.tolist())
    assert np.isfinite(scores).all()


def test_lists_end_where_nothing_is_left(model):
    items, scores = model.recommend([0], k=N_ITEMS + 5)
    n_left = N_ITEMS - len(set(past(0)))
    assert items.shape == (1, N_ITEMS + 5)
    assert items.dtype == object
    assert sorted(items[0, :n_left]) == sorted(set(model.items_.tolist()) - set(past(0)))
    assert items[0, n_left:].tolist() == [None] * (N_ITEMS + 5 - n_left)
    assert np.isfinite(scores[0, :n_left]).all()
    assert np.isneginf(scores[0, n_left:]).all()


def test_candidates_and_blocked_items_narrow_the_choice(model):
    everything = model.recommend(k=N_ITEMS, filter_seen=False)[0].tolist()
    wanted, unwanted = [1, 5, 9, 12, 999], np.array([5, 999])
    found, scores = model.recommend(k=4, filter_seen=False, candidates=wanted, blocked=unwanted)
    assert found[:, :3].tolist() == [[i for i in row if i in (1, 9, 12)] for row in everything]
    assert found[:, 3].tolist() == [None] * 40
    assert np.isneginf(scores[:, 3]).all()
    found, _ = model.recommend(k=N_ITEMS - 1, filter_seen=False, blocked=pd.Series([5]))
    assert found.tolist() == [[i for i in row if i != 5] for row in everything]
    found, _ = model.recommend([0], k=1, candidates=past(0))
    assert found.tolist() == [[None]]
    assert model.recommend([0], k=1, candidates=[])[0].tolist() == [[None]]


def test_unknown_users_get_what_one_without_a_history_gets(model):
    items, scores = model.recommend([999, "nobody", None, 0.5], k=5)
    expected, expected_scores = model.recommend(histories=[[]], k=5)
    assert_array_equal(items, np.repeat(expected, 4, axis=0))
    assert_allclose(scores, np.repeat(expected_scores, 4, axis=0), atol=1e-5)


def test_users_without_a_history_get_what_is_popular_lately(model, timeless):
    popular = PopularRecommender(half_life=0.1).fit(X)
    expected = np.log(popular.popularity_ / popular.popularity_.sum())
    items, scores = model.recommend(["nobody"], k=N_ITEMS)
    assert_allclose(scores[0], expected[np.searchsorted(model.items_, items[0])], atol=1e-5)
    rows = LATER.assign(user_id=999)
    codes = np.searchsorted(model.items_, rows["item_id"])
    assert_allclose(model.decision_function(rows), expected[codes], atol=1e-5)
    assert_array_equal(model.target_ranks(rows), popular.target_ranks(rows))
    # without times nothing is late
    items, _ = timeless.recommend(["nobody"], k=N_ITEMS)
    counts = X["item_id"].value_counts()
    assert (np.diff(counts[items[0]]) <= 0).all()


def test_nobody_asked_gets_nothing(model):
    for found in (model.recommend([], k=3), model.recommend(histories=[], k=3)):
        assert [part.shape for part in found] == [(0, 3), (0, 3)]


def test_at_a_moment_in_the_past_later_events_are_not_there(model):
    noon = X["timestamp"].median()
    early = X[X["timestamp"] <= noon]
    items, _ = model.recommend(k=N_ITEMS, at=noon)
    for user in model.users_:
        left = set(model.items_.tolist()) - set(early["item_id"][early["user_id"] == user])
        assert {item for item in items[user] if item is not None} == left
    # a model that does not know them yet recommends the same then
    ignorant = recommender(attention=model.attention).fit(early)
    knowing = copy.deepcopy(ignorant).update_history(X[X["timestamp"] > noon])
    expected = ignorant.recommend(k=5, at=noon)[1]
    assert_allclose(knowing.recommend(ignorant.users_, k=5, at=noon)[1], expected, atol=1e-5)
    assert not np.allclose(knowing.recommend(ignorant.users_, k=5)[1], expected)


def test_moments_may_be_written_in_many_ways(model):
    noon = X["timestamp"].iloc[200]
    expected = model.recommend(k=3, at=noon)
    tokyo = noon.tz_localize("UTC").tz_convert("Asia/Tokyo")
    numpy, python = noon.to_datetime64(), noon.to_pydatetime()
    for at in (numpy, python, tokyo, tokyo.to_pydatetime(), str(noon)):
        assert_array_equal(model.recommend(k=3, at=at)[1], expected[1])
    frame = pd.DataFrame({"user_id": model.users_, "timestamp": noon})
    for table in (frame, pl.from_pandas(frame), frame.assign(more=1)):
        assert_array_equal(model.recommend(table, k=3)[1], expected[1])
    assert_array_equal(model.recommend(frame[["user_id"]], k=3, at=noon)[1], expected[1])


def test_before_all_events_everybody_is_new(model):
    items, scores = model.recommend(k=3, at=LONG_AGO)
    assert_array_equal(items, np.repeat(items[:1], 40, axis=0))
    assert_allclose(scores, np.repeat(scores[:1], 40, axis=0), atol=1e-5)


def test_without_a_moment_it_is_that_of_the_last_interaction(model):
    expected = model.recommend(k=3, at=X["timestamp"].max())[1]
    assert_array_equal(model.recommend(k=3)[1], expected)
    assert (model.recommend(k=3, at=FAR_AHEAD)[1] != expected).any()


@pytest.mark.parametrize("columns", [["who", "what", "when"], ["when", "what", "who"]])
def test_users_are_found_in_tables_by_the_names_of_fit(model, columns):
    names = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    table = X.rename(columns=names)[columns]
    roles = {"user": "who", "item": "what", "timestamp": columns.index("when")}
    own = recommender(attention=model.attention, **roles).fit(table)
    expected = model.recommend([3, 5], k=3)[1]
    assert_array_equal(own.recommend(pd.DataFrame({"who": [3, 5]}), k=3)[1], expected)
    noon = X["timestamp"].median()
    both = pd.DataFrame({"when": [noon, noon], "who": [3, 5]})
    assert_array_equal(own.recommend(both, k=3)[1], model.recommend([3, 5], k=3, at=noon)[1])


def test_an_array_of_rows_asks_at_their_times():
    seconds = X.assign(timestamp=X["timestamp"].astype("datetime64[s]").astype(np.int64))
    own = recommender().fit(seconds)
    rows = seconds.iloc[::40]
    expected = own.recommend(rows[["user_id", "timestamp"]], k=3)
    roles = {"user": 0, "item": 1, "timestamp": 2}
    found = recommender(**roles).fit(seconds.to_numpy()).recommend(rows.to_numpy(), k=3)
    assert_array_equal(found[1], expected[1])


# ---- histories of others -----------------------------------------------------------------------


def test_histories_of_others_give_what_the_same_user_would_get(timeless):
    expected, scores = timeless.recommend(k=5)
    found, found_scores = timeless.recommend(histories=[past(u) for u in timeless.users_], k=5)
    assert_array_equal(found, expected)
    assert_allclose(found_scores, scores, atol=1e-5)


def test_histories_may_hold_unknown_items_and_be_of_any_length(model):
    items, scores = model.recommend(histories=[[], [3], [3, 999, "x"], past(0) * 9], k=3)
    assert items.shape == (4, 3)
    assert np.isfinite(scores).all()
    assert not np.isin(items[1:3], [3]).any()
    assert not np.allclose(scores[1], scores[2])  # something came after item 3
    several = [np.array([3, 4]), pd.Series([3, 4]), (3, 4), pl.Series([3, 4])]
    _, scores = model.recommend(histories=several, k=3)
    assert_allclose(scores, np.repeat(scores[:1], 4, axis=0), atol=1e-6)


# ---- scores of rows ----------------------------------------------------------------------------

METHODS = ["decision_function", "predict", "transform", "attend"]


@pytest.mark.parametrize("method", METHODS)
def test_a_row_gives_the_same_alone_and_among_others(model, method):
    function = getattr(model, method)
    rows = pd.concat([LATER, X.iloc[::5], LATER.assign(user_id=99), LATER.assign(item_id=99)])
    together = function(rows)
    assert len(together) == len(rows)
    assert np.isfinite(together).all()
    order = np.random.default_rng(0).permutation(len(rows))
    assert_allclose(function(rows.iloc[order]), together[order], atol=1e-5)
    assert_allclose(function(rows.iloc[10:30]), together[10:30], atol=1e-5)
    for row in (0, 41, 120, len(rows) - 1):
        assert_allclose(function(rows.iloc[[row]])[0], together[row], atol=1e-5)


def test_a_row_of_fit_does_not_see_itself(model):
    """As if its event were not there: the model that never had it gives the same."""
    knowing = copy.deepcopy(model).update_history(LATER)
    for method in METHODS:
        expected = getattr(model, method)(LATER)
        assert_allclose(getattr(knowing, method)(LATER), expected, atol=1e-6)
    assert_array_equal(knowing.target_ranks(LATER), model.target_ranks(LATER))
    # another item at that moment does see it
    other = LATER.assign(item_id=(LATER["item_id"] + 1) % 30)
    assert not np.allclose(knowing.transform(other), model.transform(other), atol=1e-3)


def test_a_row_sees_nothing_later(model):
    knowing = copy.deepcopy(model).update_history(LATER)
    early = X[X["timestamp"] <= X["timestamp"].median()].assign(item_id=3)
    last = LATER.set_index("user_id")["timestamp"].reindex(early["user_id"]).to_numpy()
    early = early[early["timestamp"].to_numpy() < last]
    assert len(early) > 100
    assert_allclose(knowing.decision_function(early), model.decision_function(early), atol=1e-6)
    after = LATER.assign(timestamp=LATER["timestamp"] + pd.Timedelta("1s"), item_id=3)
    assert not np.allclose(knowing.decision_function(after), model.decision_function(after))


def test_scores_are_products_of_the_vectors_that_transform_gives(model):
    vectors = model.transform(LATER)
    assert (vectors.shape, vectors.dtype) == ((len(LATER), 8), np.float32)
    if model.attention in ("cross", "double"):
        return  # a candidate reads the history, too
    network = model.net_.module_
    items = network.embedding[1:-1].detach().numpy()
    bias = network.item_bias.detach().numpy()
    code = np.searchsorted(model.items_, LATER["item_id"])
    expected = (vectors * items[code]).sum(axis=1) + bias[code] + model.explain(LATER).transitions
    scores = model.decision_function(LATER)
    assert scores.dtype == np.float64
    assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    assert_array_equal(model.predict(LATER), scores)


def test_an_unknown_item_scores_as_low_as_the_lowest(model, slices):
    rows = LATER.iloc[:9].copy()
    rows.loc[rows.index[[0, 8]], "item_id"] = 999
    scores = model.decision_function(rows)
    assert_allclose(scores[[0, 8]], all_scores(model, rows.iloc[[0, 8]]).min(axis=1), atol=1e-5)
    assert_allclose(scores[1:8], model.decision_function(LATER.iloc[1:8]), atol=1e-5)


@pytest.mark.parametrize("filter_seen", [True, False])
def test_target_ranks_are_those_by_hand(model, filter_seen, slices):
    rows = LATER.copy()
    rows.iloc[0, 1] = 999  # an unknown item
    rows.iloc[1, 0] = 999  # an unknown user
    targets = np.where(rows["item_id"] == 999, -1, np.searchsorted(model.items_, rows["item_id"]))
    excluded = np.array([np.isin(model.items_, past(user)) for user in rows["user_id"]])
    expected = ranks_of_scores(all_scores(model, rows), targets, excluded if filter_seen else None)
    found = model.target_ranks(rows, filter_seen=filter_seen)
    assert_array_equal(found, expected)
    assert [part.dtype for part in found] == [np.intp, np.intp]


def test_score_is_ndcg_at_ten_of_what_is_new(model):
    ranks = model.target_ranks(LATER)
    assert model.score(LATER) == pytest.approx(ndcg_at_k(*ranks, k=10))
    weight = np.random.default_rng(0).uniform(size=len(LATER))
    expected = ndcg_at_k(*ranks, k=10, sample_weight=weight)
    assert model.score(LATER, sample_weight=weight) == pytest.approx(expected)
    assert model.score(LATER.assign(item_id=999)) == 0.0
    assert 0.0 < model.score(LATER.assign(user_id=999)) < 1.0


def test_score_of_a_small_catalogue_counts_the_places_there_are():
    few = X[X["item_id"] < 6]
    own = recommender().fit(few)
    assert len(own.items_) == 6
    assert 0.3 < own.score(few) <= 1.0


def test_items_of_like_vectors_are_similar(model, slices):
    vectors = model.net_.module_.embedding[1:-1].detach().numpy()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    neighbours, similarities = model.similar_items([7, 2, 7], k=4)
    for row, item in enumerate([7, 2, 7]):
        others = np.delete(model.items_, item)
        expected = others[np.argsort(-cosines[item, others])[:4]]
        assert neighbours[row].tolist() == expected.tolist()
        assert_allclose(similarities[row], cosines[item, expected], atol=1e-6)
    neighbours, similarities = model.similar_items(pd.Series([7]), k=N_ITEMS + 1)
    assert sorted(neighbours[0, :-2]) == [item for item in model.items_ if item != 7]
    assert neighbours[0, -2:].tolist() == [None, None]
    assert np.isneginf(similarities[0, -2:]).all()


# ---- candidates that read the history ----------------------------------------------------------


@pytest.fixture(scope="module")
def double():
    own = recommender(attention="double").fit(X)
    own.transition_weight_ = 0.0  # what followed what plays no part here
    return own


@pytest.fixture
def few_are_ranked_anew(monkeypatch):
    monkeypatch.setattr(networks, "RERANKED", 6)


def test_the_best_by_vector_are_ranked_anew_and_the_rest_stays_behind(double, few_are_ranked_anew):
    items, scores = double.recommend(k=N_ITEMS)
    assert (scores[:, :-1] >= scores[:, 1:])[np.isfinite(scores[:, 1:])].all()
    rows = X.drop_duplicates("user_id", keep="last").sort_values("user_id")
    rows = rows.assign(timestamp=X["timestamp"].max())
    network, vectors = double.net_.module_, double.transform(rows.assign(item_id=999))
    by_vector = vectors @ network.item_vectors().detach().numpy().T
    by_vector += network.item_bias.detach().numpy()
    sums = all_scores(double, rows)
    for user, own in enumerate(double.users_):
        left = np.flatnonzero(~np.isin(double.items_, past(own)))
        order = left[np.argsort(-by_vector[user, left])]
        best = order[:6][np.argsort(-sums[user, order[:6]])]
        expected = double.items_[np.r_[best, order[6:]]].tolist()
        assert items[user, : len(expected)].tolist() == expected
        assert_allclose(scores[user, :6], sums[user, best], atol=1e-5)
        assert_allclose(
            np.diff(scores[user, 6 : len(expected)]),
            np.diff(by_vector[user, order[6:]]),
            atol=1e-5,
        )


@pytest.mark.parametrize("filter_seen", [True, False])
def test_targets_rank_as_they_are_recommended(double, few_are_ranked_anew, filter_seen, slices):
    items, _ = double.recommend(LATER, k=N_ITEMS, filter_seen=filter_seen)
    above, tied = double.target_ranks(LATER, filter_seen=filter_seen)
    assert not tied.any()
    for row, (user, item) in enumerate(zip(LATER["user_id"], LATER["item_id"], strict=True)):
        if not filter_seen or item not in past(user):
            assert items[row, above[row]] == item
    assert (above >= 6).any()
    assert (above < 6).any()


def test_fewer_items_left_than_are_ranked_anew(double, few_are_ranked_anew):
    items, scores = double.recommend(k=8, candidates=[1, 5, 9], filter_seen=False)
    assert all(sorted(row[:3]) == [1, 5, 9] for row in items.tolist())
    assert np.isfinite(scores[:, :3]).all()
    assert np.isneginf(scores[:, 3:]).all()
    assert double.recommend([0], k=2, candidates=[])[0].tolist() == [[None, None]]


@pytest.mark.parametrize("attention", ["cross", "double"])
def test_scores_are_what_each_event_adds_and_a_base(attention):
    own = recommender(attention=attention).fit(X)
    rows = pd.concat([LATER, LATER.iloc[:2].assign(user_id=999), LATER.iloc[:1].assign(item_id=99)])
    explained, scores = own.explain(rows), own.decision_function(rows)
    assert explained.contributions.shape == explained.weights.shape == (len(rows), 8)
    total = explained.base + explained.contributions.sum(axis=1)
    assert_allclose(total, scores, atol=1e-5)
    assert not explained.contributions[explained.weights == 0].any()
    assert not explained.contributions[-3:].any()  # nobody, nobody, nothing
    # what is left is what the item scores without events of its own: bias, start and vector
    network = own.net_.module_
    whole = np.array([len(past(user)) < 8 for user in LATER["user_id"]])  # these read the start
    assert 0 < whole.sum() < len(LATER)
    code = np.searchsorted(own.items_, LATER["item_id"])
    base = network.item_bias.detach().numpy()[code]
    if attention == "double":
        vectors = network.item_vectors().detach().numpy()[code]
        base = base + (own.transform(LATER) * vectors).sum(axis=1)
    base = base + explained.transitions[: len(LATER)]
    assert np.isnan(explained.transitions[-1]) and not explained.transitions[-3:-1].any()
    assert_allclose(explained.base[: len(LATER)][~whole], base[~whole], rtol=1e-5, atol=1e-5)
    assert not np.allclose(explained.base[: len(LATER)][whole], base[whole], atol=1e-4)


@pytest.mark.parametrize("attention", ["cross", "double"])
def test_each_item_looks_on_its_own(attention):
    own = recommender(attention=attention).fit(X)
    other = LATER.assign(item_id=(LATER["item_id"] + 1) % 30)
    assert not np.allclose(own.attend(other), own.attend(LATER), atol=1e-4)
    assert "contributions" not in recommender(attention="self").fit(X).explain(LATER)


# ---- where it looks ----------------------------------------------------------------------------


def test_explain_names_what_attend_looks_at(model):
    rows = pd.concat([LATER, LATER.iloc[:2].assign(user_id=999)])
    explained, weights = model.explain(rows), model.attend(rows)
    assert_array_equal(explained.weights, weights)
    assert (weights.shape, weights.dtype) == ((len(rows), 8), np.float32)
    assert_allclose(weights[:-2].sum(axis=1), 1.0, atol=1e-6)
    assert not weights[-2:].any()
    for row, user in enumerate(rows["user_id"]):
        history = past(user)[::-1][:8] if user != 999 else []
        assert explained.history[row].tolist() == history + [None] * (8 - len(history))
        assert (weights[row, : len(history)] > 0).all()
        assert not weights[row, len(history) :].any()


def test_short_histories_are_explained_from_the_latest_event_on(model):
    first = X.drop_duplicates("user_id")
    second = X[X.groupby("user_id").cumcount() == 1]
    assert not model.attend(first).any()
    assert model.explain(first).history.tolist() == [[None] * 8] * len(first)
    assert_allclose(model.attend(second), np.eye(8)[[0] * len(second)], atol=1e-6)
    met = model.explain(second).history[:, 0].tolist()
    assert met == [past(user)[0] for user in second["user_id"]]


def test_attention_weights_are_the_mean_over_the_users(model):
    now = pd.DataFrame({"user_id": model.users_, "item_id": 999})
    now["timestamp"] = X["timestamp"].max()
    if model.attention != "double":  # of an unknown item only that it is asked for is known
        expected = model.attend(now[list(X)]).mean(axis=0, keepdims=True)
        assert_allclose(model.attention_weights_, expected, atol=1e-6)
    assert_allclose(model.attention_weights_.sum(), 1.0, rtol=1e-6)


def test_unknown_items_of_a_history_are_looked_at_but_have_no_name(model):
    own = copy.deepcopy(model)
    first = LATER.iloc[:1]
    own.update_history(first.assign(item_id=999))
    later = first.assign(timestamp=pd.Timestamp(FAR_AHEAD), item_id=3)
    explained = own.explain(later)
    assert explained.history[0, 0] is None
    assert explained.history[0, 1] == past(first["user_id"].iloc[0])[-1]
    assert explained.weights[0, 0] > 0


# ---- histories that go on ----------------------------------------------------------------------


def test_new_events_change_recommendations_but_not_the_weights(model):
    own = copy.deepcopy(model)
    before, at = own.recommend(k=5, at=FAR_AHEAD), DATA["timestamp"].max()
    weights = {name: value.clone() for name, value in own.net_.module_.state_dict().items()}
    assert own.update_history(LATER) is own
    after = own.recommend(k=5, at=FAR_AHEAD)
    assert not np.allclose(after[1], before[1])
    for user, item in zip(LATER["user_id"], LATER["item_id"], strict=True):
        assert item not in after[0][user]
    state = own.net_.module_.state_dict()
    assert all(torch.equal(state[name], weights[name]) for name in weights)
    assert_array_equal(own.recommend(k=5)[1], own.recommend(k=5, at=at)[1])  # now is later
    assert_array_equal(own.items_, model.items_)


def test_new_users_are_known_from_their_first_event_on(model):
    own = copy.deepcopy(model)
    newcomers = X[X["user_id"] == 3].assign(user_id=-5)
    own.update_history(newcomers)
    assert own.users_.tolist() == [-5, *model.users_.tolist()]
    moment = X["timestamp"].max()
    items, scores = own.recommend([-5, 3], k=5, at=moment)
    assert_array_equal(items[0], items[1])
    assert_allclose(scores[0], scores[1], atol=1e-5)
    others = [user for user in model.users_ if user != -5]
    assert_allclose(own.recommend(others, k=5)[1], model.recommend(others, k=5)[1], atol=1e-5)


def test_events_may_be_handed_over_late_and_in_pieces(model):
    whole, pieces = copy.deepcopy(model), copy.deepcopy(model)
    whole.update_history(LATER)
    pieces.update_history(LATER.iloc[30:]).update_history(LATER.iloc[29::-1])
    assert_array_equal(pieces.recommend(k=5)[1], whole.recommend(k=5)[1])


def test_without_times_new_events_come_last(timeless):
    own = copy.deepcopy(timeless).update_history(LATER)
    expected = timeless.recommend(
        histories=[past(u) + LATER["item_id"][LATER["user_id"] == u].tolist() for u in own.users_],
        k=5,
    )
    assert_array_equal(own.recommend(k=5)[0], expected[0])


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"k": 2.5}, "k must be a whole number of at least 1, got 2.5"),
        ({"X": [0], "histories": [[1]]}, "X and histories were both passed"),
        ({"X": 3}, "X must be a list of ids, got 3"),
        ({"X": "Ann"}, "X must be a list of ids, got 'Ann'"),
        ({"X": [[1], [2]]}, r"'X' is read as categories, found \[1\]"),
        ({"histories": [3, 4]}, "histories must be a list of ids, got 3"),
        ({"candidates": 3}, "candidates must be a list of ids, got 3"),
        ({"blocked": "tea"}, "blocked must be a list of ids, got 'tea'"),
        ({"X": pd.DataFrame({"who": [0]})}, r"X has no column of users among \['who'\]"),
        ({"at": "tomorrow"}, "at must be one time like those of fit, got 'tomorrow'"),
        ({"at": [LONG_AGO, FAR_AHEAD]}, "at must be one time like those of fit"),
        ({"at": np.nan}, "at must be one time like those of fit, got nan"),
        ({"at": np.datetime64("NaT")}, "at must be one time like those of fit"),
    ],
)
def test_bad_questions_are_refused(model, arguments, match):
    with pytest.raises(ValueError, match=match):
        model.recommend(**arguments)


def test_times_of_another_kind_than_those_of_fit_are_refused(model):
    stamps = X.assign(timestamp=X["timestamp"].astype("datetime64[s]").astype(np.int64))
    numbers = recommender(max_epochs=1).fit(stamps)
    with pytest.raises(ValueError, match=r"like those of fit, got 5: those are datetimes\."):
        model.recommend(at=5)
    for at in (LONG_AGO, np.datetime64(LONG_AGO), pd.Timestamp(LONG_AGO)):
        with pytest.raises(ValueError, match=r"like those of fit, got .*: those are numbers"):
            numbers.recommend(at=at)
    assert numbers.recommend(at=5)[0].shape == (40, 10)
    ask = ["predict", "target_ranks", "recommend", "update_history", "partial_fit"]
    for own, rows, match in [
        (model, stamps, "'timestamp' holds numbers for times, but those of fit are datetimes"),
        (numbers, X, "'timestamp' holds datetimes for times, but those of fit are numbers"),
    ]:
        for method in ask:
            with pytest.raises(ValueError, match=match):
                getattr(copy.deepcopy(own), method)(rows)


def test_moments_are_refused_where_no_times_are_known(timeless):
    with pytest.raises(ValueError, match="at was passed, but fit knew of no times"):
        timeless.recommend(at=LONG_AGO)
    frame = pd.DataFrame({"user_id": [0], "timestamp": [pd.Timestamp(LONG_AGO)]})
    assert_array_equal(timeless.recommend(frame, k=3)[1], timeless.recommend([0], k=3)[1])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"items": [0, 999]}, "items holds 999, which is not among the items of fit"),
        ({"items": 0}, "items must be a list of ids, got 0"),
        ({"items": [0], "k": 0}, "k must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_questions_about_items_are_refused(model, arguments, match):
    with pytest.raises(ValueError, match=match):
        model.similar_items(**arguments)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (X.iloc[:3].assign(user_id=[1, None, 2]), "'user_id' holds ids.*in row 1 is"),
        (X.iloc[:3].assign(timestamp=pd.NaT), "'timestamp' holds times.*; 3 of 3 are.* row 0"),
        (X.iloc[:0], "at least one row"),
        (X[["user_id"]], "[fF]eature"),
    ],
)
def test_bad_rows_leave_the_histories_as_they_were(model, bad, match):
    own = copy.deepcopy(model)
    with pytest.raises(ValueError, match=match):
        own.update_history(bad)
    assert own.users_ is not model.users_
    assert_array_equal(own.recommend(k=5)[1], model.recommend(k=5)[1])


@pytest.mark.parametrize(
    "method", [*METHODS, "target_ranks", "score", "explain", "update_history", "recommend"]
)
def test_only_a_fitted_model_answers(method):
    with pytest.raises(NotFittedError):
        getattr(recommender(), method)(X)
    with pytest.raises(NotFittedError):
        recommender().similar_items([1])
