"""What becomes of predictions as features are taken away, or given back, in some order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._skill import Floats, skill
from ._token_model import TokenModel


def steps(n_features: int, n_steps: int) -> NDArray[np.intp]:
    """Return how many features are taken away, step by step, from none to all.

    Parameters
    ----------
    n_features : int
        Number of features.
    n_steps : int
        Steps after the first, at the most.

    Returns
    -------
    counts : ndarray of int
        Increasing.
    """
    return np.unique(np.round(np.linspace(0, n_features, n_steps + 1)).astype(np.intp))


def ranks(importance: Floats, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the place of each feature in each row, 0 the most important; ties are drawn.

    Parameters
    ----------
    importance : ndarray of shape (n_rows, n_features)
        Importances.
    rng : numpy.random.Generator
        Source of the order among equals.

    Returns
    -------
    ranks : ndarray of shape (n_rows, n_features)
        A permutation in each row.
    """
    order = np.lexsort((rng.random(importance.shape), -importance), axis=1)
    return np.argsort(order, axis=1)


def draw_donors(n_rows: int, n_features: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return for each feature a permutation of the rows, which resamples its values.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    n_features : int
        Number of features.
    rng : numpy.random.Generator
        Source of the permutations.

    Returns
    -------
    donors : ndarray of shape (n_rows, n_features)
        Each column a permutation: the feature's distribution stays as it is.
    """
    rows = np.tile(np.arange(n_rows)[:, None], n_features)
    return rng.permuted(rows, axis=0)


def curves(
    model: TokenModel,
    task: int,
    labels: NDArray[Any],
    seen: NDArray[np.bool_],
    order: NDArray[np.intp],
    donors: NDArray[np.intp],
    counts: NDArray[np.intp],
    weights: Floats,
) -> tuple[Floats, Floats]:
    """Return the task's skill while features are deleted, and while they are inserted.

    A deleted feature takes the value of another row. Insertion starts from rows whose features are
    all deleted.

    Parameters
    ----------
    model : TokenModel
        The rows and the model.
    task : int
        The task.
    labels : ndarray of shape (n_seen,)
        Observed labels.
    seen : ndarray of shape (n_rows,), dtype bool
        Where they were observed.
    order : ndarray of shape (n_rows, n_features)
        Place of each feature in each row, the most important first.
    donors : ndarray of shape (n_rows, n_features)
        Whose value a deleted feature takes.
    counts : ndarray of shape (n_counts,)
        How many features are deleted or inserted.
    weights : ndarray of shape (n_weightings, n_seen)
        Weights of the rows.

    Returns
    -------
    deletion, insertion : ndarray of shape (n_weightings, n_counts)
        Skill at each count.
    """

    def skill_without(chosen: NDArray[np.bool_]) -> Floats:
        logits = model.logits(model.replaced(chosen, donors))[task]
        return skill(labels, logits[seen], weights)

    deletion = [skill_without(order < count) for count in counts]
    insertion = [skill_without(order >= count) for count in counts]
    return np.stack(deletion, axis=1), np.stack(insertion, axis=1)


def area(curve: Floats, counts: NDArray[np.intp]) -> Floats:
    """Return the area below curves over the share of features, along the last axis.

    Parameters
    ----------
    curve : ndarray of shape (..., n_counts)
        Curves.
    counts : ndarray of shape (n_counts,)
        Counts of features, from none to all.

    Returns
    -------
    area : ndarray of shape (...)
        By the trapezoidal rule.
    """
    width = np.diff(counts) / counts[-1]
    return ((curve[..., 1:] + curve[..., :-1]) / 2 * width).sum(axis=-1)


def permutation_importances(
    model: TokenModel, labels: list[Any], seen: list[Any], n_repeats: int, rng: np.random.Generator
) -> Floats:
    """Return how much skill each task loses when a feature is shuffled.

    Parameters
    ----------
    model : TokenModel
        The rows and the model.
    labels : list of ndarray
        Observed labels of each task.
    seen : list of ndarray of shape (n_rows,), dtype bool
        Where they were observed.
    n_repeats : int
        Shuffles of each feature.
    rng : numpy.random.Generator
        Source of the shuffles.

    Returns
    -------
    importances : ndarray of shape (n_tasks, n_features)
        Mean loss of skill.
    """

    def skills(logits: list[Floats]) -> Floats:
        each = zip(labels, logits, seen, strict=True)
        return np.array([skill(y, own[s], np.ones((1, len(y))))[0] for y, own, s in each])

    n_rows, n_features = len(model), model.n_features
    whole = skills(model.logits(model.tokens))
    losses = np.zeros((len(labels), n_features))
    for _ in range(n_repeats):
        donors = draw_donors(n_rows, n_features, rng)
        for feature in range(n_features):
            chosen = np.zeros((n_rows, n_features), dtype=bool)
            chosen[:, feature] = True
            losses[:, feature] += whole - skills(model.logits(model.replaced(chosen, donors)))
    return losses / n_repeats
