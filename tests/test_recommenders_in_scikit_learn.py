"""The contracts of estimators, on real interactions: purchases, many of one invoice and moment."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import load_online_retail
from sk_attention.model_selection import (
    GlobalTemporalSplit,
    LeakageWarning,
    LeaveLastOut,
    UserGroupKFold,
    evaluate,
    make_ranking_scorer,
)
from tests._recommenders import ATTENTIONS, SMALL, assert_same_model, recommender

RETAIL = load_online_retail().data.iloc[:1500]
X = RETAIL[["user_id", "item_id", "timestamp"]]
CODES = X["item_id"].astype("category").cat.codes
SECONDS = X["timestamp"].astype("datetime64[s]").astype(np.int64)
ARRAY = np.column_stack([X["user_id"], CODES, SECONDS])
TABLES = {
    "pandas": (X, {}),
    "polars": (pl.DataFrame({name: X[name].to_list() for name in X}), {}),
    "array": (ARRAY, {"user": 0, "item": 1, "timestamp": 2}),
}
MODELS = {
    "attention": AttentionRecommender(**{**SMALL, "max_epochs": 2, "refit": False}),
    "popular": PopularRecommender(half_life=0.1),
}
NDCG = make_ranking_scorer()
CV = GlobalTemporalSplit(2)

over_models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture(params=[(m, t) for m in MODELS for t in TABLES], ids="-".join)
def case(request):
    """An unfitted recommender and a table for it."""
    name, table = request.param
    rows, roles = TABLES[table]
    return clone(MODELS[name]).set_params(**roles), rows


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X) for name, model in MODELS.items()}


def temporal(model, n_splits=2):
    """The split in time that finds the columns of the model's table."""
    return GlobalTemporalSplit(n_splits, user=model.user, timestamp=model.timestamp)


def take(rows, chosen):
    return rows.iloc[chosen] if isinstance(rows, pd.DataFrame) else rows[chosen]


# ---- one estimator -----------------------------------------------------------------------------


def test_clones_fit_alike_and_pickles_answer_alike(case):
    model, rows = case
    one = model.fit(rows)
    assert clone(one).get_params() == one.get_params()
    assert_same_model(clone(one).fit(rows), one)
    copied = pickle.loads(pickle.dumps(one))
    assert_same_model(copied, one)
    assert_array_equal(copied.predict(rows), one.predict(rows))
    assert copied.score(rows) == one.score(rows)


def test_a_row_is_answered_alike_alone_shuffled_and_in_pieces(case):
    model, rows = case
    model.fit(rows)
    n = len(rows)
    together = model.predict(rows)
    order = np.random.default_rng(0).permutation(n)
    assert_allclose(model.predict(take(rows, order)), together[order], atol=1e-5)
    assert_allclose(model.predict(take(rows, np.arange(40, 70))), together[40:70], atol=1e-5)
    assert_allclose(model.predict(take(rows, np.array([3]))), together[[3]], atol=1e-5)
    shuffled = model.score(take(rows, order))
    assert shuffled == pytest.approx(model.score(rows), abs=2e-3)  # near ties may turn


KINDS = [("ranking", attention) for attention in ATTENTIONS if attention != "self"]
KINDS += [(task, kind) for task in ("classification", "regression") for kind in ATTENTIONS]
LABELS = {"classification": RETAIL["quantity"] > 6, "regression": np.log1p(RETAIL["price"])}


@pytest.mark.parametrize(("task", "attention"), KINDS, ids=map("-".join, KINDS))
def test_rows_of_every_kind_are_answered_alike_alone_shuffled_and_by_pickles(task, attention):
    y = LABELS.get(task)
    own = recommender(task=task, attention=attention, max_epochs=2, refit=False).fit(X, y)

    def answers(model, rows):
        if task == "classification":
            return model.predict_proba(rows)[:, 1]
        return model.predict(rows)

    together = answers(own, X)
    order = np.random.default_rng(0).permutation(len(X))
    assert_allclose(answers(own, X.iloc[order]), together[order], atol=1e-5)
    assert_allclose(answers(own, X.iloc[[3]]), together[[3]], atol=1e-5)
    copied = pickle.loads(pickle.dumps(own))
    assert_array_equal(answers(copied, X), together)
    assert copied.score(X[-200:], None if y is None else y[-200:]) == own.score(
        X[-200:], None if y is None else y[-200:]
    )


def test_all_tables_give_the_same_scores():
    for model in MODELS.values():
        found = [
            cross_validate(clone(model).set_params(**roles), rows, cv=cv, scoring=NDCG)
            for (rows, roles), cv in zip(
                TABLES.values(), [CV, CV, GlobalTemporalSplit(2, timestamp=2)], strict=True
            )
        ]
        for other in found[1:]:
            assert_allclose(other["test_score"], found[0]["test_score"], rtol=1e-6)


@over_models
def test_rows_may_come_in_any_order_where_times_differ(model):
    apart = X.drop_duplicates(["user_id", "timestamp"])
    expected = clone(model).fit(apart)
    assert_same_model(clone(model).fit(apart.sample(frac=1, random_state=0)), expected)


# ---- searches and cross-validation -------------------------------------------------------------


def grid(model):
    name = "half_life" if isinstance(model, PopularRecommender) else "max_history"
    return {name: [0.05, 0.5] if name == "half_life" else [2, 8]}


