"""What rankings read beside who, what and when: the context, and tables of users and items."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import make_interactions
from sk_attention.model_selection import make_ranking_scorer
from tests._recommenders import ATTENTIONS, assert_same_model, recommender

N_USERS, N_ITEMS = 40, 30
PLANTED = make_interactions(
    N_USERS, N_ITEMS, 12, n_groups=5, context_effect=0.5, time_effect=0.5, random_state=0
)
X = PLANTED.data.drop(columns="session_id").assign(price=lambda t: t["item_id"] * 1.5)
USERS = pd.DataFrame(
    {
        "user_id": np.arange(N_USERS + 2),  # of the last two nothing else is known
        "home": [f"h{group}" for group in [*PLANTED.home_groups, 1, 2]],
        "about": ["fond of tea", "fond of jam"] * (N_USERS // 2 + 1),
    }
)
ITEMS = pd.DataFrame(
    {
        "item_id": np.arange(N_ITEMS),
        "name": [f"a {'red' if group % 2 else 'blue'} lamp" for group in PLANTED.item_groups],
    }
)
READS = {
    "context": ["occasion"],
    "user_features": USERS,
    "item_features": ITEMS,
    "text_features": ["name", "about"],
}


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    return recommender(attention=request.param, max_epochs=2, **READS).fit(X)


@pytest.fixture(scope="module")
def one():
    return recommender(max_epochs=2, context=["occasion"], user_features=USERS).fit(X)


# ---- what is learned ---------------------------------------------------------------------------

LEARNING = {
    "embedding_dim": 16,
    "n_layers": 1,
    "max_history": 8,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch_size": 16,
    "max_epochs": 10,
    "refit": False,
    "random_state": 0,
}


@pytest.mark.slow
def test_the_context_tells_what_comes_next():
    """Of 0.24 without it and 0.44 with the truth."""
    planted = make_interactions(300, 60, 12, n_groups=6, context_effect=0.7, random_state=0)
    table = planted.data.drop(columns="session_id")
    last = ~table.duplicated("user_id", keep="last")
    own = AttentionRecommender(context=["occasion"], **LEARNING).fit(table[~last])
    without = AttentionRecommender(**LEARNING).fit(table[~last])
    assert own.score(table[last]) > without.score(table[last]) + 0.1
    explained = own.explain(table[last])
    group = np.array([f"o{group}" for group in planted.item_groups])
    follows = group[table["item_id"][last]] == table["occasion"][last].to_numpy()
    assert explained.context[follows].mean() > explained.context[~follows].mean() + 1.0
    unknown = table[last].drop(columns="occasion")
    moments = own.recommend(unknown, k=10)[0]
    assert not np.array_equal(moments, own.recommend(table[last], k=10)[0])


@pytest.mark.slow
def test_features_tell_what_users_begin_with_of_whom_nothing_else_is_known():
    """Of 0.23 for what is popular and 0.47 with the truth."""
    planted = make_interactions(300, 60, 12, n_groups=6, time_effect=1.0, random_state=0)
    table = planted.data.drop(columns="session_id")
    users = pd.DataFrame({"user_id": np.arange(300), "home": planted.home_groups.astype(str)})
    new = table["user_id"] >= 240
    first = new & ~table.duplicated("user_id")
    own = AttentionRecommender(user_features=users, **LEARNING).fit(table[~new])
    popular = PopularRecommender(half_life=0.1).fit(table[~new])
    assert own.score(table[first]) > popular.score(table[first]) + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross_entropy", "sampled_softmax"])
def test_words_tell_to_whom_an_item_belongs_that_nobody_met(loss):
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 3
    color = np.array(["red", "green", "blue"])[kind]
    items = pd.DataFrame(
        {"item": np.arange(60), "name": [f"{c} box no{i}" for i, c in enumerate(color)]}
    )
    users = np.repeat(np.arange(90), 8)
    met = np.array([rng.choice(np.flatnonzero(kind[:48] == user % 3)) for user in users])
    table = pd.DataFrame({"user": users, "item": met, "timestamp": np.arange(len(users))})
    own = AttentionRecommender(
        item_features=items,
        text_features=["name"],
        loss=loss,
        n_negatives=16,
        embedding_dim=16,
        n_layers=1,
        max_epochs=20,
        random_state=0,
    ).fit(table)
    new, _ = own.recommend(np.arange(90), k=4, candidates=np.arange(48, 60))
    assert (kind[new.astype(int)] == (np.arange(90) % 3)[:, None]).mean() > 0.8
    # an item of which nothing is known does not make one forget the others
    histories = [[user % 3, user % 3 + 3, "what?", user % 3 + 6, "what?"] for user in range(90)]
    found, _ = own.recommend(histories=histories, k=4, candidates=np.arange(48))
    assert (kind[found.astype(int)] == (np.arange(90) % 3)[:, None]).mean() > 0.8


# ---- what is known, and when -------------------------------------------------------------------


def test_a_row_gives_the_same_alone_and_among_others(model):
    rows = X.iloc[::17]
    together = model.decision_function(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = model.decision_function(rows.iloc[order])
    assert_allclose(shuffled, together[order], rtol=1e-6, atol=1e-5)
    alone = [model.decision_function(rows.iloc[[row]])[0] for row in range(3)]
    assert_allclose(alone, together[:3], rtol=1e-6, atol=1e-5)


def test_the_context_of_a_row_is_read_and_nothing_else_of_it(model):
    rows = X.iloc[-20:]
    scores = model.decision_function(rows)
    assert_array_equal(model.decision_function(rows.assign(price=-1.0)), scores)
    assert not np.allclose(model.decision_function(rows.assign(occasion="o1")), scores)


def test_order_of_the_rows_does_not_matter():
    own = recommender(max_epochs=1, **READS)
    assert_same_model(clone(own).fit(X.sample(frac=1.0, random_state=0)), own.fit(X))


def test_copies_recommend_the_same(model):
    assert_same_model(pickle.loads(pickle.dumps(model)), model)
    assert clone(model).get_params()["context"] == ["occasion"]


def test_polars_and_arrays_give_the_same(one):
    users, table = (pl.DataFrame({name: t[name].to_list() for name in t}) for t in (USERS, X))
    same = recommender(max_epochs=2, context=["occasion"], user_features=users).fit(table)
    assert_same_model(same, one, rtol=1e-6)
    seconds = X["timestamp"].astype("datetime64[s]").astype(np.int64)
    kind = X["occasion"].str[1:].astype(int)
    array = np.column_stack([X["user_id"], X["item_id"], seconds, kind])
    roles = {"user": 0, "item": 1, "timestamp": 2}
    own = recommender(max_epochs=1, context=[3], **roles).fit(array)
    asked = array[-5:]
    scores = own.recommend(asked)[1]
    assert not np.array_equal(own.recommend(asked * [1, 1, 1, 0])[1], scores)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        named = own.recommend(pd.DataFrame(asked, columns=list("uitc")))
    assert_array_equal(named[1], scores)


def test_a_context_that_is_not_told_is_unknown(one):
    users = [3, 4]
    told = pd.DataFrame({"user_id": users, "occasion": ["o1", "o2"], "price": 1.0})
    scores = one.recommend(users)[1]
    assert_array_equal(one.recommend(told[["user_id", "price"]])[1], scores)
    assert not np.allclose(one.recommend(told)[1], scores)
    assert_allclose(one.recommend(told.assign(occasion="never"))[1], scores, atol=1e-5)


def test_past_events_are_read_with_their_columns(one):
    new = pd.DataFrame({"user_id": 3, "item_id": 5, "timestamp": X["timestamp"].max()}, index=[0])
    asked = new[["user_id"]]
    cheap, dear, other = (
        pickle.loads(pickle.dumps(one))
        .update_history(new.assign(occasion=occasion, price=price)[X.columns])
        .recommend(asked)[1]
        for occasion, price in [("o1", 1.0), ("o1", 40.0), ("o2", 1.0)]
    )
    assert not np.allclose(cheap, dear)
    assert not np.allclose(cheap, other)


# ---- who asks ----------------------------------------------------------------------------------


def test_users_without_a_history_get_what_their_features_say(model):
    new = [N_USERS, N_USERS + 1, N_USERS + 2]
    scores = model.recommend(new, k=N_ITEMS)[1]
    assert not np.allclose(scores[0], scores[1])
    popular = PopularRecommender(half_life=0.1).fit(X).popularity_
    expected = np.sort(np.log(popular / popular.sum()))[::-1]
    assert_allclose(scores[2], expected, rtol=1e-3)  # nothing is known of the last
    histories = model.recommend(new, k=N_ITEMS, histories=[[], [], []])[1]
    assert_allclose(histories, scores, atol=1e-5)


def test_users_may_be_told_of_later(model):
    told = pd.DataFrame({"user_id": ["x", "y"], "home": ["h1", "h2"], "about": ["fond of tea", ""]})
    like_x = USERS["user_id"][(USERS["home"] == "h1") & (USERS["about"] == "fond of tea")]
    new = model.recommend(["x", "y"], user_features=told)[1]
    assert not np.allclose(new[0], new[1])
    known = model.recommend([like_x.iloc[0]], histories=[[]])[1]
    assert_allclose(new[0], known[0], atol=1e-5)
    at_home = USERS.assign(home="h3")
    before, after = model.recommend([3])[1], model.recommend([3], user_features=at_home)[1]
    assert not np.allclose(before, after)


def test_histories_of_others_may_come_with_their_context(one):
    lists = [[3, 7], [3, 7], []]
    asked = pd.DataFrame({"occasion": ["o1", "o2", "o1"]})
    scores = one.recommend(asked, histories=lists)[1]
    assert not np.allclose(scores[0], scores[1])
    assert not np.allclose(one.recommend(histories=lists)[1][0], scores[0])
    with pytest.raises(ValueError, match="X tells of 3 users, but histories holds 1 lists"):
        one.recommend(asked, histories=[[3]])


def test_explain_tells_what_context_and_features_add(model):
    rows = X.iloc[-6:].assign(item_id=[1, 2, 3, 4, 5, -9], timestamp=pd.Timestamp("2030-01-01"))
    explained = model.explain(rows)
    scores, without = (
        np.array([model.decision_function(table.assign(item_id=i)) for i in range(N_ITEMS)]).T
        for table in (rows, rows.assign(occasion="never"))
    )
    gain = scores - without
    expected = gain - gain.mean(axis=1, keepdims=True)
    own = expected[np.arange(5), rows["item_id"].to_numpy()[:5]]
    assert_allclose(explained.context[:5], own, atol=1e-4)
    assert explained.user.shape == (6,) and np.isnan(explained.user[5])


def test_rows_of_one_moment_and_several_contexts_are_several_questions(one):
    rows = X.iloc[[-1, -1]].assign(item_id=[1, 2], occasion=["o1", "o2"])
    scorer = make_ranking_scorer()
    by_hand = np.mean([one.score(rows.iloc[[row]]) for row in range(2)])
    assert_allclose(scorer(one, rows), by_hand)
    assert_allclose(one.score(rows), by_hand)


def test_rows_of_several_contexts_do_not_ask_together(one):
    rows = X.iloc[[40, 40]].assign(occasion=["o0", "o1"])
    with pytest.raises(ValueError, match="the same only for rows of one user, time and context"):
        one.target_ranks(rows, queries=[0, 0])


# ---- what goes with it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "sampled_softmax", "n_negatives": 5},
        {"loss": "gbce", "n_negatives": 5, "attention": "double"},
        {"precision": "float64"},
    ],
    ids=lambda parameters: next(iter(parameters.values())),
)
def test_every_choice_goes_with_it(parameters):
    own = recommender(max_epochs=1, **READS, **parameters).fit(X)
    assert np.isfinite(own.recommend(k=3)[1]).all()


def test_an_index_finds_the_same(one):
    pytest.importorskip("faiss")
    found = recommender(max_epochs=2, context=["occasion"], user_features=USERS, index="faiss")
    assert_same_model(found.fit(X), one, rtol=1e-5)


def test_partial_fits_go_on_with_it(one):
    own = pickle.loads(pickle.dumps(one))
    new = X.iloc[-30:].assign(user_id=N_USERS, item_id=99, occasion="never")
    own.partial_fit(new)
    assert 99 in own.items_ and N_USERS in own.users_
    assert np.isfinite(own.recommend(new)[1]).all()
    first = recommender(context=["occasion"], user_features=USERS).partial_fit(X)
    assert np.isfinite(first.recommend(k=3)[1]).all()


def test_a_new_fit_knows_nothing_of_earlier_tables():
    other = ITEMS.iloc[:20].assign(name=[f"no {row % 9}" for row in range(20)])
    own = recommender(max_epochs=1, item_features=ITEMS, user_features=USERS).fit(X)
    own.set_params(item_features=other, user_features=None).fit(X)
    assert_same_model(own, recommender(max_epochs=1, item_features=other).fit(X))
    fields = np.random.default_rng(0).normal(size=(30, 3))
    own.set_params(item_features=None).fit(fields, fields[:, 0])
    assert_same_model(own.fit(X), recommender(max_epochs=1).fit(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"context": "occasion"}, "The 'context' parameter of AttentionRecommender must"),
        ({"context": ["weather"]}, "context names 'weather', which is not a feature of X"),
        ({"context": ["user_id"]}, "context names 'user_id', which says who, what or when"),
        ({"context": ["price", "price"]}, "context names 'price' twice"),
        ({"context": [], "text_features": ["name"]}, "text_features names 'name', which is no col"),
        ({"text_features": "name"}, "The 'text_features' parameter of AttentionRecommender"),
        ({"text_features": [1]}, "text_features must be a list of names of columns"),
        ({"user_features": USERS[["home"]]}, "user_features has no column of users among"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        recommender(**parameters).fit(X)


def test_labels_know_of_no_context_of_their_own():
    with pytest.raises(ValueError, match="context must be None with task='regression'"):
        recommender(task="regression", context=["occasion"]).fit(X, X["price"])


@pytest.mark.parametrize("name", ["context", "item_features", "user_features", "text_features"])
def test_rows_without_users_have_nothing_to_tell_of(name):
    fields = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match=f"{name} needs columns of users and items"):
        recommender(**{name: ["x0"]}).fit(fields, fields[:, 0])


def test_bad_tables_of_further_users_are_refused(one):
    with pytest.raises(ValueError, match="user_features has no column 'about', which the table"):
        one.recommend([1], user_features=USERS[["user_id", "home"]])
    with pytest.raises(ValueError, match="user_features was passed, but fit knew of none"):
        PopularRecommender().fit(X).recommend([1], user_features=USERS)


def test_labels_are_told_by_texts_about_users_and_items():
    own = recommender(
        task="regression",
        user_features=USERS,
        item_features=ITEMS,
        text_features=["name", "about"],
        max_epochs=1,
    ).fit(X, X["price"])
    rows = X.iloc[::25]
    assert_allclose(own.predict(rows)[:3], own.predict(rows.iloc[:3]), rtol=1e-4)
    own.update_history(X.iloc[:5], X["price"][:5])
    assert np.isfinite(own.predict(rows)).all()
