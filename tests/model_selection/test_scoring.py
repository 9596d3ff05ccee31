import pickle

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import hit_rate_at_k, ndcg_at_k
from sk_attention.model_selection import GlobalTemporalSplit, LeaveLastOut, make_ranking_scorer

SMALL = {"embedding_dim": 8, "n_layers": 1, "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    return make_interactions(n_users=40, n_items=30, n_interactions=12, random_state=0).data


@pytest.fixture(scope="module")
def fitted(data):
    train, test = next(LeaveLastOut().split(data))
    return AttentionRecommender(**SMALL).fit(data.iloc[train]), data.iloc[test]


@pytest.mark.parametrize("filter_seen", [True, False])
def test_score_is_the_metric_of_the_ranks(fitted, filter_seen):
    model, test = fitted
    ranks = model.target_ranks(test, filter_seen=filter_seen)
    scorer = make_ranking_scorer("hit_rate", k=3, filter_seen=filter_seen)
    assert scorer(model, test) == hit_rate_at_k(*ranks, k=3)
    weight = np.arange(len(test))
    ndcg = make_ranking_scorer(filter_seen=filter_seen)
    expected = ndcg_at_k(*ranks, k=10, sample_weight=weight)
    assert ndcg(model, test, sample_weight=weight) == expected


def test_default_is_the_score_of_the_estimator(fitted):
    model, test = fitted
    assert make_ranking_scorer()(model, test) == model.score(test)


def test_more_places_than_items_make_no_hit_of_an_unknown_item(fitted):
    model, test = fitted
    unknown = test.assign(item_id=999)
    assert make_ranking_scorer("hit_rate", k=1000)(model, unknown) == 0.0
    assert make_ranking_scorer("hit_rate", k=1000)(model, test) == 1.0


def test_scorers_serve_searches_pipelines_and_several_scores(data):
    scoring = {name: make_ranking_scorer(name) for name in ("ndcg", "hit_rate", "mrr")}
    model = make_pipeline(FunctionTransformer(), AttentionRecommender(**SMALL))
    scores = cross_validate(model, data, cv=GlobalTemporalSplit(2), scoring=scoring)
    assert (scores["test_hit_rate"] >= scores["test_ndcg"]).all()
    search = GridSearchCV(
        AttentionRecommender(**SMALL),
        {"max_history": [2, 8]},
        cv=LeaveLastOut(),
        scoring=make_ranking_scorer(),
    ).fit(data)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()


def test_plain_folds_work(data):
    scores = cross_validate(
        AttentionRecommender(**SMALL), data, cv=KFold(2), scoring=make_ranking_scorer()
    )
    assert np.isfinite(scores["test_score"]).all()


def test_scorer_shows_itself_and_pickles(fitted):
    model, test = fitted
    scorer = make_ranking_scorer("mrr", k=5, filter_seen=False)
    assert repr(scorer) == "make_ranking_scorer('mrr', k=5, filter_seen=False)"
    assert pickle.loads(pickle.dumps(scorer))(model, test) == scorer(model, test)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metric": "auc"}, r"metric must be one of \['hit_rate', 'mrr', 'ndcg'\], got 'auc'"),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"k": 2.5}, "k must be an integer of at least 1, got 2.5"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        make_ranking_scorer(**arguments)


def test_what_is_no_recommender_cannot_be_scored(data):
    with pytest.raises(TypeError, match="asks for target_ranks, which DummyClassifier does not"):
        make_ranking_scorer()(DummyClassifier(), data)
