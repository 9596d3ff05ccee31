"""What a report says of the model as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error
from sklearn.utils import Bunch

from sk_attention.metrics import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_log_loss,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)

from ._answers import Answers
from ._card import cells, objections
from ._report_rows import short, with_others
from ._skill import Floats, shared, skill

CLASSES = {
    "accuracy": "share of labels that are right; the guess is the most frequent class",
    "balanced accuracy": "the same for each class, and the mean of these",
    "ROC AUC": (
        "how often a row of a class gets a higher probability of it than a row of another; of more "
        "than two classes the mean"
    ),
    "log loss": "surprise at the labels, the less the better; the guess knows the classes' shares",
}
SETS = {
    "Jaccard index": (
        "share that the predicted and the observed set have in common of what is in either; the "
        "guess is the set of the labels that most rows have"
    ),
    "ROC AUC": (
        "how often a row that has a label gets a higher probability of it than one that has not; "
        "the mean over the labels"
    ),
    "log loss": (
        "surprise at whether a label is in the set, the mean over the labels, the less the better; "
        "the guess knows each label's share"
    ),
}
NUMBERS = {
    "R²": "share of the variance that is explained; the guess is the mean",
    "mean absolute error": "in the units of the task, the less the better; the guess is the mean",
}
# kind of a task -> what its labels are called, and its scores
KINDS = {
    "classification": ("classes", CLASSES),
    "multilabel": ("sets of labels", SETS),
    "regression": ("numbers", NUMBERS),
}


def scores(answers: list[Answers]) -> dict[str, Any]:
    """Return the scores of each task, and what a guess would have got.

    Parameters
    ----------
    answers : list of Answers
        Predictions and labels.

    Returns
    -------
    scores : dict
        For the page: ``kinds``, the scores that tasks of a kind have and which tasks these are, and
        ``tasks``, their values.
    """
    of_kinds = {kind: [i for i, own in enumerate(answers) if own.kind == kind] for kind in KINDS}
    return {
        "kinds": [
            {
                "labels": KINDS[kind][0],
                "names": list(KINDS[kind][1]),
                "about": list(KINDS[kind][1].values()),
                "tasks": tasks,
            }
            for kind, tasks in of_kinds.items()
            if tasks
        ],
        "tasks": [
            {
                "n_labels": int(own.seen.sum()),
                "n_missing": int((~own.seen).sum()),
                **_values(own),
            }
            for own in answers
        ],
    }


def _values(own: Answers) -> dict[str, list[float]]:
    """Return the scores of a task and of a guess; not a number where there is no label."""
    if not own.seen.any():
        undefined = [np.nan] * len(KINDS[own.kind][1])
        return {"values": undefined, "guess": undefined}
    score, guess = {
        "classification": (_scores_of_classes, _guess_of_classes),
        "multilabel": (_scores_of_sets, _guess_of_sets),
        "regression": (_scores_of_numbers, _guess_of_numbers),
    }[own.kind]
    return {"values": score(own), "guess": guess(own.observed[own.seen])}


def _scores_of_classes(own: Answers) -> list[float]:
    labels, predicted = own.observed[own.seen], own.predicted[own.seen]
    assert own.probabilities is not None
    probabilities = own.probabilities[own.seen]
    codes = np.arange(probabilities.shape[1])
    return [
        multi_task_accuracy_score(labels, predicted, average=None)[0],
        multi_task_balanced_accuracy_score(labels, predicted, average=None)[0],
        multi_task_roc_auc_score(labels, probabilities, classes=codes, average=None)[0],
        multi_task_log_loss(labels, probabilities, classes=codes, average=None)[0],
    ]


def _scores_of_sets(own: Answers) -> list[float]:
    labels, predicted = own.observed[own.seen], own.predicted[own.seen]
    assert own.probabilities is not None
    probabilities = own.probabilities[own.seen]
    alike = np.ones((1, len(labels)))
    return [
        float(shared(labels, predicted).mean()),
        float(skill(labels, probabilities, alike)[0]),
        _surprise(labels, probabilities),
    ]


def _scores_of_numbers(own: Answers) -> list[float]:
    labels, predicted = own.observed[own.seen], own.predicted[own.seen]
    r2 = multi_task_r2_score(labels, predicted, average=None)[0]
    return [r2, mean_absolute_error(labels, predicted)]


# What the best guess would get that is the same for every row.


def _guess_of_classes(labels: NDArray[Any]) -> list[float]:
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    return [share.max(), 1.0 / len(share), 0.5, float(-(share * np.log(share)).sum())]


def _guess_of_sets(labels: NDArray[Any]) -> list[float]:
    share = np.broadcast_to(labels.mean(axis=0), labels.shape)
    most = (share > 0.5).astype(np.int64)
    return [float(shared(labels, most).mean()), 0.5, _surprise(labels, share)]


def _guess_of_numbers(labels: NDArray[Any]) -> list[float]:
    return [0.0, float(np.abs(labels - labels.mean()).mean())]


def _surprise(labels: NDArray[np.int64], probabilities: Floats) -> float:
    """Return the mean cross entropy of labels that are in a set or not."""
    likelihood = np.where(labels == 1, probabilities, 1.0 - probabilities)
    return float(-np.log(np.maximum(likelihood, np.finfo(np.float64).eps)).mean())


def attention(estimator: Any, names: list[str], shown: NDArray[np.intp]) -> dict[str, Any]:
    """Return where the tasks look, on average over the training rows, and what that adds.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted estimator.
    names : list of str
        Names of all columns.
    shown : ndarray of int
        Positions of the columns that are shown.

    Returns
    -------
    attention : dict
        For the page.
    """
    explained = estimator.explainable
    return {
        "columns": [names[position] for position in shown],
        "n_others": len(names) - len(shown),
        "weights": with_others(estimator.attention_weights_, shown),
        "contributions": (
            with_others(estimator.contribution_weights_, shown) if explained else None
        ),
        "importances": with_others(estimator.feature_importances_, shown) if explained else None,
    }


def shift(found: Bunch) -> dict[str, Any]:
    """Return what `attention_shift` found.

    Parameters
    ----------
    found : Bunch
        What `attention_shift` returned.

    Returns
    -------
    shift : dict
        For the page.
    """
    keys = ("pairwise", "total", "p_value", "across_samples", "effective_features")
    return {key: found[key] for key in keys}


def groups_alike(found: Bunch) -> dict[str, Any]:
    """Return what `fairness` found.

    Parameters
    ----------
    found : Bunch
        What `fairness` returned.

    Returns
    -------
    alike : dict
        For the page: for each task its measures, each with the values of all groups.
    """
    values = found.by_group[["n_rows", "value", "low", "high"]]
    n_groups = len(found.groups)
    tasks: dict[str, list[Any]] = {name: [] for name in found.task_names}
    for line, own in enumerate(found.gaps.to_dict("records")):
        of_groups = values.iloc[line * n_groups : (line + 1) * n_groups].to_dict("list")
        tasks[own["task"]].append({**own, "measure": short(own["measure"]), **of_groups})
    return {
        "groups": [short(name) for name in found.groups.tolist()],
        "tasks": list(tasks.values()),
    }


def card(found: Bunch) -> dict[str, Any]:
    """Return the card that says whether the explanation may be shown, and the curves behind it.

    Parameters
    ----------
    found : Bunch
        What `faithfulness` returned.

    Returns
    -------
    card : dict
        For the page.
    """
    lines = [cells(found, task) for task in range(len(found.task_names))]
    return {
        "method": found.method,
        "objections": [objections(found, task) for task in range(len(lines))],
        "names": list(lines[0])[1:],  # the page names the tasks itself
        "lines": [list(own.values())[1:] for own in lines],
        "n_deleted": found.n_deleted,
        "chance": found.chance,
        "curves": {name: own[..., 0] for name, own in found.deletion.items()},
    }
