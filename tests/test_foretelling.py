"""Labels of interactions: what tells them, and what a label may be."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict

from sk_attention import AttentionRecommender
from sk_attention.model_selection import GlobalTemporalSplit
from tests._recommenders import interactions, recommender

X = interactions().assign(price=lambda t: t["item_id"] * 1.5, device="phone")
RNG = np.random.default_rng(0)
LIKED = np.where((X["item_id"] + X["user_id"]) % 3 == 0, "yes", "no")
RATING = (X["item_id"] % 5 + 1).to_numpy(dtype=float)
ITEMS = pd.DataFrame({"item_id": np.arange(35), "weight": np.arange(35.0)})


@pytest.fixture(scope="module")
def liking():
    return recommender(task="classification").fit(X, LIKED)


@pytest.fixture(scope="module")
def rating():
    return recommender(task="regression").fit(X, RATING)


def made_up(n_users=150, n_events=15, seed=0):
    """Users like what they liked the last time they met an item of its kind."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), n_events)
    items = rng.integers(20, size=len(users))
    taste = rng.integers(2, size=(n_users, 2))  # of two kinds of items
    liked = taste[users, items % 2]
    times = np.tile(np.arange(n_events), n_users) + rng.random(len(users)) / 2
    return pd.DataFrame({"user": users, "item": items, "timestamp": times}), liked


# ---- what is learned ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("known_users", [True, False], ids=["known users", "new users"])
def test_what_a_user_liked_before_tells_what_he_likes_next(known_users):
    table, liked = made_up()
    asked = table.groupby("user").cumcount() >= 10
    if not known_users:
        asked &= table["user"] >= 100
    model = AttentionRecommender(
        "classification", embedding_dim=16, n_layers=1, max_epochs=30, random_state=0
    ).fit(table[~asked], liked[~asked])
    if not known_users:  # all they did before is told afterwards, without training
        new = table[~asked & (table["user"] >= 100)]
        model = AttentionRecommender(
            "classification", embedding_dim=16, n_layers=1, max_epochs=30, random_state=0
        ).fit(table[table["user"] < 100], liked[table["user"] < 100])
        model.update_history(new, liked[new.index])
    probability = model.predict_proba(table[asked])[:, 1]
    assert roc_auc_score(liked[asked], probability) > 0.9


@pytest.mark.slow
def test_what_is_said_of_an_item_tells_how_it_is_rated_though_nobody_met_it():
    rng = np.random.default_rng(0)
    items = pd.DataFrame({"item": np.arange(80), "quality": rng.normal(size=80)})
    table = pd.DataFrame({"user": rng.integers(60, size=1500), "item": rng.integers(60, size=1500)})
    stars = items["quality"].to_numpy()[table["item"]] + rng.normal(scale=0.1, size=1500)
    model = AttentionRecommender(
        "regression", item_features=items, embedding_dim=16, max_epochs=30, random_state=0
    ).fit(table, stars)
    new = pd.DataFrame({"user": np.arange(20), "item": np.arange(60, 80)})
    assert np.corrcoef(model.predict(new), items["quality"][60:])[0, 1] > 0.9


@pytest.mark.slow
def test_what_is_said_of_users_and_of_the_moment_tells_what_they_do():
    rng = np.random.default_rng(0)
    n_rows = 2000
    users = pd.DataFrame({"user": np.arange(120), "age": rng.uniform(20, 60, size=120)})
    table = pd.DataFrame(
        {
            "user": rng.integers(100, size=n_rows),
            "item": rng.integers(10, size=n_rows),
            "device": rng.choice(["phone", "desk"], size=n_rows),
        }
    )
    age = users["age"].to_numpy()
    bought = (age[table["user"]] > 40) == (table["device"] == "desk")
    model = AttentionRecommender(
        "classification", user_features=users, embedding_dim=16, max_epochs=20, random_state=0
    ).fit(table, bought)
    new = pd.DataFrame({"user": np.arange(100, 120), "item": 3, "device": "desk"})
    assert accuracy_score(age[100:] > 40, model.predict(new)) > 0.9


# ---- shapes and forms --------------------------------------------------------------------------


