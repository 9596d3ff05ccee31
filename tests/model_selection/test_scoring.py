import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.data.histories import build_histories
from sk_attention.datasets import load_online_retail, make_interactions
from sk_attention.metrics import coverage_at_k, hit_rate_at_k, ndcg_at_k, novelty_at_k
from sk_attention.model_selection import (
    GlobalTemporalSplit,
    LeakageWarning,
    LeaveLastOut,
    UserGroupKFold,
    make_ranking_scorer,
)

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
    model, test = fitted  # each user asks once
    ranks = model.target_ranks(test, filter_seen=filter_seen)
    scorer = make_ranking_scorer("hit_rate", k=3, filter_seen=filter_seen)
    assert scorer(model, test) == pytest.approx(hit_rate_at_k(*ranks, k=3))
    weight = np.arange(len(test))
    ndcg = make_ranking_scorer(filter_seen=filter_seen)
    expected = ndcg_at_k(*ranks, k=10, sample_weight=weight)
    assert ndcg(model, test, sample_weight=weight) == pytest.approx(expected)


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
    # the rows are in the order of time: the second fold trains on the future of the first
    with pytest.warns(LeakageWarning, match="GlobalTemporalSplit"):
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
        ({"metric": "auc"}, r"metric must be one of \['coverage', 'hit_rate', .*\], got 'auc'"),
        ({"metric": ["ndcg", "auc"]}, "metric must be one of .*, got 'auc'"),
        ({"metric": []}, "metric must be one of .*, got none"),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"k": 2.5}, "k must be an integer of at least 1, got 2.5"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        make_ranking_scorer(**arguments)


def test_what_is_no_recommender_cannot_be_scored(data):
    with pytest.raises(TypeError, match="target_ranks or recommend, neither of which DummyClass"):
        make_ranking_scorer()(DummyClassifier(), data)


# ---- questions: rows of one user and time ------------------------------------------------------

# Ann asks for two items at 5 and for one at 6; of the two at 5 one is listed twice.
ASKED = pd.DataFrame(
    {
        "user": ["Ann", "Ann", "Ann", "Ann", "Bob"],
        "item": ["fig", "jam", "jam", "rum", "new"],
        "timestamp": [5, 5, 5, 6, 5],
    }
)
KNOWN = pd.DataFrame(
    {
        "user": ["Cy"] * 4 + ["Di"] * 3 + ["Ed"] * 2 + ["Ann"],
        "item": ["tea", "jam", "fig", "rum", "tea", "jam", "fig", "tea", "jam", "tea"],
        "timestamp": [1, 2, 3, 4, 1, 2, 3, 1, 2, 1],
    }
)  # popular: tea 4, jam 3, fig 2, rum 1; Ann had tea


@pytest.mark.parametrize(
    ("metric", "filter_seen", "expected"),
    [
        ("recall", True, (1.0 + 0.0 + 0.0) / 3),  # both; rum is third; new is a miss
        ("recall", False, (0.5 + 0.0 + 0.0) / 3),  # tea takes a place
        ("hit_rate", False, (1.0 + 0.0 + 0.0) / 3),
        ("mrr", True, (1.0 + 0.0 + 0.0) / 3),
        ("ndcg", True, (1.0 + 0.0 + 0.0) / 3),
        ("coverage", True, 3 / 4),  # Ann: jam, fig; Bob: tea, jam
        ("coverage", False, 2 / 4),
        ("novelty", False, -(np.log2(4 / 4) + np.log2(3 / 4)) / 2),
    ],
)
def test_rows_of_one_moment_are_one_question(metric, filter_seen, expected):
    model = PopularRecommender().fit(KNOWN)
    scorer = make_ranking_scorer(metric, k=2, filter_seen=filter_seen)
    assert scorer(model, ASKED) == pytest.approx(expected)
    assert scorer(model, ASKED.sample(frac=1, random_state=1)) == pytest.approx(expected)


def test_without_times_the_rows_of_a_user_are_one_question():
    model = PopularRecommender(timestamp=None).fit(KNOWN)
    # of Ann's fig, jam and rum two lead the list of two; Bob's is a miss
    assert make_ranking_scorer("recall", k=2)(model, ASKED) == pytest.approx((2 / 3 + 0) / 2)


def test_what_was_had_before_stays_in_the_list_if_it_is_to_be_foretold():
    model = PopularRecommender().fit(KNOWN)
    again = pd.DataFrame({"user": "Ann", "item": ["tea", "jam"], "timestamp": [9, 9]})
    assert make_ranking_scorer("ndcg", k=2)(model, again) == 1.0  # tea, then jam


def test_a_question_weighs_the_mean_of_its_rows():
    model = PopularRecommender().fit(KNOWN)
    scorer = make_ranking_scorer("recall", k=2)
    weight = [1.0, 3.0, 9.0, 0.0, 2.0]
    assert scorer(model, ASKED, sample_weight=weight) == pytest.approx(2.0 / (2.0 + 2.0))
    assert model.score(ASKED, sample_weight=weight) == pytest.approx(
        make_ranking_scorer(k=4)(model, ASKED, sample_weight=weight)
    )


