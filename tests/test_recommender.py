"""Fitting a recommender: what it takes, and that it learns what is there to be learned."""

import copy
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from skorch.callbacks import Callback

from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import ndcg_at_k, target_ranks
from sk_attention.model_selection import GlobalTemporalSplit, LeaveLastOut
from tests._recommenders import (
    ATTENTIONS,
    assert_same_model,
    interactions,
    partners,
    recommender,
)

X = interactions()
SECONDS = X["timestamp"].astype("datetime64[s]").astype(np.int64)
ARRAY = np.column_stack([X["user_id"], X["item_id"], SECONDS])
over_attentions = pytest.mark.parametrize("attention", ATTENTIONS)
ROLES = {"user": 0, "item": 1, "timestamp": 2}


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    return recommender(attention=request.param).fit(X)


def like(model, **parameters):
    """A recommender with the same kind of attention."""
    return recommender(attention=model.attention, **parameters)


# ---- what X may be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "roles"),
    [
        (pl.from_pandas(X), {}),
        (X.assign(timestamp=SECONDS), {}),
        (ARRAY, ROLES),
        (ARRAY.tolist(), ROLES),
        (X.rename(columns={"user_id": "user", "item_id": "item"}), {}),
        (X.set_axis(["who", "what", "when"], axis=1), {"user": "who", "item": 1, "timestamp": -1}),
        (X[["timestamp", "item_id", "user_id"]], {}),
        (X.assign(timestamp=X["timestamp"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")), {}),
        (X.astype({"user_id": "category", "item_id": "category"}), {}),
    ],
    ids=["polars", "numbers", "array", "lists", "names", "roles", "columns", "zone", "categories"],
)
def test_same_interactions_give_the_same_model_in_whatever_table(model, table, roles):
    roles = {role: 2 if value == -1 else value for role, value in roles.items()}
    other = like(model, **roles).fit(table)
    assert_same_model(other, model)
    assert_array_equal(other.decision_function(table), model.decision_function(X))


@pytest.mark.parametrize(
    "name",
    [
        lambda code: f"n{code:03d}",
        lambda code: code + 0.5,
        lambda code: code if code < 15 else f"n{code:03d}",
    ],
    ids=["str", "float", "mixed"],
)
def test_ids_may_be_of_any_type(model, name):
    users, items = [name(u) for u in X["user_id"]], [name(i) for i in X["item_id"]]
    named = like(model).fit(X.assign(user_id=users, item_id=items))
    expected, scores = model.recommend([3, 20], k=4)
    found, named_scores = named.recommend([name(3), name(20)], k=4)
    assert found.tolist() == [[name(i) for i in row] for row in expected.tolist()]
    assert_array_equal(named_scores, scores)
    assert named.items_.tolist() == [name(i) for i in model.items_.tolist()]
    assert named.items_[0] in named.items_.tolist()


def test_order_of_the_rows_does_not_matter_where_times_are_known(model):
    assert not X.duplicated(["user_id", "timestamp"]).any()
    shuffled = X.sample(frac=1.0, random_state=1)
    assert_same_model(like(model).fit(shuffled), model)


def test_order_of_the_rows_is_time_where_there_are_no_times():
    without = recommender().fit(X.drop(columns="timestamp"))
    assert_same_model(recommender(timestamp=None).fit(X), without)
    backwards = X.iloc[::-1]
    assert_same_model(recommender(timestamp=None).fit(backwards.iloc[::-1]), without)
    assert not np.array_equal(
        recommender(timestamp=None).fit(backwards).recommend(k=5)[1], without.recommend(k=5)[1]
    )


def test_rows_of_equal_time_keep_their_order():
    tied = X.assign(timestamp=0)
    swapped = tied.sample(frac=1.0, random_state=0)
    first = recommender(early_stopping=False).fit(tied)
    assert not np.array_equal(
        recommender(early_stopping=False).fit(swapped).recommend(k=5)[1], first.recommend(k=5)[1]
    )
    # users may be mixed in any way, as long as each one's own rows stay in order
    by_user = tied.sort_values("user_id", kind="stable")
    assert_same_model(recommender(early_stopping=False).fit(by_user), first)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"user": [1], "item": ["a"], "timestamp": [0]}),
        pd.DataFrame({"user": [1], "item": ["a"]}),
        pd.DataFrame({"user": [1] * 5, "item": ["a"] * 5, "timestamp": [3] * 5}),
        pd.DataFrame({"user": range(30), "item": ["a", "b", "c"] * 10, "timestamp": range(30)}),
        pd.DataFrame({"user": [1] * 40, "item": list("abcde") * 8, "timestamp": range(40)}),
        pd.concat([X, X, X]),
    ],
    ids=["one row", "no time", "duplicates", "one-item users", "one user", "each row thrice"],
)
@over_attentions
def test_odd_tables_are_learned_too(table, attention):
    if attention == "hierarchical":
        table = table.assign(session="s")
    own = recommender(attention=attention).fit(table)
    items, scores = own.recommend(k=2, filter_seen=False)
    n_found = min(2, len(own.items_))
    assert np.isfinite(scores[:, :n_found]).all()
    assert set(items[:, :n_found].ravel()) <= set(own.items_)
    assert_allclose(own.attention_weights_.sum(axis=1), 1.0, rtol=1e-6)
    assert 0.0 <= own.score(table) <= 1.0


