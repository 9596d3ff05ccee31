import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_attention.metrics import make_multi_task_scorer, multi_task_accuracy_score

CLASSIFIER_SCORES = ["accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss"]
NAMES = [*CLASSIFIER_SCORES, "r2"]
FOLDS = KFold(3)


class FilledForest(RandomForestClassifier):
    """A forest that takes missing labels, filling them with 0."""

    def __init__(self, missing_label=-1, n_estimators=5, random_state=0):
        super().__init__(n_estimators=n_estimators, random_state=random_state)
        self.missing_label = missing_label

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.where(y == self.missing_label, 0, y), sample_weight)


def two_tasks(n=90):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    binary = (X[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int)
    ternary = np.digitize(X[:, 1] + 0.3 * rng.normal(size=n), [-0.5, 0.5])
    return X, np.column_stack([binary, ternary])


@pytest.mark.parametrize("name", CLASSIFIER_SCORES)
@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(5, random_state=0),
        MultiOutputClassifier(GaussianNB()),
        make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)),
    ],
    ids=["forest", "multi_output", "pipeline"],
)
def test_scorer_drives_a_search_over_several_tasks(name, estimator):
    X, y = two_tasks()
    leaf = next(p for p in estimator.get_params() if p.endswith(("max_depth", "var_smoothing")))
    grid = {leaf: [1, 3]}
    search = GridSearchCV(estimator, grid, cv=FOLDS, scoring=make_multi_task_scorer(name)).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert search.best_score_ == scores.max()
    assert np.isfinite(search.score(X, y))


def test_scorer_equals_the_mean_of_scikit_learn_scores():
    X, y = two_tasks()
    forest = RandomForestClassifier(5, max_depth=2, random_state=0).fit(X[:60], y[:60])
    X, y = X[60:], y[60:]
    first, second = forest.predict_proba(X)
    area = np.mean(
        [roc_auc_score(y[:, 0], first[:, 1]), roc_auc_score(y[:, 1], second, multi_class="ovr")]
    )
    loss = np.mean([log_loss(y[:, 0], first), log_loss(y[:, 1], second)])
    assert make_multi_task_scorer("accuracy")(forest, X, y) == pytest.approx(
        (forest.predict(X) == y).mean()
    )
    assert make_multi_task_scorer("roc_auc")(forest, X, y) == pytest.approx(area)
    assert make_multi_task_scorer("neg_log_loss")(forest, X, y) == pytest.approx(-loss)


@pytest.mark.parametrize("task", [0, 1])
@pytest.mark.parametrize("name", CLASSIFIER_SCORES)
def test_scorer_serves_a_single_task(name, task):
    X, y = two_tasks()
    theirs = "roc_auc_ovr" if name == "roc_auc" else name
    model = GaussianNB()
    assert_allclose(
        cross_val_score(model, X, y[:, task], cv=3, scoring=make_multi_task_scorer(name)),
        cross_val_score(model, X, y[:, task], cv=3, scoring=theirs),
    )


def test_r2_scorer_serves_several_targets():
    X, _ = two_tasks()
    y = X @ np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    assert_allclose(
        cross_val_score(LinearRegression(), X, y, scoring=make_multi_task_scorer("r2")), 1.0
    )


def test_scorers_serve_a_multimetric_search_with_weights():
    X, y = two_tasks()
    scoring = {name: make_multi_task_scorer(name) for name in CLASSIFIER_SCORES}
    forest = RandomForestClassifier(5, random_state=0)
    results = cross_validate(forest, X, y, cv=FOLDS, scoring=scoring)
    assert all(np.isfinite(results[f"test_{name}"]).all() for name in CLASSIFIER_SCORES)
    search = GridSearchCV(forest, {"max_depth": [1, 3]}, cv=FOLDS, scoring=scoring, refit="roc_auc")
    search.fit(X, y, sample_weight=np.ones(len(X)))
    assert np.isfinite(search.best_score_)


def test_scorer_serves_permutation_importance():
    X, y = two_tasks()
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    importance = permutation_importance(
        forest,
        X,
        y,
        scoring=make_multi_task_scorer("accuracy"),
        sample_weight=np.ones(len(X)),
        random_state=0,
    ).importances_mean
    assert set(np.argsort(importance)[-2:]) == {0, 1}


