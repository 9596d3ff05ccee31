"""Scores over tasks of several kinds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sk_attention._labels import take_tasks
from sk_attention.metrics._averaging import average_scores, score_predictions
from sk_attention.metrics._multi_task import multi_task_accuracy_score, multi_task_r2_score
from sk_attention.metrics._task_scores import jaccard


def multi_task_jaccard_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Share of what true and predicted sets of labels have in common, averaged over the tasks.

    With O_i the samples whose set y_ni of task i is observed and which have a positive weight w_n,
    the score of task i is the mean Jaccard index, that of two empty sets being 1,

    .. math:: J_i = \sum_{n \in O_i} w_n \frac{|y_{ni} \cap \hat y_{ni}|}
              {|y_{ni} \cup \hat y_{ni}|} \; / \sum_{n \in O_i} w_n .

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True sets: lists, tuples or sets of labels. None and NaN are missing sets.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Predicted sets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w_n, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task. A task without observed sets has no score.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, an entry is no set, a weight is negative or not finite, or
        `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_jaccard_score
    >>> y_true = [{"red", "round"}, set(), None]
    >>> multi_task_jaccard_score(y_true, [{"red"}, set(), {"red"}])
    0.75
    """
    return score_predictions(jaccard, y_true, y_pred, None, sample_weight, average)


def multi_task_score(
    y_true: Any,
    y_pred: Any,
    *,
    task_types: Sequence[str],
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    """Score tasks of several kinds, each by its own score, averaged over the tasks.

    Accuracy for classes, the coefficient of determination for numbers, and the Jaccard index for
    sets of labels: 1 at the best in all three.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True labels. None, NaN and ``pandas.NA`` are missing labels.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Predicted labels.
    task_types : sequence of {"classification", "regression", "multilabel"}
        The kind of each task, as in `task_types_`.
    missing_label : object, default=None
        A further class label that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If a kind is unknown, or as `multi_task_accuracy_score`, `multi_task_r2_score` and
        `multi_task_jaccard_score` raise it.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_score
    >>> y_true = [["late", 50.0], ["late", 70.0], ["on time", None]]
    >>> y_pred = [["late", 50.0], ["late", 60.0], ["late", 0.0]]
    >>> types = ["classification", "regression"]
    >>> multi_task_score(y_true, y_pred, task_types=types, average=None).round(2)
    array([0.67, 0.5 ])
    """
    unknown = [kind for kind in task_types if kind not in SCORES]
    if unknown:
        raise ValueError(f"task_types must hold {', '.join(SCORES)} only; got {unknown[0]!r}.")
    scores = np.full(len(task_types), np.nan)
    for kind, score in SCORES.items():
        tasks = [task for task, own in enumerate(task_types) if own == kind]
        if tasks:
            options = {"missing_label": missing_label} if kind == "classification" else {}
            scores[tasks] = score(
                take_tasks(y_true, tasks),
                take_tasks(y_pred, tasks),
                sample_weight=sample_weight,
                average=None,
                **options,
            )
    return average_scores(scores, average)


SCORES: dict[str, Any] = {
    "classification": multi_task_accuracy_score,
    "regression": multi_task_r2_score,
    "multilabel": multi_task_jaccard_score,
}