@over_attentions
@pytest.mark.parametrize("max_history", [1, 2, 500])
def test_histories_may_be_shorter_or_longer_than_what_is_looked_at(max_history, attention):
    own = recommender(attention=attention, max_history=max_history).fit(X)
    assert own.attention_weights_.shape == (1, max_history)
    assert own.attend(X.iloc[:3]).shape == (3, max_history)


# ---- weights -----------------------------------------------------------------------------------


# Among them users and items that are nowhere else.
IDLE = pd.concat([X.iloc[50:80], X.iloc[:5].assign(user_id=99), X.iloc[:5].assign(item_id=77)])


@pytest.mark.parametrize("idle", ["weight", "relevance", "negative"])
def test_rows_that_count_for_nothing_equal_absent_rows(model, idle):
    both = pd.concat([X, IDLE], ignore_index=True)
    counts = np.r_[np.ones(len(X)), np.zeros(len(IDLE))]
    if idle == "weight":
        own = like(model).fit(both, sample_weight=counts)
    else:
        own = like(model).fit(both, counts if idle == "relevance" else 2 * counts - 1)
    assert_array_equal(own.users_, model.users_)
    assert_array_equal(own.items_, model.items_)
    assert_same_model(own, model)


def test_relevance_and_weights_multiply_and_their_scale_does_not_matter(model):
    rng = np.random.default_rng(0)
    relevance, weight = rng.uniform(0.5, 2.0, size=(2, len(X)))
    both = like(model).fit(X, relevance, sample_weight=weight)
    assert_same_model(both, like(model).fit(X, relevance * weight))
    assert_same_model(like(model).fit(X, np.full(len(X), 4.0)), model)
    assert not np.array_equal(both.recommend(k=5)[1], model.recommend(k=5)[1])


# ---- what fit leaves ---------------------------------------------------------------------------


def test_fit_tells_what_it_did(model):
    assert model.users_.tolist() == sorted(set(X["user_id"]))
    assert model.items_.tolist() == sorted(set(X["item_id"]))
    assert model.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == list(X)
    n_scored = len(model.validation_scores_)  # and once more on all rows
    best = int(model.validation_scores_.argmax()) + 1
    assert model.n_iter_ == len(model.loss_curve_) == n_scored + best
    assert ((model.validation_scores_ >= 0) & (model.validation_scores_ <= 1)).all()
    assert model.attention_weights_.shape == (1, 8)
    assert_allclose(model.attention_weights_.sum(), 1.0, rtol=1e-6)


def test_without_hold_out_all_passes_are_done_once():
    own = recommender(early_stopping=False, max_epochs=5).fit(X)
    assert own.n_iter_ == len(own.loss_curve_) == 5
    assert own.loss_curve_[-1] < own.loss_curve_[0]
    assert own.validation_scores_ is None


def test_few_users_are_not_held_out_unless_told():
    few = X[X["user_id"] < 10]
    assert recommender().fit(few).validation_scores_ is None
    assert len(recommender(early_stopping=True, refit=False).fit(few).validation_scores_) == 3


def test_refit_can_be_left_out():
    own = recommender(refit=False).fit(X)
    assert own.n_iter_ == len(own.validation_scores_) == 3


def test_parameters_stay_as_they_are_and_are_cloned(model):
    assert clone(model).get_params() == model.get_params() == like(model).get_params()
    with pytest.raises(NotFittedError):
        clone(model).recommend()


@pytest.mark.parametrize(
    "copied",
    [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, lambda m: m],
    ids=["pickle", "deepcopy", "itself"],
)
def test_copies_recommend_the_same(model, copied):
    other = copied(model)
    assert_same_model(other, model)
    assert_array_equal(other.attend(X), model.attend(X))
    assert_array_equal(other.similar_items([0])[0], model.similar_items([0])[0])


