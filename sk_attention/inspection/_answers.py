"""What a fitted estimator says of some rows beside what was observed, task by task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.utils.validation import check_is_fitted

from sk_attention._labels import LabelColumns, label_columns
from sk_attention.multi_task import (
    MultiTaskAttentionClassifier,
    MultiTaskAttentionEstimator,
    MultiTaskAttentionRegressor,
)

from ._skill import Floats

MULTI_TASK = (
    MultiTaskAttentionClassifier,
    MultiTaskAttentionRegressor,
    MultiTaskAttentionEstimator,
)


@dataclass(frozen=True)
class Answers:
    """One task's predictions and labels.

    Attributes
    ----------
    name : str
        The task.
    kind : {"classification", "regression", "multilabel"}
        What its labels are.
    classes : ndarray of shape (n_classes,) or None
        Its classes, or the labels of its sets; None for a task of numbers.
    probabilities : ndarray of shape (n_rows, n_classes) or None
        Of each class, or of each label to be in the set.
    predicted : ndarray of shape (n_rows,) or (n_rows, n_labels)
        Codes of the classes, numbers, or zeros and ones: which labels are in the set.
    observed : ndarray of shape (n_rows,) or (n_rows, n_labels)
        The same of the labels; whatever where there is none.
    seen : ndarray of shape (n_rows,), dtype bool
        Where there is a label.
    """

    name: str
    kind: str
    classes: NDArray[Any] | None
    probabilities: Floats | None
    predicted: NDArray[Any]
    observed: NDArray[Any]
    seen: NDArray[np.bool_]

    @property
    def class_names(self) -> list[str]:
        """The classes as text: 1.0, which NaN beside it made of 1, is 1."""
        labels = [] if self.classes is None else self.classes.tolist()
        return [
            str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
            for label in labels
        ]

    def take(self, rows: NDArray[np.intp]) -> Answers:
        """Return the answers for some rows."""
        return replace(
            self,
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            predicted=self.predicted[rows],
            observed=self.observed[rows],
            seen=self.seen[rows],
        )


def answers(estimator: Any, X: Any, y: Any) -> list[Answers]:
    """Predict, and read the labels.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted estimator.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows.
    y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
        Their labels, of which some may be missing.

    Returns
    -------
    answers : list of Answers
        One for each task.

    Raises
    ------
    ValueError
        If X and y have not the same number of rows, or the labels are not those of the estimator.
    """
    labels = label_columns(estimator._same_tasks(y), warn_on_column_vector=False)
    encoder = estimator._target_encoder
    targets = encoder.transform(labels)
    logits = estimator._logits(estimator._ensemble_outputs(X))
    check_rows(labels, len(logits[0]))
    parts = zip(
        estimator.task_names_,
        getattr(encoder, "classes_", [None] * len(logits)),
        logits,
        labels.columns,
        encoder.by_task(targets),
        targets.observed.T,
        strict=True,
    )
    return [
        _of_numbers(str(name), own, column, seen)
        if classes is None
        else _of_labels(str(name), classes, own, codes, seen)
        for name, classes, own, column, codes, seen in parts
    ]


def _of_numbers(
    name: str, predicted: Floats, column: NDArray[Any], seen: NDArray[np.bool_]
) -> Answers:
    observed = np.full(len(column), np.nan)
    observed[seen] = column[seen].astype(np.float64)
    return Answers(name, "regression", None, None, predicted, observed, seen)


def _of_labels(
    name: str,
    classes: NDArray[Any],
    logits: Floats,
    observed: NDArray[np.int64],
    seen: NDArray[np.bool_],
) -> Answers:
    """Return the answers of a task of classes or, where codes have two axes, of sets."""
    if observed.ndim == 2:
        chosen = (logits > 0.0).astype(np.int64)
        return Answers(name, "multilabel", classes, expit(logits), chosen, observed, seen)
    if logits.ndim == 1:  # log odds of the second of two classes
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    probabilities = softmax(logits, axis=1)
    predicted = logits.argmax(axis=1)
    return Answers(name, "classification", classes, probabilities, predicted, observed, seen)


def per_task(estimator: Any, values: Any) -> list[Any]:
    """Return what an estimator gives for its tasks as a list with one entry for each.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted estimator.
    values : ndarray or list
        In the form in which predictions come: of several tasks a list, or an array with the tasks
        along the second axis.

    Returns
    -------
    values : list
        One entry per task.
    """
    if estimator._one_dimensional:
        return [values]
    return values if isinstance(values, list) else list(values.swapaxes(0, 1))


def check_multi_task(estimator: Any, function: str) -> None:
    """Refuse other estimators, and those that are not fitted."""
    if not isinstance(estimator, MULTI_TASK):
        *most, last = (own.__name__ for own in MULTI_TASK)
        raise TypeError(
            f"{function} takes a fitted {', '.join(most)} or {last}, got "
            f"{type(estimator).__name__}."
        )
    check_is_fitted(estimator)


def check_rows(labels: LabelColumns, n_rows: int) -> None:
    """Refuse labels of other rows than those of X."""
    if labels.n_samples != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {labels.n_samples}.")
