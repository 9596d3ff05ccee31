"""Recommenders that go on learning: new rows, new users, new items."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from sk_attention import PopularRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import ndcg_at_k
from tests._recommenders import assert_same_model, interactions, recommender

DATA = interactions()
X, LATER = DATA.iloc[:380], DATA.iloc[380:]
NEW_ITEM, NEW_USER = LATER.assign(item_id=-7), LATER.iloc[:9].assign(user_id=-3)


@pytest.fixture(scope="module")
def model():
    return recommender(max_epochs=10).fit(X)


def test_first_call_builds_and_each_call_is_a_pass():
    own = recommender().partial_fit(X)
    assert own.n_iter_ == len(own.loss_curve_) == 1
    assert own.items_.tolist() == sorted(set(X["item_id"]))
    for n_passes in (2, 3):
        own.partial_fit(LATER if n_passes == 2 else NEW_ITEM)
        assert own.n_iter_ == len(own.loss_curve_) == n_passes
    assert own.validation_scores_ is None
    assert_allclose(own.attention_weights_.sum(), 1.0, rtol=1e-6)


def test_training_goes_on_from_a_fit(model):
    own = copy.deepcopy(model).partial_fit(LATER)
    assert own.loss_curve_[:-1] == model.loss_curve_
    assert own.n_iter_ == model.n_iter_ + 1
    assert_array_equal(own.validation_scores_, model.validation_scores_)
    scores = own.recommend(model.users_, k=5)[1]
    assert not np.allclose(scores, model.recommend(k=5)[1])
    own = pickle.loads(pickle.dumps(own)).partial_fit(NEW_USER)
    assert own.n_iter_ == model.n_iter_ + 2


@pytest.mark.parametrize("attention", ["self", "cross", "double", "hierarchical"])
def test_every_kind_of_attention_learns_on_with_new_items(attention):
    own = recommender(attention=attention, max_epochs=2).fit(X)
    own.update_history(NEW_ITEM.iloc[:3])  # of an item that is unknown so far
    own.partial_fit(NEW_ITEM.iloc[3:]).partial_fit(LATER)
    assert -7 in own.items_
    assert -7 in own.recommend([-9], k=len(own.items_))[0]
    assert len(own._histories.sessions) == len(own._histories) == len(X) + 2 * len(LATER)


def test_histories_are_those_of_all_rows(model):
    own = copy.deepcopy(model).partial_fit(LATER)
    whole = recommender(max_epochs=1).fit(DATA)
    assert_array_equal(own.users_, whole.users_)
    assert_array_equal(own.items_, whole.items_)
    for name in ("items", "times", "weight", "starts"):
        assert_array_equal(getattr(own._histories, name), getattr(whole._histories, name))
    assert_array_equal(own.explain(DATA).history, whole.explain(DATA).history)


def test_rows_in_any_order_are_learned_alike(model):
    one = copy.deepcopy(model).partial_fit(LATER)
    other = copy.deepcopy(model).partial_fit(LATER.sample(frac=1, random_state=0))
    assert_same_model(other, one)


def test_the_pass_is_over_new_events_alone_each_behind_its_history():
    class Seen(Callback):
        targets: list[int] = []  # noqa: RUF012  (shared by the copies)
        tokens: list[int] = []  # noqa: RUF012

        def on_batch_begin(self, net, batch, training, **kwargs):
            self.targets.extend(batch[1].tolist())
            self.tokens.append(batch[0]["item"].shape[1])

    own = recommender(callbacks=[Seen()], early_stopping=False, max_epochs=1).fit(X)
    Seen.targets.clear()
    Seen.tokens.clear()
    own.partial_fit(LATER)
    codes = np.searchsorted(own.items_, LATER["item_id"]) + 1
    assert sorted(Seen.targets) == sorted(codes)
    assert max(Seen.tokens) == own.max_history


def test_new_items_are_learned_and_can_be_recommended():
    data = make_interactions(
        n_users=150, n_items=40, n_interactions=20, n_groups=4, random_state=0
    ).data.drop(columns="session_id")
    fresh = data["item_id"].value_counts().index[[1, 4, 7]].tolist()  # popular ones
    early, late = data.iloc[:1800], data.iloc[1800:2600]
    own = recommender(max_epochs=15, embedding_dim=16).fit(early[~early["item_id"].isin(fresh)])
    assert not set(fresh) & set(own.items_)
    old = dict(zip(own.items_.tolist(), own.similar_items(own.items_, 1)[0][:, 0], strict=True))
    own.set_params(learning_rate=0.0004).partial_fit(late)
    assert own.items_.tolist() == sorted(set(data["item_id"]))
    now = dict(zip(own.items_.tolist(), own.similar_items(own.items_, 1)[0][:, 0], strict=True))
    assert np.mean([now[item] == old[item] or now[item] in fresh for item in old]) > 0.8
    rows = data.iloc[2600:]
    rows = rows[rows["item_id"].isin(fresh)]
    own.transition_weight_ = 0.0  # new items have not followed much yet: what the network learned
    assert ndcg_at_k(*own.target_ranks(rows)) > 0.2  # of 40 items; a random order gives .11
    assert set(own.recommend(k=10)[0].ravel()) >= set(fresh)


def test_what_others_did_hardly_moves_the_scores_of_a_user(model):
    rows = X[X["user_id"].isin(range(20)) & X.duplicated("user_id")]  # with a history
    before = model.decision_function(rows)
    some = LATER[LATER["user_id"] >= 20]
    own = copy.deepcopy(model).set_params(learning_rate=0.0004).partial_fit(some)
    change = np.abs(own.decision_function(rows) - before)
    assert change.max() > 0
    assert change.max() < 0.2 * before.std()


def test_new_users_are_new_histories(model):
    own = copy.deepcopy(model).partial_fit(NEW_USER)
    assert own.users_.tolist() == [-3, *model.users_.tolist()]
    assert own.explain(NEW_USER.iloc[[-1]]).history[0, :8].tolist() == [
        *NEW_USER["item_id"].iloc[-2::-1][:8]
    ]


def test_events_that_were_only_recorded_stay_untrained(model):
    own = copy.deepcopy(model).update_history(LATER)
    own.partial_fit(NEW_USER)
    assert len(own._histories) == len(DATA) + len(NEW_USER)
    assert own.n_iter_ == model.n_iter_ + 1


def test_same_seed_gives_the_same(model):
    one, other = (copy.deepcopy(model).partial_fit(NEW_ITEM) for _ in range(2))
    assert_same_model(one, other)


class Break(Callback):
    """Raises in the second step of the first pass after a fit."""

    def __init__(self, error, after):
        self.error, self.after = error, after

    def on_batch_end(self, net, **kwargs):
        if len(net.history) > self.after:
            raise self.error


@pytest.mark.parametrize(
    ("parameters", "rows", "fit_params", "match"),
    [
        ({"callbacks": [Break(RuntimeError("out of luck"), 0)]}, NEW_ITEM, {}, "out of luck"),
        ({"learning_rate": -1.0}, LATER, {}, "learning_rate"),
        ({"embedding_dim": 16}, LATER, {}, "was fitted with embedding_dim=8, which is now 16"),
        ({"item": "user_id"}, LATER, {}, "was fitted with item='auto', which is now 'user_id'"),
        ({}, LATER.iloc[:, :2], {}, "[fF]eature"),
        ({}, LATER.assign(item_id=None), {}, "holds ids, of which none may be missing"),
        ({}, LATER, {"y": np.full(len(LATER), np.nan)}, "y must hold one finite"),
        ({}, LATER.iloc[:0], {}, "at least one row"),
    ],
    ids=["callback", "parameter", "size", "role", "columns", "ids", "relevance", "empty"],
)
def test_a_failed_call_changes_nothing(model, parameters, rows, fit_params, match):
    own = copy.deepcopy(model)
    before, expected = dict(vars(own)), own.recommend(k=5)
    weights = {name: value.clone() for name, value in own.net_.module_.state_dict().items()}
    own.set_params(**parameters)
    with pytest.raises((RuntimeError, ValueError), match=match):
        own.partial_fit(rows, **fit_params)
    assert {**vars(own), **{name: before[name] for name in parameters}} == before
    state = own.net_.module_.state_dict()
    assert all(torch.equal(state[name], weights[name]) for name in weights)
    assert_array_equal(
        own.set_params(**recommender(max_epochs=10).get_params()).recommend(k=5)[1], expected[1]
    )


def test_an_interrupt_leaves_a_usable_model(model):
    own = copy.deepcopy(model).set_params(callbacks=[Break(KeyboardInterrupt(), 0)])
    with pytest.raises(KeyboardInterrupt):
        own.partial_fit(NEW_ITEM)
    assert own.n_iter_ == model.n_iter_
    assert -7 in own.items_
    assert np.isfinite(own.recommend(k=3)[1]).all()


def test_without_users_and_items_relevance_is_learned_on():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 3))
    own = recommender().partial_fit(rows, rows[:, 0])
    before = own.predict(rows)
    own.partial_fit(rows, rows[:, 0])
    assert own.n_iter_ == 2
    assert not np.allclose(own.predict(rows), before)
    popular = PopularRecommender().partial_fit(rows[:30], rows[:30, 0])
    popular.partial_fit(rows[30:], rows[30:, 0])
    assert_allclose(popular.predict(rows), rows[:, 0].mean())


@pytest.mark.parametrize("half_life", [None, 0.2])
def test_popular_counts_on_as_if_fitted_on_all(half_life):
    model = PopularRecommender(half_life=half_life).partial_fit(X)
    model.partial_fit(NEW_ITEM.sample(frac=1, random_state=0)).partial_fit(NEW_USER)
    whole = PopularRecommender(half_life=half_life).fit(pd.concat([X, NEW_ITEM, NEW_USER]))
    assert_array_equal(model.items_, whole.items_)
    assert_array_equal(model.users_, whole.users_)
    assert_allclose(model.popularity_, whole.popularity_)
    assert_array_equal(model.recommend(k=5)[1], whole.recommend(k=5)[1])
    with pytest.raises(ValueError, match="holds ids, of which none may be missing"):
        model.partial_fit(LATER.assign(item_id=None))
    assert_allclose(model.popularity_, whole.popularity_)


# ---- labels, and what is said of items ---------------------------------------------------------

TASKS = ("classification", "regression")
ITEMS = pd.DataFrame({"item_id": np.arange(30), "weight": np.arange(30.0)})
MORE_ITEMS = pd.DataFrame({"weight": np.arange(-9.0, 33.0), "item_id": np.arange(-9, 33)})


def labels(rows, task):
    liked = rows["item_id"].to_numpy() % 2
    return np.array(["no", "yes"])[liked] if task == "classification" else liked + 0.5


def told(model, rows):
    return (
        model.predict_proba(rows)[:, 1] if model.task == "classification" else model.predict(rows)
    )


@pytest.fixture(scope="module", params=TASKS)
def labelled(request):
    return recommender(task=request.param, max_epochs=2).fit(X, labels(X, request.param))


def test_labels_are_learned_in_passes_with_new_users_and_items(labelled):
    task = labelled.task
    own = copy.deepcopy(labelled).update_history(NEW_USER)  # of whom the network knows nothing
    own.partial_fit(NEW_ITEM, labels(NEW_ITEM, task)).partial_fit(LATER, labels(LATER, task))
    assert own.n_iter_ == labelled.n_iter_ + 2 == len(own.loss_curve_)
    assert -7 in own.items_ and -3 in own.users_
    assert -7 in own.recommend([-9], k=len(own.items_))[0]
    own.partial_fit(NEW_USER, labels(NEW_USER, task))
    for attention in ("self", "cross", "hierarchical"):
        first = recommender(task=task, attention=attention).partial_fit(X, labels(X, task))
        assert first.partial_fit(NEW_ITEM, labels(NEW_ITEM, task)).n_iter_ == 2


def test_before_it_is_trained_what_is_new_is_unknown(labelled):
    """A step that moves nothing leaves all predictions as they were, of new users, too."""
    rows = pd.concat([X.iloc[::9], NEW_USER])
    expected = told(copy.deepcopy(labelled).update_history(NEW_USER), rows)
    own = copy.deepcopy(labelled).set_params(learning_rate=1e-12)
    own.partial_fit(NEW_USER, labels(NEW_USER, own.task))
    seen = own._histories.codes["user"][own._histories.users == 0]
    assert (seen == 1).all()  # user -3 has a vector of its own now
    known = ~rows["user_id"].isin([-3])
    assert_allclose(told(own, rows[known]), expected[known], rtol=1e-5)


def test_a_pass_brings_labels_nearer(labelled):
    flipped = 1 - LATER["item_id"].to_numpy() % 2  # nothing like what was learned before
    y = np.array(["no", "yes"])[flipped] if labelled.task == "classification" else flipped + 0.5
    own = copy.deepcopy(labelled).partial_fit(LATER, y)
    rows = LATER.drop_duplicates("user_id", keep="last")
    gain = told(own, rows) - told(labelled, rows)
    up = 1 - rows["item_id"].to_numpy() % 2 == 1
    assert gain[up].mean() > gain[~up].mean()


def test_classes_come_with_the_first_call_and_stay():
    own = recommender(task="classification").partial_fit(
        X, labels(X, "classification"), classes=["yes", "no", "maybe"]
    )
    assert own.classes_.tolist() == ["maybe", "no", "yes"]
    own.partial_fit(LATER, np.full(len(LATER), "maybe"), classes=["no", "yes", "maybe"])
    with pytest.raises(ValueError, match="not the same as on the first call to partial_fit"):
        own.partial_fit(LATER, labels(LATER, "classification"), classes=["yes", "no"])
    with pytest.raises(ValueError, match="has the label 'never', which is none of its classes"):
        own.partial_fit(LATER, np.full(len(LATER), "never"))
    with pytest.raises(ValueError, match=r"y has no observed label.*update_history takes rows"):
        own.partial_fit(LATER, np.full(len(LATER), None))
    assert own.n_iter_ == 2


@pytest.mark.parametrize("task", ["ranking", "regression"])
def test_tables_of_items_may_grow(task):
    y, further = (None, None) if task == "ranking" else (labels(X, task), labels(NEW_ITEM, task))
    own = recommender(task=task, item_features=ITEMS, max_epochs=2).fit(X, y)
    similar = own.similar_items([3, 4], k=2)[1]
    own.set_params(item_features=MORE_ITEMS, learning_rate=1e-12)
    own.partial_fit(NEW_ITEM, further)
    assert own.items_.tolist() == list(range(-9, 33))
    n_known = len(set(X["item_id"]))
    assert n_known < len(own.items_)
    kept = own.similar_items([3, 4], k=len(own.items_) - 1)
    assert (kept[1][:, :2] >= similar - 1e-5).all()  # only new items can come nearer
    assert np.isfinite(own.recommend([1], k=42, filter_seen=False)[1]).all()
    pickle.loads(pickle.dumps(own)).partial_fit(LATER, None if y is None else labels(LATER, task))


def test_tables_of_users_may_grow():
    users = pd.DataFrame({"user_id": np.arange(40), "age": np.arange(40.0)})
    own = recommender(task="regression", user_features=users).fit(X, labels(X, "regression"))
    grown = pd.DataFrame({"user_id": np.arange(-3, 40), "age": np.arange(-3.0, 40.0)})
    own.set_params(user_features=grown).partial_fit(NEW_USER, labels(NEW_USER, "regression"))
    assert np.isfinite(own.predict(NEW_USER)).all()


@pytest.mark.parametrize(
    ("before", "after", "match"),
    [
        (None, ITEMS, "was fitted without item_features"),
        (ITEMS, None, "was fitted with item_features"),
        (
            ITEMS,
            MORE_ITEMS.rename(columns={"weight": "size"}),
            r"item_features has no column 'weight', which the table in fit had; .*'size'",
        ),
    ],
    ids=["new", "gone", "other"],
)
def test_what_is_said_of_items_stays_of_one_form(before, after, match):
    own = recommender(item_features=before, max_epochs=1).fit(X)
    expected = own.recommend(k=3)[1]
    with pytest.raises(ValueError, match=match):
        own.set_params(item_features=after).partial_fit(LATER)
    assert_array_equal(own.recommend(k=3)[1], expected)
