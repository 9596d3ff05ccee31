"""Scorers for model selection over several tasks."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from sk_attention._labels import take_tasks
from sk_attention.metrics._mixed import multi_task_jaccard_score
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
    shapes of `predict`, `predict_proba` and `classes_` are understood. Of an estimator whose tasks
    are of several kinds, those for which the score is defined are scored.

    Parameters
    ----------
    name : {"accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss", "r2", "jaccard"}
        Which score. "neg_log_loss" is the log loss times -1; "jaccard" is about sets of labels.

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
        predicted = getattr(estimator, method)(X)
        options = {"classes": estimator.classes_} if method == "predict_proba" else {}
        if self.name != "jaccard":
            options["missing_label"] = _of_final_estimator(estimator, "missing_label")
        types = _of_final_estimator(estimator, "task_types_")
        if types is not None:
            y, predicted, options = self._own_tasks(types, y, predicted, options)
        return sign * metric(y, predicted, sample_weight=sample_weight, **options)

    def _own_tasks(self, types: list[str], y: Any, predicted: Any, options: Any) -> Any:
        """Keep the tasks for which the score is defined."""
        kind = {"r2": "regression", "jaccard": "multilabel"}.get(self.name, "classification")
        tasks = [task for task, own in enumerate(types) if own == kind]
        if not tasks:
            raise ValueError(
                f"The score {self.name!r} is about tasks of the type {kind!r}, of which the "
                f"estimator has none: {types}."
            )
        options = dict(options)
        if kind != "classification":
            options.pop("missing_label", None)  # it is a class
        if "classes" not in options:
            return take_tasks(y, tasks), take_tasks(predicted, tasks), options
        if isinstance(predicted, list):
            predicted = [predicted[task] for task in tasks]
            options["classes"] = [options["classes"][task] for task in tasks]
        return take_tasks(y, tasks), predicted, options

    def _accept_sample_weight(self) -> bool:
        """Tell scikit-learn's searches that weights are welcome."""
        return True


_SCORERS: dict[str, tuple[Callable[..., Any], str, int]] = {
    "accuracy": (multi_task_accuracy_score, "predict", 1),
    "balanced_accuracy": (multi_task_balanced_accuracy_score, "predict", 1),
    "roc_auc": (multi_task_roc_auc_score, "predict_proba", 1),
    "neg_log_loss": (multi_task_log_loss, "predict_proba", -1),
    "r2": (multi_task_r2_score, "predict", 1),
    "jaccard": (multi_task_jaccard_score, "predict", 1),
}


def _of_final_estimator(estimator: Any, name: str) -> Any:
    """Find an attribute, if need be inside a pipeline or a meta-estimator, or return None."""
    inner = ("best_estimator_", "estimator", "regressor")
    while estimator is not None:
        if hasattr(estimator, name):
            return getattr(estimator, name)
        if getattr(estimator, "steps", None):
            estimator = estimator.steps[-1][1]
        else:
            found = (getattr(estimator, own) for own in inner if hasattr(estimator, own))
            estimator = next(found, None)
    return None