def test_a_dumped_model_recommends_the_same(model, tmp_path):
    joblib.dump(model, tmp_path / "model")
    assert_same_model(joblib.load(tmp_path / "model"), model)


def test_same_seed_gives_the_same_model_and_leaves_global_generators_alone(model):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert_same_model(like(model).fit(X), model)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    other = like(model, random_state=1).fit(X)
    assert not np.array_equal(other.recommend(k=5)[1], model.recommend(k=5)[1])


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": torch.optim.RAdam},
        {"weight_decay": 0.1, "max_grad_norm": None},
        {"batch_size": 7},
        {"precision": "float64"},
        *({"precision": "bf16", "attention": attention} for attention in ATTENTIONS),
        {"n_heads": 4, "n_layers": 3, "dropout": 0.0},
    ],
    ids=str,
)
def test_every_choice_trains(parameters):
    own = recommender(early_stopping=False, max_epochs=10, **parameters).fit(X)
    assert own.loss_curve_[-1] < own.loss_curve_[0]
    assert own.recommend(k=3)[1].dtype == own.transform(X).dtype == np.float32


def test_progress_is_shown_only_where_wanted(capsys):
    recommender(max_epochs=1, refit=False).fit(X)
    assert "".join(capsys.readouterr()) == ""
    recommender(max_epochs=1, refit=False, verbose=2).fit(X)
    assert "valid_loss" in capsys.readouterr().out


# ---- breaking off ------------------------------------------------------------------------------


class Break(Callback):
    """Raises in the pass chosen."""

    def __init__(self, error, in_pass):
        self.error, self.in_pass = error, in_pass

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.in_pass:
            raise self.error


@over_attentions
@pytest.mark.parametrize("in_pass", [1, 3])
def test_interrupt_leaves_a_usable_model_and_is_raised_again(in_pass, attention):
    own = recommender(attention=attention, callbacks=[Break(KeyboardInterrupt(), in_pass)])
    with pytest.raises(KeyboardInterrupt):
        own.fit(X)
    assert own.n_iter_ == len(own.loss_curve_) == in_pass - 1
    assert np.isfinite(own.recommend(k=3)[1]).all()
    assert_allclose(own.attention_weights_.sum(), 1.0, rtol=1e-6)


def test_callbacks_are_copied_and_see_every_pass():
    class Count(Callback):
        seen: list[int] = []  # noqa: RUF012  (shared by the copies)

        def on_epoch_end(self, net, **kwargs):
            self.seen.append(len(net.history))

    own = recommender(callbacks=[("count", Count())]).fit(X)
    assert Count.seen == [1, 2, 3]  # and no training after that
    assert own.n_iter_ == 3


def test_held_out_events_are_trained_on_at_last_alone():
    class Targets(Callback):
        seen: list[list[int]] = []  # noqa: RUF012  (shared by the copies)

        def on_batch_begin(self, net, batch, training, **kwargs):
            if training:
                self.seen.append(batch[1].tolist())

    codes = np.searchsorted(np.unique(X["item_id"]), X["item_id"]) + 1
    last = ~X.duplicated("user_id", keep="last").to_numpy()
    own = recommender(max_epochs=1, batch_size=1000, refit=True, callbacks=[Targets()]).fit(X)
    first, again = Targets.seen
    assert sorted(first) == sorted(codes[~last])
    assert sorted(again) == sorted(codes)
    assert own.n_iter_ == 2


@pytest.mark.parametrize(
    ("parameters", "table", "match"),
    [
        ({"callbacks": [Break(RuntimeError("out of luck"), 2)]}, X, "out of luck"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, X, "loss became (nan|inf)"),
        ({"learning_rate": -1.0}, X, "learning_rate"),
        ({}, X.drop(columns="item_id"), "none of items"),
        ({}, X.iloc[:0], "at least one row"),
    ],
    ids=["callback", "loss", "parameter", "role", "empty"],
)
def test_failed_fit_changes_nothing(parameters, table, match):
    own = recommender().fit(X)
    before, expected = dict(vars(own)), own.recommend(k=5)
    own.set_params(**parameters)
    with pytest.raises((RuntimeError, ValueError), match=match):
        own.fit(table)
    assert {**vars(own), **{name: before[name] for name in parameters}} == before
    assert_array_equal(own.recommend(k=5)[0], expected[0])
    new = recommender(**parameters)
    with pytest.raises((RuntimeError, ValueError), match=match):
        new.fit(table)
    with pytest.raises(NotFittedError):
        new.recommend()


# ---- bad input ---------------------------------------------------------------------------------

MISSING_USER = X.assign(user_id=X["user_id"].where(X.index != 7))
MISSING_ITEM = X.assign(item_id=[None, *X["item_id"].astype(str)[1:]])


