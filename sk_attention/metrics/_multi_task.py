"""Scores over several tasks of which some labels are missing."""

from typing import Any

from sk_attention.metrics._averaging import score_predictions, score_probabilities
from sk_attention.metrics._task_scores import (
    accuracy,
    balanced_accuracy,
    log_loss,
    r2,
    roc_auc,
)


def multi_task_accuracy_score(
    y_true: Any,
    y_pred: Any,
    *,
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Share of right labels among the observed ones, averaged over the tasks.

    With O_i the samples whose label of task i is observed and which have a positive weight w_n,
    the accuracy of task i is

    .. math:: a_i = \sum_{n \in O_i} w_n [y_{ni} = \hat y_{ni}] \; / \sum_{n \in O_i} w_n .

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True labels of any type. None, NaN and ``pandas.NA`` are missing labels.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Predicted labels.
    missing_label : object, default=None
        A further label that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w_n, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task. A task without observed labels has no score.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, a weight is negative or not finite, `average` is unknown, or
        numbers are compared with strings.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_accuracy_score
    >>> y_true = [[1, "red"], [0, None], [1, "blue"]]
    >>> y_pred = [[1, "red"], [1, "red"], [1, "red"]]
    >>> multi_task_accuracy_score(y_true, y_pred, average=None).round(2)
    array([0.67, 0.5 ])
    >>> round(multi_task_accuracy_score(y_true, y_pred), 2)
    0.58
    """
    return score_predictions(accuracy, y_true, y_pred, missing_label, sample_weight, average)


def multi_task_balanced_accuracy_score(
    y_true: Any,
    y_pred: Any,
    *,
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    """Mean recall of the classes that are observed, averaged over the tasks.

    The score of a task is the mean, over the classes among its observed labels, of the weighted
    share of a class's samples that are predicted as that class.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True labels of any type. None, NaN and ``pandas.NA`` are missing labels.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Predicted labels.
    missing_label : object, default=None
        A further label that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task. A task without observed labels has no score.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, a weight is negative or not finite, `average` is unknown, or
        numbers are compared with strings.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_balanced_accuracy_score
    >>> y_true, y_pred = [0, 0, 0, 1, -1], [0, 0, 0, 0, 0]
    >>> multi_task_balanced_accuracy_score(y_true, y_pred, missing_label=-1)
    0.5
    """
    return score_predictions(
        balanced_accuracy, y_true, y_pred, missing_label, sample_weight, average
    )


def multi_task_roc_auc_score(
    y_true: Any,
    y_proba: Any,
    *,
    classes: Any,
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    """Area under the ROC curve on the observed labels, averaged over the tasks.

    The score of a task with two classes is the area for its second class. With more classes it
    is the plain mean of the areas of each class against all others (one-vs-rest), where classes
    without a sample are left out. A label that is not among the classes counts as "another class".

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True labels of any type. None, NaN and ``pandas.NA`` are missing labels.
    y_proba : array-like of shape (n_samples, n_classes) or list of such arrays, one per task
        Probabilities as returned by `predict_proba`; any other scores will do as well.
    classes : array-like of shape (n_classes,) or list of such arrays, one per task
        The labels that the columns of `y_proba` stand for, as in `classes_`.
    missing_label : object, default=None
        A further label that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task. A task whose observed labels are all of one class has no score.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, none of a task's labels is among its classes, a probability or
        weight is not finite, a weight is negative, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.metrics import multi_task_roc_auc_score
    >>> positive = np.array([0.2, 0.4, 0.3, 0.9])
    >>> y_proba = np.column_stack([1 - positive, positive])
    >>> multi_task_roc_auc_score(["no", "no", "yes", "yes"], y_proba, classes=["no", "yes"])
    0.75
    >>> multi_task_roc_auc_score(["no", None, "yes", "yes"], y_proba, classes=["no", "yes"])
    1.0
    """
    return score_probabilities(
        roc_auc, y_true, y_proba, classes, missing_label, sample_weight, average
    )


def multi_task_log_loss(
    y_true: Any,
    y_proba: Any,
    *,
    classes: Any,
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Log loss on the observed labels, averaged over the tasks.

    With O_i the samples whose label of task i is observed and which have a positive weight w_n,
    and p_n the probability given to the true label of sample n, the loss of task i is

    .. math:: l_i = - \sum_{n \in O_i} w_n \log p_n \; / \sum_{n \in O_i} w_n .

    Probabilities are clipped to [eps, 1 - eps], where eps is the resolution of their dtype.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True labels of any type. None, NaN and ``pandas.NA`` are missing labels.
    y_proba : array-like of shape (n_samples, n_classes) or list of such arrays, one per task
        Probabilities as returned by `predict_proba`.
    classes : array-like of shape (n_classes,) or list of such arrays, one per task
        The labels that the columns of `y_proba` stand for, as in `classes_`.
    missing_label : object, default=None
        A further label that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w_n, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose loss is defined, or the loss of
        every task. A task without observed labels has no loss.

    Returns
    -------
    loss : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one loss per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, an observed label is not among its task's classes, a probability
        is outside [0, 1], a weight is negative or not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined loss.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_log_loss
    >>> y_true = [[0, 1], [1, None]]
    >>> y_proba = [[[0.5, 0.5], [0.5, 0.5]], [[0.1, 0.9], [0.7, 0.3]]]
    >>> multi_task_log_loss(y_true, y_proba, classes=[[0, 1], [0, 1]], average=None).round(3)
    array([0.693, 0.105])
    """
    return score_probabilities(
        log_loss, y_true, y_proba, classes, missing_label, sample_weight, average
    )


def multi_task_r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    missing_label: Any = None,
    sample_weight: Any = None,
    average: str | None = "mean",
) -> Any:
    r"""Coefficient of determination on the observed targets, averaged over the tasks.

    With O_i the samples whose target of task i is observed and which have a positive weight w_n,
    and m_i the weighted mean of these targets, the score of task i is

    .. math::
        R^2_i = 1 - \sum_{n \in O_i} w_n (y_{ni} - \hat y_{ni})^2
                \; / \sum_{n \in O_i} w_n (y_{ni} - m_i)^2 .

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_tasks)
        True targets. None, NaN and ``pandas.NA`` are missing targets.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Predicted targets.
    missing_label : object, default=None
        A further number that means "missing", for example -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights w_n, not negative. None gives every sample the weight 1.
    average : {"mean"} or None, default="mean"
        Whether to return the plain mean over the tasks whose score is defined, or the score of
        every task. A task with fewer than two observed targets has no score.

    Returns
    -------
    score : float or ndarray of shape (n_tasks,) and dtype float64
        The mean, or one score per task with NaN where it is not defined.

    Raises
    ------
    ValueError
        If the shapes disagree, a target or prediction is not a number, a weight is negative or
        not finite, or `average` is unknown.

    Warns
    -----
    UndefinedMetricWarning
        If the mean is NaN because no task has a defined score.

    Examples
    --------
    >>> from sk_attention.metrics import multi_task_r2_score
    >>> y_true = [[1.0, 5.0], [2.0, None], [3.0, 7.0]]
    >>> y_pred = [[1.0, 6.0], [2.0, 0.0], [3.0, 6.0]]
    >>> multi_task_r2_score(y_true, y_pred, average=None)
    array([1., 0.])
    """
    return score_predictions(r2, y_true, y_pred, missing_label, sample_weight, average)
