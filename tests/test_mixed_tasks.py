"""Classes, numbers and sets of labels in one fit."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring

from sk_attention.inspection import attribute, faithfulness
from sk_attention.metrics import make_multi_task_scorer, multi_task_score
from tests._estimators import classifier, mixed, numbers, regressor

X = numbers(80)


def tags_of(rows):
    return [[tag for tag, value in zip("pqr", row, strict=False) if value > 0] for row in rows]


Y = pd.DataFrame(
    {
        "late": np.where(X[:, 0] > 0, "yes", "no"),
        "delay": 10.0 * X[:, 0] + X[:, 1],
        "tags": tags_of(X),
    }
)
GAPS = Y.assign(
    late=Y["late"].where(np.arange(80) % 5 > 0, None),
    delay=Y["delay"].where(np.arange(80) % 4 > 0),
    tags=Y["tags"].where(np.arange(80) % 3 > 0, None),
)


@pytest.fixture(scope="module")
def model():
    return mixed().fit(X, GAPS)


def test_all_kinds_are_learned_with_missing_labels(model):
    assert model.task_types_ == ["classification", "regression", "multilabel"]
    assert model.task_names_ == ["late", "delay", "tags"]
    assert model.classes_[0].tolist() == ["no", "yes"]
    assert model.classes_[1] is None
    assert model.classes_[2].tolist() == ["p", "q", "r"]
    assert model.score(X, GAPS) > 0.9
    assert_allclose(model.attention_weights_.sum(axis=1), 1.0)
    assert_allclose(model.task_weights_.sum(), 1.0)
    assert model.attend(X).shape == (80, 3, 4)
    assert model.transform(X).shape == (80, len(model.get_feature_names_out()))


def test_score_is_the_mean_over_the_kinds(model):
    expected = multi_task_score(Y, model.predict(X), task_types=model.task_types_)
    assert model.score(X, Y) == expected


def test_predictions_have_the_form_of_y(model):
    rows = pd.DataFrame(X, index=np.arange(80)[::-1])
    predicted = model.predict(rows)
    assert list(predicted.columns) == list(Y.columns)
    assert predicted.index.equals(rows.index)
    assert predicted["delay"].dtype == np.float64
    assert all(isinstance(own, list) for own in predicted["tags"])
    array = mixed(max_epochs=1).fit(X, Y.to_numpy()).predict(X)
    assert array.shape == (80, 3)
    assert array.dtype == object
    y = pl.DataFrame({name: Y[name].tolist() for name in Y})
    assert mixed(max_epochs=1).fit(X, y).predict(X).schema == y.schema


def test_probabilities_are_those_of_classes_and_labels(model):
    late, delay, tags = model.predict_proba(X)
    assert delay is None
    assert_allclose(late.sum(axis=1), 1.0)
    assert tags.shape == (80, 3)
    predicted = model.predict(X)
    assert_array_equal(model.classes_[0][late.argmax(axis=1)], predicted["late"])
    assert tags_of(tags - 0.5) == predicted["tags"].tolist()
    logs = model.predict_log_proba(X)
    assert logs[1] is None
    assert_allclose(np.exp(logs[0]), late)
    assert_allclose(np.exp(logs[2]), tags)


def test_one_task_has_one_answer():
    one = mixed(max_epochs=1).fit(X, Y["tags"])
    assert one.predict(X).shape == (80,)
    assert one.predict_proba(X).shape == (80, 3)
    assert one.classes_.tolist() == ["p", "q", "r"]
    number = mixed(max_epochs=1).fit(X, Y["delay"])
    assert number.predict(X).shape == (80,)
    assert not hasattr(number, "predict_proba")
    assert not hasattr(number, "classes_")
    number.fit(X, Y["late"])
    assert number.predict_proba(X).shape == (80, 2)
    number.fit(X, Y["delay"])
    assert not hasattr(number, "classes_")
    assert not is_classifier(number)
    assert not is_regressor(number)


@pytest.mark.parametrize("missing", [False, True])
def test_classes_alone_are_a_classifier_to_the_last_bit(missing):
    y = np.column_stack([X[:, 0] > 0, np.digitize(X[:, 1], [-0.5, 0.5])]).astype(object)
    if missing:
        y[::5, 0] = y[::4, 1] = None
    options = {"early_stopping": True, "max_epochs": 5, "class_weight": "balanced"}
    one, other = mixed(**options).fit(X, y), classifier(**options).fit(X, y)
    for own, theirs in zip(one.predict_proba(X), other.predict_proba(X), strict=True):
        assert_array_equal(own, theirs)
    assert_array_equal(one.predict(X), other.predict(X))
    assert_array_equal(one.attention_weights_, other.attention_weights_)
    assert_array_equal(one.validation_scores_, other.validation_scores_)
    assert one.score(X, y) == other.score(X, y)


def test_numbers_alone_are_a_regressor_to_the_last_bit():
    big = numbers(600)
    y = np.column_stack([big[:, 0] ** 2, big[:, 1]])
    y[::5, 0] = np.nan
    options = {"early_stopping": True, "max_epochs": 2}
    one, other = mixed(**options).fit(big, y), regressor(**options).fit(big, y)
    assert_array_equal(one.predict(big), other.predict(big))
    assert_array_equal(one.validation_scores_, other.validation_scores_)
    assert one.score(big, y) == other.score(big, y)


def test_integers_are_numbers_where_the_user_says_so():
    y = pd.DataFrame({"late": Y["late"], "stars": (X[:, 1] > 0) + 3})
    model = mixed(task_types={"stars": "regression"}).fit(X, y)
    assert model.task_types_ == ["classification", "regression"]
    assert model.score(X, y) > 0.9
    assert model.predict(X)["stars"].dtype == np.float64


@pytest.mark.parametrize(
    ("task_types", "halves"),
    [(None, pd.Categorical), ({"half": "classification"}, np.asarray)],
    ids=["a category", "said to be classes"],
)
def test_fractions_are_classes_where_the_user_says_so(task_types, halves):
    y = pd.DataFrame({"half": halves(np.where(X[:, 0] > 0, 0.5, 1.5)), "delay": Y["delay"]})
    model = mixed(task_types=task_types, max_epochs=30).fit(X, y)
    assert model.classes_[0].tolist() == [0.5, 1.5]
    assert (model.predict(X)["half"] == y["half"].astype(float)).mean() > 0.9
    assert model.score(X, y) > 0.8


def test_without_features_every_kind_of_loss_is_one():
    model = mixed(max_epochs=60).fit(np.zeros((80, 1)), GAPS)
    assert_allclose(model.loss_curve_[-1], 1.0, atol=0.01)


def test_weight_of_two_is_a_row_given_twice():
    weight = np.arange(80) % 3
    rows = np.repeat(np.arange(80), weight)
    weighted = mixed().fit(X, GAPS, sample_weight=weight)
    repeated = mixed().fit(X[rows], GAPS.iloc[rows])
    assert_allclose(weighted.predict_proba(X)[2], repeated.predict_proba(X)[2], rtol=1e-6)
    assert_allclose(weighted.predict(X)["delay"], repeated.predict(X)["delay"], rtol=1e-6)


def test_partial_fits_keep_types_and_classes():
    model = mixed(learning_rate=0.03)
    classes = [["maybe", "no", "yes"], None, ["p", "q", "r", "s"]]
    for _ in range(30):
        for rows in (slice(0, 40), slice(40, 80)):
            model.partial_fit(X[rows], GAPS[rows], classes=classes)
    assert [own.shape[1] for own in model.predict_proba(X)[::2]] == [3, 4]
    assert model.score(X, Y) > 0.8
    before = model.predict_proba(X)[0]
    with pytest.raises(ValueError, match="is not the same as on the first call"):
        model.partial_fit(X, Y, classes=[["no"], None, ["p"]])
    with pytest.raises(ValueError, match="has the label 'never', which is none of its classes"):
        model.partial_fit(X, Y.assign(late="never"))
    with pytest.raises(ValueError, match="Task 'tags' of y must hold sets of labels"):
        model.partial_fit(X, Y.assign(tags="p"))
    assert_array_equal(model.predict_proba(X)[0], before)
    unsaid = mixed().partial_fit(X, Y)
    assert unsaid.classes_[2].tolist() == ["p", "q", "r"]


def test_a_warm_start_goes_on_and_keeps_its_types():
    model = mixed(warm_start=True, max_epochs=5).fit(X, Y)
    passes = model.n_iter_
    assert model.fit(X, Y).n_iter_ > passes
    model.set_params(task_types={"delay": "regression"})
    with pytest.raises(ValueError, match="was fitted with task_types=None, which is now"):
        model.fit(X, Y)


def test_pickles_and_clones_are_alike(model):
    again = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(again.predict(X), model.predict(X))
    twin = clone(model).fit(X, GAPS)
    pd.testing.assert_frame_equal(twin.predict(X), model.predict(X))


def test_searches_and_scorers_take_the_tasks_of_their_kind():
    pipeline = make_pipeline(StandardScaler(), mixed(max_epochs=5))
    grid = {"multitaskattentionestimator__n_bins": [4, 8]}
    names = ("accuracy", "roc_auc", "neg_log_loss", "r2", "jaccard")
    scoring = {name: make_multi_task_scorer(name) for name in names}
    search = GridSearchCV(pipeline, grid, cv=2, scoring=scoring, refit="r2").fit(X, GAPS)
    fitted = search.best_estimator_
    own = multi_task_score(GAPS, fitted.predict(X), task_types=fitted[-1].task_types_, average=None)
    assert scoring["accuracy"](search, X, GAPS) == own[0]
    assert scoring["r2"](search, X, GAPS) == own[1]
    assert scoring["jaccard"](search, X, GAPS) == own[2]
    assert np.isfinite(search.cv_results_["mean_test_neg_log_loss"]).all()
    assert cross_val_score(mixed(max_epochs=1), X, GAPS, cv=2).shape == (2,)
    with pytest.raises(ValueError, match="about tasks of the type 'multilabel', of which the est"):
        scoring["jaccard"](
            mixed(max_epochs=1).fit(X, Y[["late", "delay"]]), X, Y[["late", "delay"]]
        )


def test_missing_label_is_a_class_label():
    y = pd.DataFrame({"late": np.where(np.arange(80) % 4, X[:, 0] > 0, -1), "delay": -1.0})
    model = mixed(missing_label=-1, max_epochs=1).fit(X, y)
    assert model.classes_[0].tolist() == [0, 1]
    assert_allclose(model.predict(X)["delay"], -1.0, atol=0.5)


def test_contributions_add_up_in_every_kind():
    model = mixed(explainable=True, max_epochs=5).fit(X, Y)
    explained = model.contributions(X)
    assert [own.shape for own in explained.contributions] == [(80, 4), (80, 4), (80, 3, 4)]
    parts = zip(explained.contributions, explained.intercept, explained.logits, strict=True)
    for contributions, intercept, logits in parts:
        assert_allclose(contributions.sum(axis=-1) + intercept, logits, atol=1e-6)
    assert_allclose(explained.logits[1], model.predict(X)["delay"])
    assert_allclose(1 / (1 + np.exp(-explained.logits[2])), model.predict_proba(X)[2])
    assert_allclose(model.contribution_weights_.sum(axis=1), 1.0)


def test_explanations_are_measured_in_every_kind(model):
    attributions = attribute(model, X, "integrated_gradients").attributions
    assert [own.shape for own in attributions] == [(80, 4), (80, 4), (80, 3, 4)]
    found = faithfulness(model, X, GAPS, n_repeats=2, n_bootstrap=10, random_state=0)
    assert (found.skill[:, 0] > 0.9).all()
    assert found.chance.tolist() == [0.5, 0.0, 0.5]


def test_callbacks_that_score_see_coded_targets():
    seen = []

    def watch(net, rows, target):
        seen.append(net.predict(rows).shape)
        return 0.0

    mixed(max_epochs=1, callbacks=[EpochScoring(watch, on_train=True)]).fit(X, Y)
    assert seen[0] == (80, 5)


@pytest.mark.parametrize(
    ("parameters", "y", "message"),
    [
        ({"task_types": "regression"}, Y, "'task_types' parameter .* must be .*Mapping"),
        ({"task_types": {"late": "regression"}}, Y, "Task 'late' of y must hold numbers"),
        ({"class_weight": "balanced"}, Y["delay"], "class_weight is about classes, but"),
        ({}, Y.assign(late=None), "Task 'late' of y has no observed label"),
        ({}, Y.assign(delay=np.inf), "contains infinity.*in task 'delay'"),
    ],
)
def test_bad_input_is_an_error_and_leaves_a_fitted_estimator_as_it_was(
    model, parameters, y, message
):
    again = pickle.loads(pickle.dumps(model)).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        again.fit(X, y)
    pd.testing.assert_frame_equal(again.predict(X), model.predict(X))