@pytest.mark.parametrize(
    ("parameters", "bad", "match"),
    [
        ({}, X.iloc[:0], r"shape \(0, 3\): AttentionRecommender needs at least one row"),
        ({}, X[[]], "at least one row and one column"),
        ({}, ARRAY, r"found no columns of users and items among \['x0', 'x1', 'x2'\]\. Call them"),
        ({}, X[["timestamp"]], r"found no columns of users and items among \['timestamp'\]"),
        ({}, X[["user_id"]], "found a column of users but none of items among .* as item="),
        ({}, X[["item_id"]], "found a column of items but none of users among .* as user="),
        ({"user": "who"}, X, "user='who' is not a column of X"),
        ({"item": 3}, X, "item must be .* a position from 0 to 2; got 3"),
        ({"timestamp": -1}, X, "timestamp must be .* got -1"),
        (
            {"item": "user_id"},
            X,
            "needs a column each for user, item, timestamp and session; got 'user_id'",
        ),
        (
            {"timestamp": 1},
            X,
            "needs a column each for user, item, timestamp and session; got 'item_id'",
        ),
        ({}, X.assign(user=1), "matches the columns 'user_id' and 'user'"),
        ({}, MISSING_USER, "'user_id' holds ids, of which none may be missing; the one in row 7"),
        ({}, MISSING_ITEM, "'item_id' holds ids, of which none may be missing; the one in row 0"),
        ({}, X.assign(item_id=[[1]] * len(X)), r"found \[1\]: a category must be a hashable"),
        (
            {},
            X.assign(timestamp=X["timestamp"].where(X.index != 3)),
            "holds times.*; 1 of .* in row 3",
        ),
        ({}, X.assign(timestamp="noon"), "holds times, which must be finite numbers or datetimes"),
        ({}, ARRAY[:, 0], "Expected 2D array, got 1D"),
        ({"embedding_dim": 9}, X, "embedding_dim must be a multiple of n_heads"),
        ({"embedding_dim": 0}, X, "'embedding_dim' parameter of AttentionRecommender"),
        ({"attention": "bidirectional"}, X, "'attention' parameter of AttentionRecommender"),
        ({"max_history": 0}, X, "'max_history' parameter of AttentionRecommender"),
        ({"max_epochs": "auto"}, X, "'max_epochs' parameter of AttentionRecommender"),
        ({"batch_size": 0}, X, "'batch_size' parameter of AttentionRecommender"),
        ({"dropout": 1.0}, X, "'dropout' parameter of AttentionRecommender"),
        ({"optimizer": torch.nn.Linear}, X, "optimizer must take parameter groups and lr"),
        ({"callbacks": ["stop"]}, X, "callbacks must hold skorch callbacks"),
        ({"early_stopping": True}, X.drop_duplicates("user_id"), "at least three, and there is"),
    ],
)
def test_bad_input_to_fit_is_refused(parameters, bad, match):
    own = recommender(**parameters)
    with pytest.raises(ValueError, match=match):
        own.fit(bad)
    assert vars(own) == own.get_params()


def test_sparse_interactions_are_refused():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        recommender(**ROLES).fit(csr_array(ARRAY))


