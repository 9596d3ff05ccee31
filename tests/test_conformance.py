"""scikit-learn's own checks: none is expected to fail, and none is left out by us."""

import os
from unittest import SkipTest

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_attention import (
    AttentionRecommender,
    MultiTaskAttentionClassifier,
    MultiTaskAttentionEstimator,
    PopularRecommender,
)
from tests._estimators import ATTENTIONS, KINDS, in_turn, mixed, over_kinds, small

# Checks of scikit-learn's own estimators that it does not hand to others.
FURTHER_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


def passes(estimator, check):
    """Run a check; only one of its reasons to skip itself is ours too."""
    try:
        check(estimator)
    except SkipTest as skip:
        assert "decision_function" in str(skip), f"skipped: {skip}"
        raise


@parametrize_with_checks(list(in_turn("cross")))
def test_small_networks_pass_every_check(estimator, check):
    passes(estimator, check)


@parametrize_with_checks([MultiTaskAttentionEstimator(n_members=4, hidden_layer_sizes=(32, 32))])
def test_an_estimator_of_tasks_of_any_kind_passes_every_check(estimator, check):
    passes(estimator, check)


@parametrize_with_checks(
    [
        AttentionRecommender(max_epochs=30),
        AttentionRecommender("classification", max_epochs=30),
        AttentionRecommender("regression", max_epochs=30),
        PopularRecommender(),
    ]
)
def test_a_recommender_without_users_and_items_passes_every_check(estimator, check):
    passes(estimator, check)


@pytest.mark.slow
@parametrize_with_checks([kind() for kind in KINDS])
def test_defaults_pass_every_check(estimator, check):
    passes(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(list(in_turn("self", "double", "hierarchical")))
def test_other_kinds_of_attention_pass_every_check(estimator, check):
    passes(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(
    [
        MultiTaskAttentionClassifier(
            "double",
            attention_normalization="entmax",
            efficient="inducing",
            max_epochs=12,
            n_members=4,
            hidden_layer_sizes=(32, 32),
        )
    ]
)
def test_other_ways_to_look_pass_every_check(estimator, check):
    passes(estimator, check)


@pytest.mark.slow
@parametrize_with_checks(list(in_turn(*ATTENTIONS, explainable=True)))
def test_explainable_models_pass_every_check(estimator, check):
    passes(estimator, check)


# some of them fit a frame and transform an array, or the other way round
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
@pytest.mark.parametrize("check", FURTHER_CHECKS)
@over_kinds
def test_checks_for_estimators_of_scikit_learn_pass(kind, check):
    getattr(estimator_checks, check)(kind.__name__, small(kind))


def test_parameters_of_the_estimator_of_mixed_tasks_are_validated():
    estimator_checks.check_param_validation("MultiTaskAttentionEstimator", mixed())


def test_array_api_check_runs():
    """scikit-learn skips it unless SciPy was imported with this setting."""
    assert os.environ.get("SCIPY_ARRAY_API") == "1"
    array_api = pytest.importorskip("scipy._lib._array_api", reason="SciPy < 1.12 has none")
    assert array_api.SCIPY_ARRAY_API


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
@pytest.mark.parametrize("check", FURTHER_CHECKS)
def test_checks_for_estimators_of_scikit_learn_pass_for_a_recommender(check):
    getattr(estimator_checks, check)("AttentionRecommender", AttentionRecommender(max_epochs=15))