def test_classes_have_probabilities_in_their_order(liking):
    probabilities = liking.predict_proba(X)
    assert liking.classes_.tolist() == ["no", "yes"]
    assert probabilities.shape == (len(X), 2) and probabilities.dtype == np.float64
    assert_allclose(probabilities.sum(axis=1), 1.0)
    assert_array_equal(liking.predict(X), liking.classes_[probabilities.argmax(axis=1)])
    odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    assert_allclose(liking.decision_function(X), odds, atol=1e-9)
    assert liking.score(X, LIKED) == accuracy_score(LIKED, liking.predict(X))


@pytest.mark.parametrize("attention", ["self", "cross", "double", "hierarchical"])
def test_three_classes_have_three_columns(attention):
    model = recommender(task="classification", attention=attention).fit(X, X["item_id"] % 3)
    assert model.predict_proba(X[:4]).shape == model.decision_function(X[:4]).shape == (4, 3)
    assert set(model.predict(X)) <= {0, 1, 2}


def test_numbers_are_foretold_in_their_unit(rating):
    assert 1.0 < rating.predict(X).mean() < 5.0
    assert rating.score(X, RATING) == r2_score(RATING, rating.predict(X))
    assert not hasattr(rating, "predict_proba") and not hasattr(rating, "decision_function")


def test_scikit_learn_knows_what_the_task_makes_of_it():
    assert is_classifier(AttentionRecommender("classification"))
    assert is_regressor(AttentionRecommender("regression"))
    assert not is_classifier(AttentionRecommender()) and not is_regressor(AttentionRecommender())


@pytest.mark.parametrize("model", ["liking", "rating"])
def test_a_row_is_foretold_alike_in_any_company(model, request):
    model = request.getfixturevalue(model)
    whole = model.predict(X) if model.task == "regression" else model.predict_proba(X)
    order = RNG.permutation(len(X))
    some = X.iloc[order[:50]]
    few = model.predict(some) if model.task == "regression" else model.predict_proba(some)
    assert_allclose(few, whole[order[:50]], rtol=1e-5)


def test_a_row_of_fit_does_not_see_its_own_label():
    """Labels are drawn by chance: whoever knew them would foretell them."""
    chance = RNG.integers(2, size=len(X))
    model = recommender(task="classification", max_epochs=8, early_stopping=False).fit(X, chance)
    flipped = recommender(task="classification", max_epochs=8, early_stopping=False)
    last = X.groupby("user_id")["timestamp"].transform("max") == X["timestamp"]
    other = np.where(last, 1 - chance, chance)
    flipped.fit(X, other)
    flipped.net_ = model.net_  # the same network, another last label for each user
    assert_allclose(flipped.predict_proba(X[last]), model.predict_proba(X[last]), rtol=1e-6)


def test_ratings_given_all_at_once_see_those_beside_them_and_not_themselves():
    once = X.drop_duplicates(["user_id", "item_id"])
    turn = once.groupby("user_id").cumcount() // 4
    bunches = once.assign(timestamp=pd.Timestamp("2024-01-01") + pd.to_timedelta(turn, unit="D"))
    stars = bunches["item_id"] % 5 + 1.0
    own = recommender(task="regression").fit(bunches, stars)
    history = own.explain(bunches).history
    together = bunches.groupby(["user_id", "timestamp"])["item_id"].agg(set)
    asked = zip(bunches["user_id"], bunches["timestamp"], bunches["item_id"], history, strict=True)
    for user, time, item, seen in asked:
        others = together[user, time] - {item}
        assert set(seen[: len(others)]) == others and item not in seen
    alone = [own.predict(bunches.iloc[[row]])[0] for row in (0, 7, 100)]
    assert_allclose(alone, own.predict(bunches)[[0, 7, 100]], rtol=1e-4)
    order = bunches.sort_values("user_id", kind="stable").index
    again = recommender(task="regression").fit(bunches.loc[order], stars[order])
    assert_array_equal(again.predict(bunches), own.predict(bunches))


def test_the_same_seed_gives_the_same_model(rating):
    again = recommender(task="regression").fit(X.sample(frac=1.0, random_state=1), RATING_SHUFFLED)
    assert_array_equal(again.predict(X), rating.predict(X))


