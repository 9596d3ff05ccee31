"""The estimators inside scikit-learn's tools."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.fixes import parse_version

from sk_attention.metrics import make_multi_task_scorer
from tests._estimators import (
    KINDS,
    assert_same_outputs,
    classifier,
    data_for,
    one_pass,
    outputs,
    over_kinds,
    small,
)

GRID = {"learning_rate": [1e-4, 0.02]}


def since(release):
    """Mark a test of what scikit-learn has had since ``release``."""
    old = parse_version(sklearn.__version__) < parse_version(release)
    return pytest.mark.skipif(old, reason=f"scikit-learn {sklearn.__version__} < {release}")


def data_with_gaps(kind, n_samples=60):
    X, y = data_for(kind, n_samples)
    y = y.astype(float)
    y[::4, 0] = y[1::5, 1] = np.nan
    return X, y


# ---- pipelines ---------------------------------------------------------------------------------


@over_kinds
def test_estimator_ends_a_pipeline(kind):
    X, y = data_with_gaps(kind)
    pipe = make_pipeline(StandardScaler(), small(kind, max_epochs=200)).fit(X, y)
    assert pipe.score(X, y) > 0.9
    assert pipe.predict(X).shape == (60, 2)


@over_kinds
def test_transformed_columns_feed_the_estimator(kind):
    X, y = data_for(kind)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["colour"] = np.where(X[:, 2] > 0, "red", "blue")
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            ("words", OneHotEncoder(sparse_output=False), ["colour"]),
        ]
    ).set_output(transform="pandas")
    pipe = make_pipeline(columns, small(kind)).fit(frame, y)
    assert "words__colour_red" in pipe[-1].feature_names_in_
    assert pipe[-1].attention_weights_.shape == (2, 6)
    assert pipe.predict(frame).shape == (60, 2)


@over_kinds
def test_representation_feeds_another_estimator(kind):
    X, y = data_for(kind)
    pipe = make_pipeline(small(kind, embedding_dim=4), StandardScaler()).fit(X, y)
    assert pipe.transform(X).shape == (60, 8)
    assert pipe.get_feature_names_out().tolist()[:2] == ["y0_0", "y0_1"]
    # also as one column block among others
    beside = ColumnTransformer([("read", small(kind), [0, 1])], remainder="passthrough")
    assert beside.fit_transform(X, y).shape[1] == 2 * 16 + 2


@pytest.mark.parametrize(("library", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
@over_kinds
def test_output_comes_as_the_frame_asked_for(kind, library, frame):
    X, y = data_for(kind)
    model = one_pass(small(kind), X, y)
    expected = model.transform(X)
    with config_context(transform_output=library):
        assert isinstance(model.transform(X), frame)
    model.set_output(transform=library)
    assert isinstance(model.transform(X), frame)
    assert_array_equal(model.transform(X).to_numpy(), expected)


# ---- model selection ---------------------------------------------------------------------------


@over_kinds
def test_grid_search_takes_missing_labels_and_two_processes(kind):
    X, y = data_with_gaps(kind)
    search = GridSearchCV(small(kind), GRID, cv=KFold(2), n_jobs=2).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.02}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    single = GridSearchCV(small(kind), GRID, cv=KFold(2)).fit(X, y)
    assert_array_equal(
        search.cv_results_["split1_test_score"], single.cv_results_["split1_test_score"]
    )


@over_kinds
def test_halving_search_takes_missing_labels_and_two_processes(kind):
    X, y = data_with_gaps(kind)
    search = HalvingGridSearchCV(
        small(kind), GRID, cv=KFold(2), min_resources=30, factor=2, random_state=0, n_jobs=2
    )
    assert search.fit(X, y).best_params_ == {"learning_rate": 0.02}
    assert search.predict(X).shape == (60, 2)


def test_missing_label_lets_the_number_of_folds_do():
    X, y = data_for(KINDS[0])
    y[::4, 0] = y[1::5, 1] = -1
    search = GridSearchCV(classifier(missing_label=-1), GRID, cv=2).fit(X, y)
    assert [own.tolist() for own in search.best_estimator_.classes_] == [[0, 1], [0, 1]]


def test_one_task_with_strings_is_stratified():
    X, y = data_for(KINDS[0], n_tasks=1)
    labels = np.where(y, "yes", "no")
    predicted = cross_val_predict(classifier(learning_rate=0.02), X, labels, cv=3)
    assert np.mean(predicted == labels) > 0.75
    probability = cross_val_predict(
        classifier(learning_rate=0.02), X, labels, cv=3, method="predict_proba"
    )
    assert probability.shape == (60, 2)


@over_kinds
def test_predictions_are_cross_validated_over_several_tasks(kind):
    X, y = data_with_gaps(kind)
    assert cross_val_predict(small(kind), X, y, cv=KFold(2)).shape == (60, 2)


@over_kinds
def test_scorers_of_the_package_serve_cross_validation(kind):
    X, y = data_with_gaps(kind)
    names = (
        ["accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss"] if kind is KINDS[0] else ["r2"]
    )
    scoring = {name: make_multi_task_scorer(name) for name in names}
    scores = cross_validate(small(kind), X, y, cv=KFold(2), scoring=scoring, return_estimator=True)
    for name in names:
        assert np.isfinite(scores[f"test_{name}"]).all()
    default = [
        model.score(X[rows], y[rows])
        for model, (_, rows) in zip(scores["estimator"], KFold(2).split(X), strict=True)
    ]
    assert_allclose(scores[f"test_{names[0]}"], default)


@pytest.mark.parametrize(
    "method",
    ["sigmoid", "isotonic", pytest.param("temperature", marks=since("1.8"))],
)
def test_probabilities_of_one_task_can_be_calibrated(method):
    X, y = data_for(KINDS[0], n_tasks=1)
    calibrated = CalibratedClassifierCV(classifier(), method=method, cv=2).fit(X, y)
    assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    assert calibrated.score(X, y) > 0.7
    frozen = CalibratedClassifierCV(FrozenEstimator(classifier().fit(X, y)), method=method)
    assert_allclose(frozen.fit(X, y).predict_proba(X).sum(axis=1), 1.0)


@over_kinds
def test_permuted_columns_show_which_matter(kind):
    X, y = data_with_gaps(kind)
    model = small(kind, max_epochs=200).fit(X, y)
    importance = permutation_importance(model, X, y, n_repeats=3, random_state=0).importances_mean
    assert importance[:2].min() > 5 * abs(importance[2:]).max()


# ---- copies ------------------------------------------------------------------------------------


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


COPIES = {
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "frozen": lambda model, _: FrozenEstimator(model),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES.keys())
@over_kinds
def test_copy_of_a_fitted_estimator_predicts_the_same(kind, copied, tmp_path):
    X, y = data_with_gaps(kind)
    model = small(kind).fit(X, y)
    other = copied(model, tmp_path)
    assert other is not model
    if not isinstance(other, FrozenEstimator):
        assert_same_outputs(other, model, X)
        assert_array_equal(other.attend(X), model.attend(X))
    assert_array_equal(other.predict(X), model.predict(X))
    assert_array_equal(other.transform(X), model.transform(X))


@over_kinds
def test_deep_copy_shares_nothing(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind), X, y)
    expected = outputs(model, X)
    copy.deepcopy(model).partial_fit(X, y)
    assert_array_equal(outputs(model, X), expected)


@over_kinds
def test_clone_has_the_parameters_alone(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, hidden_layer_sizes=[16, 16]), X, y)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not [name for name in vars(twin) if name.endswith("_")]
    assert_same_outputs(one_pass(twin, X, y), model, X)


@over_kinds
def test_estimator_shows_itself(kind):
    X, y = data_for(kind)
    model = small(kind)
    assert repr(model).startswith(
        f"{kind.__name__}(early_stopping=False, hidden_layer_sizes=(16, 16)"
    )
    assert repr(kind()) == f"{kind.__name__}()"
    html = model._repr_html_()
    assert kind.__name__ in html
    assert "Not fitted" in html
    assert "Not fitted" not in one_pass(model, X, y)._repr_html_()


# ---- metadata routing --------------------------------------------------------------------------


@since("1.7")  # before, pipelines did not route to score
@over_kinds
def test_weights_are_routed_through_search_and_pipeline(kind):
    X, y = data_with_gaps(kind)
    weight = 1.0 * (np.arange(60) % 3 > 0)
    with config_context(enable_metadata_routing=True):
        model = small(kind).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), model)
        grid = {f"{kind.__name__.lower()}__learning_rate": [0.01]}
        search = GridSearchCV(pipe, grid, cv=KFold(2)).fit(X, y, sample_weight=weight)
    kept = weight > 0
    scaled = StandardScaler().fit(X[kept])
    expected = small(kind, learning_rate=0.01).fit(scaled.transform(X)[kept], y[kept])
    assert_same_outputs(
        search.best_estimator_[-1], expected, scaled.transform(X), rtol=1e-6, atol=1e-9
    )


@over_kinds
def test_validation_data_can_be_routed(kind):
    X, y = data_for(kind)
    X_val, y_val = data_for(kind, 30, seed=3)
    with config_context(enable_metadata_routing=True):
        model = small(kind).set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), model).fit(X, y, X_val=X_val, y_val=y_val)
    assert pipe[-1].validation_scores_ is not None


@over_kinds
def test_tags_say_what_the_estimator_takes(kind):
    tags = small(kind).__sklearn_tags__()
    assert tags.input_tags.allow_nan
    assert tags.input_tags.sparse
    assert small(kind, explainable=True).__sklearn_tags__().input_tags.sparse
    assert tags.target_tags.multi_output
    assert tags.target_tags.required
    assert tags.estimator_type == ("classifier" if kind is KINDS[0] else "regressor")
