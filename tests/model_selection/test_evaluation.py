import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_attention import PopularRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import bootstrap_interval
from sk_attention.model_selection import (
    GlobalTemporalSplit,
    LeakageWarning,
    LeaveLastOut,
    evaluate,
    make_ranking_scorer,
)
from tests._recommenders import recommender

X = pd.DataFrame(
    {
        "user": ["Ann", "Bob", "Cy", "Bob", "Cy", "Ann", "Bob", "Eve", "Eve"],
        "item": ["tea", "tea", "tea", "jam", "jam", "jam", "new", "tea", "rum"],
        "timestamp": [1, 2, 3, 4, 5, 6, 6, 6, 7],
    }
)
SPLIT = [(np.arange(5), np.arange(5, 9))]


@pytest.fixture(scope="module")
def data():
    return make_interactions(n_users=60, n_items=30, n_interactions=12, random_state=0).data


def entries(evaluation, **wanted):
    return [e for e in evaluation if all(e[key] == value for key, value in wanted.items())]


def entry(evaluation, **wanted):
    (found,) = entries(evaluation, **wanted)
    return found


class Alphabet:
    """Recommends the items in the order of their names."""

    def __init__(self, backwards=False):
        self.backwards = backwards

    def get_params(self, deep=True):
        return {"backwards": self.backwards}

    def fit(self, X, y=None):
        self.known = sorted(set(X["item"]), reverse=self.backwards)
        return self

    def recommend(self, users, k, filter_seen):
        return np.array([self.known[:k]] * len(users), dtype=object)


def test_figures_of_each_group_are_those_by_hand():
    found = evaluate(Alphabet(), X, cv=SPLIT, k=1, n_resamples=20, random_state=0)
    # Ann is asked for jam, Bob for new, Eve for tea and later for rum; jam comes first
    scores = {
        ("all", "recall"): 1 / 4,
        ("warm", "recall"): 1 / 2,  # Ann's jam and Eve's tea
        ("new users", "recall"): 0.0,
        ("all", "coverage"): 1 / 2,
        ("all", "novelty"): np.log2(3 / 2),  # two of three users know jam
    }
    for (group, metric), score in scores.items():
        own = entry(found, recommender="Alphabet", group=group, metric=metric)
        assert own["score"] == pytest.approx(score)
    sizes = {"all": (4, 3), "warm": (2, 2), "new users": (2, 1)}
    for group, size in sizes.items():
        own = entry(found, recommender="popular", group=group, metric="ndcg")
        assert (own["n_questions"], own["n_users"]) == size
    assert not entries(found, group="warm", metric="coverage")


def test_baselines_are_what_is_popular_and_the_better_one_is_compared_with():
    found = evaluate(Alphabet(), X, cv=SPLIT, k=1, filter_seen=False, n_resamples=50)
    ours = entry(found, recommender="Alphabet", group="all", metric="recall")
    theirs = entry(found, recommender="popular", group="all", metric="recall")
    lately = entry(found, recommender="popular lately", group="all", metric="recall")
    # tea three times, jam twice but later: Eve's tea against Ann's jam
    assert (theirs["score"], lately["score"], ours["score"]) == (0.25, 0.25, 0.25)
    assert ours["baseline"] == "popular"
    assert ours["difference"] == 0.0
    assert ours["difference_low"] < 0.0 < ours["difference_high"]  # question by question
    assert theirs["baseline"] is None
    assert np.isnan(theirs["difference"])
    new = entry(found, recommender="popular", group="new users", metric="recall")
    assert new["score"] == 0.5


def test_scores_are_those_of_the_scorer_and_intervals_those_of_users(data):
    cv = GlobalTemporalSplit(1, test_size=0.2)
    found = evaluate(PopularRecommender(), data, cv=cv, k=5, random_state=3)
    ((train, test),) = cv.split(data)
    model = PopularRecommender().fit(data.iloc[train])
    for metric in ("ndcg", "recall", "hit_rate", "mrr", "coverage", "novelty"):
        own = entry(found, recommender="PopularRecommender", group="all", metric=metric)
        expected = make_ranking_scorer(metric, k=5)(model, data.iloc[test])
        assert own["score"] == pytest.approx(expected)
    rows = data.iloc[test]
    assert not rows.duplicated(["user_id", "timestamp"]).any()  # each row is a question
    hits = [make_ranking_scorer("recall", k=5)(model, rows.iloc[[row]]) for row in range(len(rows))]
    own = entry(found, recommender="PopularRecommender", group="all", metric="recall")
    expected = bootstrap_interval(hits, groups=rows["user_id"], random_state=3)
    assert (own["low"], own["high"]) == pytest.approx(expected)
    same = entry(found, recommender="popular", group="all", metric="recall")
    assert (own["score"], own["difference"]) == (same["score"], 0.0)
    assert (own["difference_low"], own["difference_high"]) == (0.0, 0.0)