RATING_SHUFFLED = RATING[X.sample(frac=1.0, random_state=1).index]


def test_pickles_and_clones_foretell_alike(rating):
    copy = pickle.loads(pickle.dumps(rating))
    assert_array_equal(copy.predict(X), rating.predict(X))
    assert clone(rating).get_params()["task"] == "regression"


def test_tables_of_any_library_and_arrays_are_read_alike(rating):
    table = pl.DataFrame({name: X[name].to_list() for name in X})
    other = recommender(task="regression").fit(table, pl.Series(RATING))
    assert_allclose(other.predict(table), rating.predict(X), rtol=1e-6)


def test_rows_without_a_label_are_history_only():
    some = np.where(np.arange(len(X)) % 3 == 0, np.nan, RATING)
    model = recommender(task="regression").fit(X, some)
    assert len(model._histories) == len(X)
    assert np.isfinite(model.predict(X)).all()
    liked = LIKED.astype(object)
    liked[::4] = None
    assert recommender(task="classification").fit(X, liked).classes_.tolist() == ["no", "yes"]


def test_unknown_users_and_items_are_foretold_too(liking):
    unknown = X[:3].assign(user_id=[-1, -1, 0], item_id=[5, 999, 999], device="watch", price=np.nan)
    assert_allclose(liking.predict_proba(unknown).sum(axis=1), 1.0)


def test_searches_and_cross_validation_work():
    search = GridSearchCV(
        recommender(task="classification", max_epochs=2),
        {"max_history": [2, 4]},
        cv=GlobalTemporalSplit(2),
    ).fit(X, LIKED)
    assert search.best_params_["max_history"] in {2, 4}
    found = cross_val_predict(recommender(task="regression", max_epochs=2), X, RATING, cv=2)
    assert found.shape == RATING.shape


# ---- what it lets one look at ------------------------------------------------------------------


def test_attention_goes_to_events_before_the_row(rating):
    weights = rating.attend(X)
    assert weights.shape == (len(X), 8)
    n_before = X.groupby("user_id").cumcount().to_numpy()
    assert_allclose(weights.sum(axis=1), n_before > 0, atol=1e-6)
    assert_array_equal(weights[n_before == 2][:, 2:], 0.0)
    assert_allclose(rating.attention_weights_.sum(), 1.0, rtol=1e-6)


def test_representations_and_similar_items_are_there(rating):
    assert rating.transform(X[:5]).shape == (5, 16)
    assert len(rating.get_feature_names_out()) == 16
    one = recommender(task="regression", attention="self", max_epochs=1).fit(X, RATING)
    assert one.transform(X[:5]).shape == (5, 8)
    assert rating.similar_items([3], k=2)[0].shape == (1, 2)


# ---- tables of users and items -----------------------------------------------------------------


def test_items_of_the_table_are_known_though_nobody_met_them():
    model = recommender(task="regression", item_features=ITEMS).fit(X, RATING)
    assert model.items_.tolist() == list(range(35))