def test_grid_search_chooses_and_refits(case):
    model, rows = case
    search = GridSearchCV(model, grid(model), cv=temporal(model), scoring=NDCG, error_score="raise")
    search.fit(rows)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert search.best_estimator_.recommend(k=3)[0].shape[1] == 3
    assert search.score(rows) == NDCG(search.best_estimator_, rows)


@over_models
def test_other_searches_work_too(model):
    options = {"cv": CV, "scoring": NDCG, "error_score": "raise", "random_state": 0}
    name = next(iter(grid(model)))
    random = RandomizedSearchCV(
        model,
        {name: loguniform(0.01, 1)} if name == "half_life" else {name: range(2, 9)},
        n_iter=2,
        **options,
    ).fit(X)
    assert name in random.best_params_
    halving = HalvingGridSearchCV(model, grid(model), min_resources=700, **options).fit(X)
    assert halving.n_resources_[0] == 700
    assert name in halving.best_params_


@over_models
def test_several_metrics_and_training_scores_are_given(model):
    names = ["ndcg", "recall", "coverage"]
    scores = cross_validate(
        model, X, cv=CV, scoring=make_ranking_scorer(names), return_train_score=True
    )
    for name in names:
        assert ((scores[f"test_{name}"] >= 0) & (scores[f"test_{name}"] <= 1)).all()
        assert np.isfinite(scores[f"train_{name}"]).all()
    single = cross_validate(
        model, X, cv=CV, scoring={name: make_ranking_scorer(name) for name in names}
    )
    for name in names:
        assert_array_equal(single[f"test_{name}"], scores[f"test_{name}"])


@over_models
@pytest.mark.parametrize("cv", [CV, LeaveLastOut(), UserGroupKFold(3)], ids=repr)
def test_every_split_for_interactions_works_without_a_warning(model, cv):
    scores = cross_validate(model, X, cv=cv, scoring=NDCG, error_score="raise")["test_score"]
    assert ((scores >= 0) & (scores <= 1)).all()


@over_models
def test_plain_folds_and_the_default_score_work_and_are_warned_of(model):
    with pytest.warns(LeakageWarning):
        scores = cross_validate(model, X, cv=3, error_score="raise")["test_score"]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_plain_folds_of_labels_are_warned_of_and_splits_in_time_are_not(task):
    own, y = AttentionRecommender(task, **{**SMALL, "max_epochs": 1}), RETAIL["quantity"] > 6
    folds = KFold(2, shuffle=True, random_state=0)
    with pytest.warns(LeakageWarning, match="split by time") as caught:
        cross_validate(own, X, y, cv=folds, error_score="raise")
    assert [warning.filename for warning in caught] == [__file__] * 2
    cross_validate(own, X, y, cv=CV, error_score="raise", return_train_score=True)
    cross_validate(own, X.drop(columns="timestamp"), y, cv=folds, error_score="raise")


def test_predictions_of_plain_folds_are_those_by_hand(case):
    model, rows = case
    folds = KFold(2, shuffle=True, random_state=0)
    found = cross_val_predict(model, rows, cv=folds)
    for train, test in folds.split(np.arange(len(rows))):
        by_hand = clone(model).fit(take(rows, train)).predict(take(rows, test))
        assert_array_equal(found[test], by_hand)


@pytest.mark.slow
@over_models
def test_processes_side_by_side_change_nothing(model):
    search = [
        GridSearchCV(model, grid(model), cv=CV, scoring=NDCG, n_jobs=n_jobs).fit(X)
        for n_jobs in (1, 2)
    ]
    assert_allclose(*(one.cv_results_["mean_test_score"] for one in search), rtol=1e-6)
    assert_same_model(search[1].best_estimator_, search[0].best_estimator_, rtol=1e-6)


# ---- pipelines ---------------------------------------------------------------------------------


def renamed(frame):
    names = {"user_id": "customer", "item_id": "product", "timestamp": "when"}
    return frame.rename(columns=names)


@over_models
def test_a_pipeline_may_choose_and_rename_columns(model, fitted):
    choose = make_column_transformer(
        ("passthrough", ["user_id", "item_id", "timestamp"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    roles = {"user": "customer", "item": "product", "timestamp": "when"}
    inner = clone(model).set_params(**roles)
    pipeline = make_pipeline(choose, FunctionTransformer(renamed), inner).fit(RETAIL)
    expected = fitted["popular" if isinstance(model, PopularRecommender) else "attention"]
    assert_same_model(pipeline[-1], expected)
    assert_array_equal(pipeline.predict(RETAIL), expected.predict(X))
    for scorer in (NDCG, make_ranking_scorer(["mrr", "novelty"])):
        assert scorer(pipeline, RETAIL) == scorer(expected, X)
    step = type(model).__name__.lower()
    search = GridSearchCV(
        pipeline,
        {f"{step}__{name}": values for name, values in grid(model).items()},
        cv=CV,
        scoring=NDCG,
        error_score="raise",
    ).fit(RETAIL)
    plain = GridSearchCV(model, grid(model), cv=CV, scoring=NDCG).fit(X)
    assert_allclose(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=1e-6
    )
    judged = evaluate(pipeline, RETAIL, metrics=["ndcg"], n_resamples=5)
    assert {entry["recommender"] for entry in judged} == {
        type(model).__name__,
        "popular",
        "popular lately",
    }
