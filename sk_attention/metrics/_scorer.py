"""Scorers for model selection over several tasks."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from sk_attention.metrics._multi_task import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_log_loss,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)


def make_multi_task_scorer(name: str) -> "MultiTaskScorer":
    """Make a scorer for model selection over several tasks with missing labels.

    The scorer is called as ``scorer(estimator, X, y, sample_weight=None)`` and returns the mean
    over the tasks, where greater is better. It goes wherever scikit-learn takes ``scoring``:
    `GridSearchCV`, `cross_validate` (also in a dictionary), `permutation_importance`. Which label
    means "missing" is read from the estimator's parameter `missing_label`, if it has one, also
    behind a pipeline or a search. Estimators of one task and of several will do: scikit-learn's
    shapes of `predict`, `predict_proba` and `classes_` are understood.

    Parameters
    ----------
    name : {"accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss", "r2"}
        Which score. "neg_log_loss" is the log loss times -1.

    Returns
    -------
    scorer : callable
        The scorer. It can be cloned and pickled; where metadata routing is enabled,
        ``scorer.set_score_request(sample_weight=True)`` asks for weights.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sk_attention.metrics import make_multi_task_scorer
    >>> X = np.arange(12.0).reshape(-1, 1)
    >>> y = np.column_stack([X[:, 0] > 5, X[:, 0] // 4])
    >>> scorer = make_multi_task_scorer("accuracy")
    >>> scores = cross_val_score(KNeighborsClassifier(1), X, y, cv=6, scoring=scorer)
    >>> round(float(scores.mean()), 2)
    0.75
    """
    if name not in _SCORERS:
        known = ", ".join(map(repr, _SCORERS))
        raise ValueError(f"Unknown score {name!r}: make_multi_task_scorer knows {known}.")
    return MultiTaskScorer(name)


class MultiTaskScorer(BaseEstimator):
    """Scorer of one name; an estimator only so that scikit-learn can clone it and route to it."""

    __metadata_request__score = {"estimator": UNUSED}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        return self.score(estimator, X, y, sample_weight=sample_weight)

    def score(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score a fitted estimator; greater is better."""
        metric, method, sign = _SCORERS[self.name]
        options = {"classes": estimator.classes_} if method == "predict_proba" else {}
        return sign * metric(
            y,
            getattr(estimator, method)(X),
            missing_label=_missing_label(estimator),
            sample_weight=sample_weight,
            **options,
        )

    def _accept_sample_weight(self) -> bool:
        """Tell scikit-learn's searches that weights are welcome."""
        return True


_SCORERS: dict[str, tuple[Callable[..., Any], str, int]] = {
    "accuracy": (multi_task_accuracy_score, "predict", 1),
    "balanced_accuracy": (multi_task_balanced_accuracy_score, "predict", 1),
    "roc_auc": (multi_task_roc_auc_score, "predict_proba", 1),
    "neg_log_loss": (multi_task_log_loss, "predict_proba", -1),
    "r2": (multi_task_r2_score, "predict", 1),
}


def _missing_label(estimator: Any) -> Any:
    """Find the parameter `missing_label`, if need be inside a pipeline or a meta-estimator."""
    inner = ("best_estimator_", "estimator", "regressor")
    while estimator is not None:
        if hasattr(estimator, "missing_label"):
            return estimator.missing_label
        if getattr(estimator, "steps", None):
            estimator = estimator.steps[-1][1]
        else:
            found = (getattr(estimator, name) for name in inner if hasattr(estimator, name))
            estimator = next(found, None)
    return None