def test_questions_of_all_splits_are_put_together(data):
    cv = GlobalTemporalSplit(3)
    found = evaluate(PopularRecommender(), data, cv=cv, metrics=["ndcg"], n_resamples=10)
    own = entry(found, recommender="popular", group="all")
    assert own["n_questions"] == sum(len(test) for _, test in cv.split(data))
    by_split = [
        (len(test), PopularRecommender().fit(data.iloc[train]).score(data.iloc[test]))
        for train, test in cv.split(data)
    ]
    sizes, scores = zip(*by_split, strict=True)
    assert own["score"] == pytest.approx(np.average(scores, weights=sizes))


def test_by_default_the_last_tenth_is_asked_for(data):
    found = evaluate(PopularRecommender(), data, metrics=["ndcg"], baselines=False, n_resamples=10)
    expected = evaluate(
        PopularRecommender(),
        data,
        cv=GlobalTemporalSplit(1),
        metrics=["ndcg"],
        baselines=False,
        n_resamples=10,
    )
    assert [e["score"] for e in found] == [e["score"] for e in expected]
    assert {e["recommender"] for e in found} == {"PopularRecommender"}
    assert all(e["baseline"] is None for e in found)


def test_a_table_of_any_kind_gives_the_same(data):
    own = {"metrics": ["ndcg", "novelty"], "n_resamples": 10, "random_state": 0}
    columns = data[["user_id", "item_id", "timestamp"]]
    expected = evaluate(PopularRecommender(), columns, **own)
    found = evaluate(PopularRecommender(), pl.from_pandas(columns), **own)
    assert repr(found) == repr(expected)
    seconds = columns.assign(timestamp=columns["timestamp"].astype("datetime64[s]").astype(int))
    roles = {"user": 0, "item": 1, "timestamp": 2}
    found = evaluate(PopularRecommender(**roles), seconds.to_numpy(), **own)
    assert [e["score"] for e in found] == pytest.approx([e["score"] for e in expected])


def test_pipelines_and_searches_are_judged_behind_their_steps(data):
    rename = FunctionTransformer(
        lambda frame: frame.rename(columns={"user_id": "who", "item_id": "what"})
    )
    model = PopularRecommender(user="who", item="what")
    own = {"metrics": ["ndcg"], "cv": LeaveLastOut(), "n_resamples": 10}
    expected = evaluate(PopularRecommender(), data, **own)
    found = evaluate(make_pipeline(rename, model), data, **own)
    assert [e["score"] for e in found] == [e["score"] for e in expected]
    search = GridSearchCV(
        make_pipeline(rename, model),
        {"popularrecommender__half_life": [None, 0.1]},
        cv=GlobalTemporalSplit(1, user="user_id"),
        scoring=make_ranking_scorer(),
    )
    names = [e["recommender"] for e in evaluate(search, data, **own) if e["group"] == "all"]
    assert names == ["PopularRecommender", "popular", "popular lately"]


def test_several_recommenders_are_judged_at_once(data):
    models = {"one": recommender(max_epochs=1), "other": PopularRecommender(half_life=0.01)}
    found = evaluate(models, data, metrics=["mrr"], n_resamples=10)
    assert {e["recommender"] for e in found} == {*models, "popular", "popular lately"}
    assert all(hasattr(model, "items_") is False for model in models.values())
    assert all(e["baseline"] for e in found if e["recommender"] in models)


def test_without_times_there_is_no_lately(data):
    found = evaluate(
        PopularRecommender(timestamp=None), data, cv=LeaveLastOut(), metrics=["ndcg"], n_resamples=5
    )
    assert {e["recommender"] for e in found} == {"PopularRecommender", "popular"}