@pytest.mark.parametrize("name", CLASSIFIER_SCORES)
def test_scorer_finds_the_missing_label_behind_pipelines_and_searches(name):
    X, y = two_tasks()
    y[::4, 0] = y[::3, 1] = -1
    scorer = make_multi_task_scorer(name)
    forest = FilledForest().fit(X, y)
    pipeline = make_pipeline(StandardScaler(), FilledForest()).fit(X, y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FilledForest()),
        {"filledforest__n_estimators": [5]},
        cv=FOLDS,
        scoring=scorer,
    ).fit(X, y)
    assert np.isfinite(search.best_score_)
    kept = y >= 0
    for model in (forest, pipeline, search):
        if name == "accuracy":
            right = model.predict(X) == y
            expected = np.mean([right[kept[:, j], j].mean() for j in range(2)])
            assert scorer(model, X, y) == pytest.approx(expected)
        assert scorer(model, X, y) == pytest.approx(scorer(forest, X, y))
    assert scorer(forest, X, np.where(kept, y, np.nan)) == pytest.approx(scorer(forest, X, y))


def test_scorer_reads_the_missing_label_of_the_estimator_that_a_search_chose():
    X, y = two_tasks()
    y[::4, 0] = -1
    scorer = make_multi_task_scorer("accuracy")
    pipeline = Pipeline([("model", RandomForestClassifier())])
    search = GridSearchCV(pipeline, {"model": [FilledForest()]}, cv=FOLDS, scoring=scorer)
    search.fit(X, y)
    assert scorer(search, X, y) == scorer(search.best_estimator_[-1], X, y) > 0.9


def test_scorer_finds_the_missing_label_of_a_transformed_regressor():
    y = np.array([1.0, 2.0, 3.0, -1.0])
    model = TransformedTargetRegressor(DummyRegressor(strategy="constant", constant=2.0))
    model.fit(y[:, None], y)
    model.regressor.missing_label = -1
    assert make_multi_task_scorer("r2")(model, y[:, None], y) == pytest.approx(0)


def test_scorer_passes_weights_on():
    X, y = two_tasks()
    forest = RandomForestClassifier(3, max_depth=1, random_state=0).fit(X, y)
    weight = np.random.default_rng(0).uniform(size=len(X))
    assert make_multi_task_scorer("accuracy")(forest, X, y, weight) == multi_task_accuracy_score(
        y, forest.predict(X), sample_weight=weight
    )


@pytest.mark.parametrize("name", NAMES)
def test_scorer_survives_pickle_and_clone(name):
    scorer = make_multi_task_scorer(name)
    for copied in (pickle.loads(pickle.dumps(scorer)), clone(scorer)):
        assert repr(copied) == f"MultiTaskScorer(name={name!r})"
    search = clone(GridSearchCV(GaussianNB(), {"var_smoothing": [1]}, scoring=scorer))
    assert f"scoring=MultiTaskScorer(name={name!r})" in repr(search)


def test_scorer_routes_weights():
    X, y = two_tasks()
    weight = np.zeros(len(X))
    weight[::2] = 1
    forest = RandomForestClassifier(5, max_depth=1, random_state=0)
    scorer = make_multi_task_scorer("accuracy")
    expected, unweighted = [], []
    for train, test in FOLDS.split(X):
        fitted = clone(forest).fit(X[train], y[train])
        expected.append(scorer(fitted, X[test], y[test], sample_weight=weight[test]))
        unweighted.append(scorer(fitted, X[test], y[test]))
    assert np.mean(expected) != np.mean(unweighted)
    with config_context(enable_metadata_routing=True):
        forest.set_fit_request(sample_weight=False)
        scorer.set_score_request(sample_weight=True)
        options = {"cv": FOLDS, "params": {"sample_weight": weight}}
        assert_allclose(cross_val_score(forest, X, y, scoring=scorer, **options), expected)
        search = GridSearchCV(forest, {"max_depth": [1]}, cv=FOLDS, scoring=clone(scorer))
        search.fit(X, y, sample_weight=weight)
        assert search.best_score_ == pytest.approx(np.mean(expected))
        search.set_params(scoring=make_multi_task_scorer("accuracy"))
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            search.fit(X, y, sample_weight=weight)
        with pytest.raises(TypeError, match="estimator"):
            scorer.set_score_request(estimator=True)


def test_scorer_refuses_an_unknown_name():
    with pytest.raises(
        ValueError, match=r"Unknown score 'f1': .* knows 'accuracy', .* 'jaccard'\."
    ):
        make_multi_task_scorer("f1")