def test_items_may_come_with_vectors():
    vectors = ITEMS.assign(vector=[np.array([i % 2, i % 3, 1.0]) for i in range(35)])
    model = recommender(task="regression", item_features=vectors).fit(X, RATING)
    same = recommender(
        task="regression",
        item_features=pl.DataFrame(
            {
                "item_id": vectors["item_id"].to_numpy(),
                "weight": vectors["weight"].to_numpy(),
                "vector": [list(v) for v in vectors["vector"]],
            }
        ),
    ).fit(X, RATING)
    assert_allclose(same.predict(X), model.predict(X), rtol=1e-5)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ITEMS.to_numpy(), "item_features must be a data frame with one row for each item, got"),
        (ITEMS.rename(columns={"item_id": "sku"}), "item_features has no column of items among"),
        (ITEMS[["item_id"]], "item_features has no column beside 'item_id'"),
        (pd.concat([ITEMS, ITEMS[:1]]), "item_features must have one row for each item; 0 has"),
        (ITEMS.assign(item_id=None), "Column 'item_id' holds ids, of which none may be missing"),
        (
            ITEMS.assign(vector=[[1.0]] * 34 + [[1.0, 2.0]]),
            "Feature 'vector' holds vectors of 1 finite numbers each; the one in row 34",
        ),
        (
            ITEMS.assign(vector=[["a"]] * 35),
            "Feature 'vector' holds vectors of numbers:",
        ),
    ],
    ids=["array", "name", "alone", "twice", "missing", "length", "text"],
)
def test_a_table_that_cannot_be_read_is_an_error(table, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        recommender(task="regression", item_features=table).fit(X, RATING)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["self", "double"])
def test_items_that_nobody_met_are_ranked_by_what_is_said_of_them(attention):
    """Each user meets items of one kind alone; new items are of one kind, too."""
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 3
    items = pd.DataFrame({"item": np.arange(60), "kind": np.array(["a", "b", "c"])[kind]})
    users = np.repeat(np.arange(90), 8)
    met = np.array([rng.choice(np.flatnonzero(kind[:48] == user % 3)) for user in users])
    table = pd.DataFrame({"user": users, "item": met, "timestamp": np.arange(len(users))})
    model = AttentionRecommender(
        attention=attention, item_features=items, embedding_dim=16, max_epochs=30, random_state=0
    ).fit(table)
    assert len(model.items_) == 60
    new, _ = model.recommend(np.arange(90), k=4, candidates=np.arange(48, 60))
    assert (kind[new.astype(int)] == (np.arange(90) % 3)[:, None]).mean() > 0.8


def test_classes_of_rows_without_users_may_come_with_the_first_partial_fit():
    rows, label = RNG.normal(size=(40, 3)), RNG.integers(2, size=40)
    model = recommender(task="classification").partial_fit(rows, label, classes=[0, 1, 2])
    assert model.predict_proba(rows).shape == (40, 3)
    with pytest.raises(ValueError, match="classes was passed to partial_fit, but task='ranking'"):
        recommender().partial_fit(X, classes=[0, 1])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_labels_are_foretold_in_double_precision_too(task):
    users = pd.DataFrame({"user_id": np.arange(40), "age": np.arange(40.0)})
    model = recommender(
        task=task, precision="float64", item_features=ITEMS, user_features=users, max_epochs=1
    ).fit(X, X["item_id"] % 2)
    assert model.net_.module_.user.dtype.itemsize == 8
    assert np.isfinite(model.predict(X)).all()


def test_users_whose_last_label_is_missing_are_not_held_out():
    last = X.groupby("user_id")["timestamp"].transform("max") == X["timestamp"]
    model = recommender(task="regression").fit(X, np.where(last, np.nan, RATING))
    assert model.validation_scores_ is None


@pytest.mark.parametrize(("parameter", "value"), [("loss", "gbce"), ("index", "faiss")])
def test_what_says_how_items_are_ranked_is_refused_for_labels(parameter, value):
    message = f"{parameter} must be .* with task='regression'.*got {value!r}"
    with pytest.raises(ValueError, match=message):
        recommender(task="regression", **{parameter: value}).fit(X, RATING)


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "AttentionRecommender with task='regression' requires y to be passed"),
        (np.column_stack([RATING, RATING]), "y must hold one label for each interaction"),
        (RATING[:5], "inconsistent numbers of samples"),
        (np.full(len(X), np.nan), "has no observed label"),
        (LIKED, "must hold numbers"),
    ],
    ids=["none", "two", "short", "missing", "text"],
)
def test_labels_that_cannot_be_learned_are_an_error(y, message, rating):
    model = recommender(task="regression")
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, y)
    assert not hasattr(model, "net_")


def test_a_failed_fit_leaves_the_model_as_it_was():
    model = recommender(task="regression", max_epochs=1).fit(X, RATING)
    before = model.predict(X)
    with pytest.raises(ValueError, match="has no observed label"):
        model.fit(X, np.full(len(X), np.nan))
    assert_array_equal(model.predict(X), before)


def test_weights_of_zero_are_an_error():
    with pytest.raises(ValueError, match="zero"):  # of scikit-learn's own, in later versions
        recommender(task="regression").fit(X, RATING, sample_weight=np.zeros(len(X)))


def test_an_unknown_task_is_an_error():
    with pytest.raises(ValueError, match="The 'task' parameter of AttentionRecommender must be"):
        AttentionRecommender("clustering").fit(X)
