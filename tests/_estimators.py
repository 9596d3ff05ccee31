"""Small, fast estimators and the data they are tested on."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier

from sk_attention import (
    MultiTaskAttentionClassifier,
    MultiTaskAttentionEstimator,
    MultiTaskAttentionRegressor,
)

KINDS = (MultiTaskAttentionClassifier, MultiTaskAttentionRegressor)
ATTENTIONS = ("cross", "self", "double", "hierarchical")

# Sizes at which a fit takes a fraction of a second.
SMALL = {
    "n_members": 2,
    "hidden_layer_sizes": (16, 16),
    "early_stopping": False,
    "max_epochs": 100,
    "random_state": 0,
}

over_kinds = pytest.mark.parametrize("kind", KINDS, ids=["classifier", "regressor"])
over_attentions = pytest.mark.parametrize("attention", ATTENTIONS)


def small(kind: type, **parameters: Any) -> Any:
    """Estimator that trains quickly."""
    return kind(**{**SMALL, **parameters})


def classifier(**parameters: Any) -> MultiTaskAttentionClassifier:
    return small(MultiTaskAttentionClassifier, **parameters)


def regressor(**parameters: Any) -> MultiTaskAttentionRegressor:
    return small(MultiTaskAttentionRegressor, **parameters)


def mixed(**parameters: Any) -> MultiTaskAttentionEstimator:
    return small(MultiTaskAttentionEstimator, **parameters)


def variants(*attentions: str, explainable: bool = False) -> Iterator[Any]:
    """Both estimators with these kinds of attention, at sizes that pass scikit-learn's checks."""
    for kind in KINDS:
        for attention in attentions:
            yield variant(kind, attention, explainable)


def in_turn(*attentions: str, explainable: bool = False) -> Iterator[Any]:
    """Each kind of attention once, of classifier and regressor in turn, which share the network."""
    for kind, attention in zip(itertools.cycle(KINDS), attentions, strict=False):
        yield variant(kind, attention, explainable)


def variant(kind: type, attention: str, explainable: bool) -> Any:
    periodic = {"numeric_embedding": "periodic", "n_heads": 2} if attention == "self" else {}
    sizes = {"n_members": 4, "hidden_layer_sizes": (32, 32), **periodic}
    return kind(attention=attention, explainable=explainable, **sizes)


def one_pass(model: Any, X: Any, y: Any) -> Any:
    """Fit by a single step: enough to compare two models, and a hundred times faster than fit."""
    if not is_classifier(model):
        return model.partial_fit(X, y)
    y = np.asarray(y)
    classes = np.unique(y) if y.ndim == 1 else [np.unique(column) for column in y.T]
    return model.partial_fit(X, y, classes=classes)


def numbers(n_samples: int = 60, n_features: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_samples, n_features))


def labels_for(kind: type, X: np.ndarray, n_tasks: int = 2) -> np.ndarray:
    """Labels that X decides: task i is about column i; (n_samples,) for a single task."""
    signal = np.asarray(X)[:, np.arange(n_tasks) % X.shape[1]].astype(float)
    y = (signal > 0).astype(np.int64) if is_classifier(kind()) else 2.0 * signal + 1.0
    return y[:, 0] if n_tasks == 1 else y


def data_for(
    kind: type, n_samples: int = 60, n_features: int = 4, n_tasks: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    X = numbers(n_samples, n_features, seed)
    return X, labels_for(kind, X, n_tasks)


def outputs(model: Any, X: Any) -> np.ndarray:
    """What the model says of X, as one array: probabilities side by side, or numbers."""
    if not is_classifier(model):
        return model.predict(X)
    probabilities = model.predict_proba(X)
    return np.hstack(probabilities) if isinstance(probabilities, list) else probabilities


def assert_same_outputs(one: Any, other: Any, X: Any, **tolerance: float) -> None:
    if tolerance:
        assert_allclose(outputs(one, X), outputs(other, X), **tolerance)
    else:
        assert_array_equal(outputs(one, X), outputs(other, X))
