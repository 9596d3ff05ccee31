"""What a fitted estimator says of some rows beside what was observed, task by task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sk_attention._labels import LabelColumns, label_columns
from sk_attention.multi_task import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor

from ._skill import Floats


@dataclass(frozen=True)
class Answers:
    """One task's predictions and labels.

    Attributes
    ----------
    name : str
        The task.
    classes : ndarray of shape (n_classes,) or None
        Its classes; None for a task of numbers.
    probabilities : ndarray of shape (n_rows, n_classes) or None
        Of each class.
    predicted : ndarray of shape (n_rows,)
        Codes of the classes, or numbers.
    observed : ndarray of shape (n_rows,)
        The same of the labels; whatever where there is none.
    seen : ndarray of shape (n_rows,), dtype bool
        Where there is a label.
    """

    name: str
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
    targets = estimator._target_encoder.transform(labels)
    if not is_classifier(estimator):
        predicted = per_task(estimator, estimator.predict(X))
        check_rows(labels, len(predicted[0]))
        seen = list(targets.observed.T)
        values = map(_numbers, labels.columns, seen)
        parts = zip(estimator.task_names_, predicted, values, seen, strict=True)
        return [Answers(str(name), None, None, *own) for name, *own in parts]
    probabilities = per_task(estimator, estimator.predict_proba(X))
    check_rows(labels, len(probabilities[0]))
    classes = per_task(estimator, estimator.classes_)
    parts = zip(
        estimator.task_names_,
        classes,
        probabilities,
        [own.argmax(axis=1) for own in probabilities],
        targets.values.T,
        targets.observed.T,
        strict=True,
    )
    return [Answers(str(name), *own) for name, *own in parts]


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
    if not isinstance(estimator, MultiTaskAttentionClassifier | MultiTaskAttentionRegressor):
        raise TypeError(
            f"{function} takes a fitted MultiTaskAttentionClassifier or "
            f"MultiTaskAttentionRegressor, got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)


def check_rows(labels: LabelColumns, n_rows: int) -> None:
    """Refuse labels of other rows than those of X."""
    if labels.n_samples != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {labels.n_samples}.")


def _numbers(column: NDArray[Any], seen: NDArray[np.bool_]) -> Floats:
    numbers = np.full(len(column), np.nan)
    numbers[seen] = column[seen].astype(np.float64)
    return numbers