def test_it_prints_as_a_table_and_is_a_list_for_data_frames():
    found = evaluate(Alphabet(), X, cv=SPLIT, k=1, n_resamples=20, random_state=0)
    lines = repr(found).splitlines()
    assert lines[0] == "all: 4 questions, 3 users [95 % intervals]"
    assert lines[1].split("  ")[-1] == "Alphabet - better baseline"
    assert lines[6].split() == ["coverage@1", "0.500", "1.000", "0.500"]
    assert "warm: 2 questions, 2 users [95 % intervals]" in lines
    assert "new users: 2 questions, 1 users [95 % intervals]" in lines
    assert all(line == line.rstrip() for line in lines)
    assert_array_equal(pd.DataFrame(found)["score"], [e["score"] for e in found])
    assert pl.DataFrame(found).columns == list(found[0])
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_a_split_by_chance_is_warned_of(data):
    with pytest.warns(LeakageWarning) as caught:
        evaluate(PopularRecommender(), data, cv=KFold(2), metrics=["ndcg"], n_resamples=5)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metrics": ["auc"]}, "metric must be one of"),
        ({"metrics": []}, "metric must be one of .*, got none"),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"confidence": 95}, "confidence must be between 0 and 1, got 95"),
        ({"n_resamples": 0}, "n_resamples must be an integer of at least 1, got 0"),
        ({"estimator": {}}, "a recommender, or a dict of at least one, got an empty one"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_fitted(arguments, match):
    class Unfitted(PopularRecommender):
        def fit(self, X, y=None, sample_weight=None):
            raise AssertionError("was fitted")

    with pytest.raises(ValueError, match=match):
        evaluate(**{"estimator": Unfitted(), "X": X, **arguments})


def test_all_are_asked_apart_where_the_context_of_one_differs(data):
    """Two rows of each user and time, one by phone and one by desk."""
    twice = data[["user_id", "item_id", "timestamp"]]
    twice = pd.concat([twice, twice.assign(item_id=data["item_id"].to_numpy()[::-1])])
    twice["device"] = ["phone"] * len(data) + ["desk"] * len(data)
    models = {
        "reads it": recommender(context=["device"], max_epochs=1),
        "does not": recommender(max_epochs=1),
    }
    found = evaluate(models, twice, metrics=["ndcg"], random_state=0)
    n_questions = {entry["n_questions"] for entry in found if entry["group"] == "all"}
    (test,) = (test for _, test in GlobalTemporalSplit(1).split(twice))
    asked = twice.iloc[test][["user_id", "timestamp", "device"]]
    assert n_questions == {len(asked.drop_duplicates())}


@pytest.mark.parametrize("y", [[0, -1, 2] * 3, ["a", "b", "c"] * 3], ids=["numbers", "strings"])
def test_recommenders_without_a_task_may_take_y_for_anything(y):
    options = {"cv": SPLIT, "n_resamples": 9, "random_state": 0}
    assert repr(evaluate(Alphabet(), X, y, **options)) == repr(evaluate(Alphabet(), X, **options))
    fitted, late = Alphabet().fit(X[:5]), X[5:]
    fitted.items_ = np.array(fitted.known)
    scorer = make_ranking_scorer(["ndcg", "coverage"])
    assert scorer(fitted, late, y[5:]) == scorer(fitted, late)


def test_recommenders_that_are_compared_take_y_alike_in_whatever_order():
    y = np.array([1, 1, 1, 1, -1, 1, 1, 1, 1])
    options = {"cv": SPLIT, "metrics": ["ndcg"], "n_resamples": 9, "random_state": 0}
    models = {"a": PopularRecommender(), "z": Alphabet()}
    backwards = dict(reversed(models.items()))
    for given in (models, backwards):
        with pytest.raises(ValueError, match=r"take y alike: .* to \['a'\], .* not to \['z'\]"):
            evaluate(given, X, y, **options)
    found, expected = (evaluate(given, X, y + 2, **options) for given in (models, backwards))
    for name in ("a", "z", "popular"):
        assert entries(found, recommender=name) == entries(expected, recommender=name)


def test_recommenders_that_are_asked_something_else_are_not_compared(data):
    merged = FunctionTransformer(lambda frame: frame.assign(user_id=frame["user_id"] // 2 * 0))
    models = {"one": PopularRecommender(), "merged": make_pipeline(merged, PopularRecommender())}
    late = data.assign(timestamp=data["timestamp"].dt.floor("D"))
    with pytest.raises(ValueError, match="merged and popular are asked different questions"):
        evaluate(models, late, metrics=["ndcg"], n_resamples=5)