def test_rows_of_fit_are_scored_without_seeing_their_moment(data):
    """Retail has invoices: many rows of one moment, some of them twice."""
    retail = load_online_retail().data[["user_id", "item_id", "timestamp"]].iloc[:2000]
    model = AttentionRecommender(**SMALL).fit(retail)
    for name in ("ndcg", "hit_rate", "recall", "mrr"):
        assert 0.0 < make_ranking_scorer(name)(model, retail) < 1.0
    first = retail[retail["timestamp"] == retail["timestamp"].iloc[-1]]
    query = np.zeros(len(first), dtype=int)
    knows_less = AttentionRecommender(**SMALL).fit(retail)
    knows_less._histories = _without(knows_less, first)
    before = first.assign(timestamp=first["timestamp"] - pd.Timedelta("1us"))
    assert_array_equal(
        model.target_ranks(first, queries=query), knows_less.target_ranks(before, queries=query)
    )


def _without(model, rows):
    """Histories that end before the moment of some rows of one user."""
    user = int(np.searchsorted(model.users_, rows["user_id"].iloc[0]))
    old = model._histories
    gone = (old.users == user) & (old.times == old.times[old.users == user].max())
    return build_histories(
        old.users[~gone], old.items[~gone], old.times[~gone], old.weight[~gone], old.n_users
    )


def test_rows_asked_together_are_of_one_user_and_time(fitted):
    model, test = fitted
    for queries in (np.zeros(len(test)), [1, 2]):
        with pytest.raises(ValueError, match="queries must hold one label per row of X, the same"):
            model.target_ranks(test, queries=queries)


# ---- several metrics, other recommenders -------------------------------------------------------


def test_several_metrics_are_those_one_by_one_from_one_ranking(fitted, monkeypatch):
    model, test = fitted
    names = ["ndcg", "recall", "hit_rate", "mrr", "coverage", "novelty"]
    single = {name: make_ranking_scorer(name, k=3)(model, test) for name in names}
    n_asked = []
    ranks = AttentionRecommender.target_ranks
    monkeypatch.setattr(
        AttentionRecommender,
        "target_ranks",
        lambda self, *args, **kwargs: n_asked.append(1) or ranks(self, *args, **kwargs),
    )
    assert make_ranking_scorer(names, k=3)(model, test) == single
    assert n_asked == [1]


def test_coverage_and_novelty_are_those_of_the_lists(fitted):
    model, test = fitted
    lists = np.searchsorted(model.items_, model.recommend(test, k=3)[0])
    assert make_ranking_scorer("coverage", k=3)(model, test) == coverage_at_k(lists, 30)
    expected = novelty_at_k(lists, model.item_reach_)
    assert make_ranking_scorer("novelty", k=3)(model, test) == pytest.approx(expected)


def test_a_search_over_several_metrics_chooses_by_one(data):
    search = GridSearchCV(
        AttentionRecommender(**SMALL),
        {"max_history": [2, 8]},
        cv=LeaveLastOut(),
        scoring=make_ranking_scorer(["ndcg", "coverage"]),
        refit="ndcg",
    ).fit(data)
    assert search.best_score_ == search.cv_results_["mean_test_ndcg"].max()
    assert 0 < search.score(data) <= 1


class Foreign:
    """A recommender of another make: users in, lists out."""

    def __init__(self, items, lists):
        self.items_, self.lists = np.array(items), lists

    def recommend(self, users, k, filter_seen):
        return np.array([self.lists[user][:k] for user in users], dtype=object)


def test_a_recommender_needs_no_more_than_recommend():
    foreign = Foreign(
        ["tea", "jam", "fig", "rum"],
        {"Ann": ["rum", "fig", "jam"], "Bob": ["tea", "jam", None]},
    )
    scores = {"recall": (0.5 + 1 + 0) / 3, "mrr": (0.5 + 1 + 0) / 3, "coverage": 1.0}
    found = make_ranking_scorer(list(scores), k=2)(foreign, ASKED)
    assert found == pytest.approx(scores)
    with pytest.raises(TypeError, match="asks for item_reach_, which Foreign does not have"):
        make_ranking_scorer("novelty")(foreign, ASKED)
    with pytest.raises(ValueError, match=r"needs a column of items, and there is none among \['us"):
        make_ranking_scorer()(foreign, ASKED[["user", "timestamp"]])


# ---- the future that leaks ---------------------------------------------------------------------


def test_only_splits_that_leak_a_users_own_future_are_warned_of(data):
    model, scorer = PopularRecommender(), make_ranking_scorer()
    for cv in (GlobalTemporalSplit(3), LeaveLastOut(2), UserGroupKFold(3)):
        cross_validate(model, data, cv=cv, scoring=scorer, return_train_score=True)
    for cv in (KFold(2), KFold(3, shuffle=True, random_state=0)):
        with pytest.warns(LeakageWarning, match="PopularRecommender is asked to foretell rows"):
            cross_validate(model, data, cv=cv, scoring=scorer)
    train, test = train_test_split(data, random_state=0)
    asking = model.fit(train).score, lambda rows: scorer(model, rows)
    for ask in (*asking, lambda rows: cross_val_score(model, data, cv=KFold(2))):
        with pytest.warns(LeakageWarning) as caught:
            ask(test)
        assert {warning.filename for warning in caught} == {__file__}
    model.predict(test)  # no claim is made here
    PopularRecommender(timestamp=None).fit(train).score(test)  # nobody can tell


def test_one_row_that_is_older_is_enough():
    model = PopularRecommender().fit(KNOWN)
    late = pd.DataFrame({"user": ["Cy", "Eve"], "item": ["tea", "tea"], "timestamp": [4, 0]})
    model.score(late)  # of the same moment, or by somebody new
    with pytest.warns(LeakageWarning):
        model.score(late.assign(timestamp=[3.5, 0]))