@pytest.mark.parametrize(
    ("fit_params", "match"),
    [
        ({"y": np.zeros(len(X))}, "No row of X counts"),
        (
            {"y": np.arange(len(X)) % 2, "sample_weight": np.arange(1, len(X) + 1) % 2},
            "No row of X counts",
        ),
        ({"y": np.ones(3)}, rf"one finite number per row of X, \({len(X)},\).*shape \(3,\)"),
        ({"y": np.ones((len(X), 1))}, "one finite number per row of X"),
        ({"y": np.full(len(X), "yes")}, "y must hold numbers, how much .* got y of dtype <U3"),
        ({"y": np.full(len(X), None)}, "one finite number per row of X"),
        ({"y": np.full(len(X), np.nan)}, "one finite number per row of X"),
        ({"sample_weight": np.full(len(X), -1.0)}, "[Nn]egative"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
    ],
)
def test_bad_weights_are_refused(fit_params, match):
    with pytest.raises(ValueError, match=match):
        recommender().fit(X, **fit_params)


def test_no_user_with_three_interactions_cannot_be_held_out_but_learned():
    two = X.groupby("user_id").head(2)
    assert recommender().fit(two).validation_scores_ is None


# ---- scikit-learn ------------------------------------------------------------------------------


def test_search_over_splits_in_time_works():
    search = GridSearchCV(
        recommender(max_epochs=2),
        {"max_history": [2, 8], "timestamp": ["auto", None]},
        cv=GlobalTemporalSplit(n_splits=2),
        error_score="raise",
    ).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert ((scores > 0) & (scores < 1)).all()
    assert search.best_estimator_.recommend([0], k=3)[0].shape == (1, 3)
    assert 0 < search.score(X) < 1


def test_cross_validation_scores_as_by_hand():
    cv = GlobalTemporalSplit(n_splits=2, targets="first")
    found = cross_validate(recommender(), X, cv=cv, error_score="raise")["test_score"]
    by_hand = [recommender().fit(X.iloc[a]).score(X.iloc[b]) for a, b in cv.split(X)]
    assert_array_equal(found, by_hand)


def test_shown_parameters_are_those_that_were_changed():
    text = re.sub(r"\s+", " ", repr(AttentionRecommender(max_history=20)))
    assert text == "AttentionRecommender(max_history=20)"


# ---- it learns what is there -------------------------------------------------------------------


@pytest.mark.slow
def test_held_out_interactions_are_ranked_nearly_as_well_as_by_the_truth():
    planted = make_interactions(
        n_users=500, n_items=60, n_interactions=30, n_groups=6, lag=2, random_state=0
    )
    data = planted.data.drop(columns="session_id")
    ((train, test),) = LeaveLastOut().split(data)
    own = AttentionRecommender(
        embedding_dim=32, n_layers=1, max_history=10, dropout=0.1, random_state=0
    ).fit(data.iloc[train])
    items = data["item_id"].to_numpy()
    seen = np.zeros((500, 60), dtype=bool)
    seen[data["user_id"].iloc[train], items[train]] = True
    excluded = seen[data["user_id"].iloc[test]]

    def ndcg(scores):
        return ndcg_at_k(*target_ranks(scores, items[test], excluded), k=10)

    oracle = ndcg(planted.probabilities(test))
    popular = ndcg(np.tile(np.bincount(items[train], minlength=60), (len(test), 1)))
    found = own.score(data.iloc[test])
    assert found > 0.85 * oracle
    assert found > popular + 0.5 * (oracle - popular)
    assert own.attention_weights_[0].argmax() == planted.lag - 1


@pytest.mark.slow
def test_times_help_where_they_tell_what_comes_next():
    planted = make_interactions(
        n_users=300,
        n_items=60,
        n_interactions=30,
        n_groups=6,
        lag=1,
        time_effect=1.0,
        noise=0.0,
        random_state=0,
    )
    data = planted.data.drop(columns="session_id")
    ((train, test),) = LeaveLastOut().split(data)

    def score(**parameters):
        own = AttentionRecommender(
            embedding_dim=32, n_layers=1, max_history=10, dropout=0.1, random_state=0, **parameters
        )
        return own.fit(data.iloc[train]).score(data.iloc[test])

    assert score() > score(timestamp=None) + 0.02


@pytest.mark.parametrize(("parameter", "value"), [("loss", "gbce"), ("index", "faiss")])
def test_cross_attention_has_no_score_for_a_loss_or_an_index_of_its_own(parameter, value):
    message = f"{parameter} must be (.*) with attention='cross'.*got {value!r}"
    with pytest.raises(ValueError, match=message):
        recommender(attention="cross", **{parameter: value}).fit(X)


@pytest.mark.parametrize("loss", ["sampled_softmax", "gbce"])
def test_candidates_may_be_retrieved_by_a_sampled_loss(loss):
    model = recommender(attention="double", loss=loss).fit(X)
    assert np.isfinite(model.recommend(k=5)[1]).all()


@pytest.mark.slow
def test_candidates_find_the_event_that_speaks_for_them():
    """One vector cannot say well which of six items has its partner next; a reading of each can."""
    data, lag = partners()
    ((train, test),) = LeaveLastOut().split(data)
    rows, follows = data.iloc[test], lag > 0
    score, found = {}, {}
    for attention in ("self", "cross", "double"):
        own = recommender(
            attention=attention,
            embedding_dim=16,
            max_history=10,
            dropout=0.1,
            learning_rate=0.01,
            max_epochs=30,
            refit=False,
        ).fit(data.iloc[train])
        own.transition_weight_ = 0.0  # which finds partners, too
        score[attention] = ndcg_at_k(*own.target_ranks(rows, filter_seen=False))
        right = own.attend(rows).argmax(axis=1) + 1 == lag
        found[attention] = right[follows].mean()
    assert min(score["cross"], score["double"]) > score["self"] + 0.08
    assert min(found["cross"], found["double"]) > 0.35 > 0.2 > found["self"]
