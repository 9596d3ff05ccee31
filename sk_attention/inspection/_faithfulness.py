"""Whether what a model is said to look at decides its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state

from sk_attention._labels import label_columns
from sk_attention.training.freezing import frozen_queries

from ._answers import check_multi_task, check_rows
from ._attribute import attribute, importance
from ._counts import check_counts
from ._deletion import area, curves, draw_donors, permutation_importances, ranks, steps
from ._skill import Floats, bootstrap_weights, chance, correlation, interval, skill
from ._token_model import TokenModel, feature_names

# What is compared with: an order that knows nothing, and one from the gradients.
RANDOM, GRADIENTS = "random", "integrated_gradients"


@dataclass(frozen=True)
class Observed:
    """The labels that are there, task by task, and the weights of bootstrap draws of their rows."""

    labels: list[NDArray[Any]]
    seen: list[NDArray[np.bool_]]
    weights: list[Floats]


def faithfulness(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    method: str = "auto",
    relevant: Any = None,
    train: tuple[Any, Any] | None = None,
    n_refits: int = 2,
    n_steps: int = 10,
    n_repeats: int = 3,
    n_bootstrap: int = 200,
    random_state: Any = None,
) -> Bunch:
    r"""Measure whether the features named by an explanation decide the predictions.

    In every row the features are deleted one after the other, those first that ``method`` calls
    most important: a deleted feature takes the value it has in another row, drawn anew per
    feature, so that it stays a likely one. The faster the skill of a task falls, the more its
    predictions depend on what was named. The same is done in random order and in the order of
    integrated gradients; insertion gives the features back instead, the most important first. Skill
    is ROC AUC (of several classes the mean over each against the others), and the correlation of
    predictions and numbers in regression.

    Parameters
    ----------
    estimator : object
        A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
        `MultiTaskAttentionEstimator`.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows that were not trained on; a few hundred are enough.
    y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
        Their labels; missing ones do not count.
    method : str, default="auto"
        The explanation: a method of `attribute`. "auto" is "contribution" for estimators with
        ``explainable=True``, else "attention".
    relevant : array-like of shape (n_tasks, n_features) and dtype bool, default=None
        The features that each task depends on, if that is known.
    train : tuple (X, y), default=None
        Rows to fit clones on, with other seeds and with attention that stays uniform. None leaves
        that out.
    n_refits : int, default=2
        Clones with other seeds, if there is ``train``; at least 1.
    n_steps : int, default=10
        Steps from all features to none.
    n_repeats : int, default=3
        Repetitions with new values and, in random order, new orders.
    n_bootstrap : int, default=200
        Draws of the rows, from which the 95 % intervals come.
    random_state : int, RandomState or None, default=None
        Source of values, orders, draws and seeds.

    Returns
    -------
    found : Bunch
        Intervals are given as (value, lower end, upper end).

        method, task_names, feature_names
            What was measured.
        skill : ndarray of shape (n_tasks, 3)
            Skill with all features, and its interval.
        chance : ndarray of shape (n_tasks,)
            Skill of a guess.
        n_deleted : ndarray of shape (n_counts,)
            Numbers of features deleted or inserted, from 0 to all.
        deletion, insertion : dict of ndarray of shape (n_tasks, n_counts, 3)
            The curves, under the name of ``method``, "integrated_gradients" and "random".
        deletion_area, insertion_area : dict of ndarray of shape (n_tasks, 3)
            Areas below them: the less the better for deletion, the more for insertion.
        deletion_gain, insertion_gain : ndarray of shape (n_tasks, 3)
            How much better the area is than that of the random order.
        gradient_gain : ndarray of shape (n_tasks, 3)
            How much better the deletion area is than that of integrated gradients.
        importances : ndarray of shape (n_tasks, n_features)
            Mean size of the attributions over the rows.
        permutation_importances : ndarray of shape (n_tasks, n_features)
            Skill lost when the feature is shuffled among all rows.
        agreement, rank_agreement : ndarray of shape (n_tasks,)
            Pearson's and Spearman's correlation of the two. The first looks at the features that
            matter; the second gives as much weight to the order among those that do not.
        precision : ndarray of shape (n_tasks,) or None
            Share of relevant features among as many with the largest importances.
        stability : ndarray of shape (n_tasks,) or None
            Mean of Pearson's correlation between the importances of the fits.
        uniform_loss : ndarray of shape (n_tasks, 3) or None
            Skill that is lost by a clone whose attention stays uniform [1]_. Where it is not above
            0, the task does without attention.

    Raises
    ------
    TypeError
        If the estimator is of another kind.
    ValueError
        If there is no such method, or not for this estimator; if it was fitted on one feature, or
        on a sparse matrix; or if a parameter, or ``y``, breaks a rule.

    See Also
    --------
    faithfulness_card : Says in a few lines whether the explanation may be shown.

    References
    ----------
    .. [1] Wiegreffe and Pinter, "Attention is not not explanation", EMNLP 2019.

    Examples
    --------
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import faithfulness
    >>> data = make_planted_tasks(n_samples=400, n_features=6, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(explainable=True, max_epochs=20, random_state=0)
    >>> found = faithfulness(model.fit(X[:200], y[:200]), X[200:], y[200:], random_state=0)
    >>> found.deletion_gain.shape
    (2, 3)
    """
    check_multi_task(estimator, "faithfulness")
    counts = {"n_refits": n_refits, "n_steps": n_steps, "n_repeats": n_repeats}
    check_counts(1, **counts, n_bootstrap=n_bootstrap)
    _check_train(train)
    model = TokenModel(estimator, X)
    if model.n_features < 2:
        raise ValueError(
            "faithfulness compares in which order features are taken away, and needs two at least; "
            f"{type(estimator).__name__} was fitted on one."
        )
    if method == "auto":
        method = "contribution" if estimator.explainable else "attention"
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    observed = _observe(estimator, y, len(model), n_bootstrap, rng)
    sizes = {method: _sizes(estimator, X, method)}
    sizes.setdefault(GRADIENTS, _sizes(estimator, X, GRADIENTS))
    whole = _skills(model, observed)
    importances = np.stack([own.mean(axis=0) for own in sizes[method]])
    shuffled = permutation_importances(model, observed.labels, observed.seen, n_repeats, rng)
    found = Bunch(
        method=method,
        task_names=list(estimator.task_names_),
        feature_names=feature_names(estimator, model.n_features),
        skill=_intervals(whole),
        chance=np.array([chance(labels) for labels in observed.labels]),
        importances=importances,
        permutation_importances=shuffled,
        agreement=_correlations(importances, shuffled),
        rank_agreement=_correlations(rankdata(importances, axis=1), rankdata(shuffled, axis=1)),
        precision=None if relevant is None else _precision(importances, relevant),
        stability=None,
        uniform_loss=None,
    )
    found.update(_order_matters(model, observed, sizes, method, n_steps, n_repeats, rng))
    if train is not None:
        found.stability = _stability(estimator, X, method, importances, train, n_refits, rng)
        found.uniform_loss = _uniform_loss(estimator, X, train, observed, whole, rng)
    return found


def _check_train(train: Any) -> None:
    if train is not None and not (isinstance(train, tuple | list) and len(train) == 2):
        raise ValueError(f"train must be a tuple of two, (X, y); got {type(train).__name__}.")


def _observe(
    estimator: Any, y: Any, n_rows: int, n_bootstrap: int, rng: np.random.Generator
) -> Observed:
    labels = label_columns(estimator._same_tasks(y), warn_on_column_vector=False)
    check_rows(labels, n_rows)
    targets = estimator._target_encoder.transform(labels)
    seen = list(targets.observed.T)
    for name, own in zip(estimator.task_names_, seen, strict=True):
        if not own.any():
            raise ValueError(f"Task {name!r} of y has no observed label: nothing can be measured.")
    by_task = estimator._target_encoder.by_task(targets)
    values = [own[there] for own, there in zip(by_task, seen, strict=True)]
    weights = [bootstrap_weights(len(own), n_bootstrap, rng) for own in values]
    return Observed(values, seen, weights)


def _sizes(estimator: Any, X: Any, method: str) -> list[Floats]:
    """Return how important each feature of each row is, task by task."""
    return [importance(own) for own in attribute(estimator, X, method).attributions]


def _skills(model: TokenModel, observed: Observed) -> list[Floats]:
    """Return each task's skill with all features, in every draw of the rows."""
    logits = model.logits(model.tokens)
    each = zip(observed.labels, logits, observed.seen, observed.weights, strict=True)
    return [skill(labels, own[seen], weights) for labels, own, seen, weights in each]


def _order_matters(
    model: TokenModel,
    observed: Observed,
    sizes: dict[str, list[Floats]],
    method: str,
    n_steps: int,
    n_repeats: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Delete and insert features in every order; compare."""
    counts = steps(model.n_features, n_steps)
    drawn: dict[str, list[list[tuple[Floats, Floats]]]] = {name: [] for name in (*sizes, RANDOM)}
    for _ in range(n_repeats):
        donors = draw_donors(len(model), model.n_features, rng)
        for name, repeats in drawn.items():
            own = sizes.get(name) or [np.zeros(donors.shape)] * len(observed.labels)  # all equal
            repeats.append(
                [
                    curves(model, task, labels, seen, ranks(size, rng), donors, counts, weights)
                    for task, (labels, seen, weights, size) in enumerate(
                        zip(observed.labels, observed.seen, observed.weights, own, strict=True)
                    )
                ]
            )
    # name -> (deletion or insertion, tasks) of (draws, counts), means over the repeats
    mean = {
        name: [
            [
                np.mean([repeat[task][kind] for repeat in repeats], axis=0)
                for task in range(len(own))
            ]
            for kind in (0, 1)
        ]
        for name, repeats in drawn.items()
        for own in repeats[:1]
    }
    areas = {name: [[area(c, counts) for c in kind] for kind in own] for name, own in mean.items()}

    def better(kind: int, other: str, sign: float) -> Floats:
        both = zip(areas[method][kind], areas[other][kind], strict=True)
        return _intervals([sign * (ours - theirs) for ours, theirs in both])

    return {
        "n_deleted": counts,
        "deletion": {name: _intervals(own[0]) for name, own in mean.items()},
        "insertion": {name: _intervals(own[1]) for name, own in mean.items()},
        "deletion_area": {name: _intervals(own[0]) for name, own in areas.items()},
        "insertion_area": {name: _intervals(own[1]) for name, own in areas.items()},
        "deletion_gain": better(0, RANDOM, -1.0),
        "insertion_gain": better(1, RANDOM, 1.0),
        "gradient_gain": better(0, GRADIENTS, -1.0),
    }


def _stability(
    estimator: Any,
    X: Any,
    method: str,
    importances: Floats,
    train: tuple[Any, Any],
    n_refits: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the mean correlation between the importances of fits with different seeds."""
    fits = [importances]
    for _ in range(n_refits):
        other = _refit(estimator, train, rng)
        fits.append(np.stack([own.mean(axis=0) for own in _sizes(other, X, method)]))
    pairs = [_correlations(one, other) for n, one in enumerate(fits) for other in fits[:n]]
    stability: Floats = np.mean(pairs, axis=0)
    return stability


def _uniform_loss(
    estimator: Any,
    X: Any,
    train: tuple[Any, Any],
    observed: Observed,
    whole: list[Floats],
    rng: np.random.Generator,
) -> Floats:
    """Return the skill that is lost where attention stays uniform."""
    callbacks = [*(estimator.callbacks or []), ("frozen_queries", frozen_queries())]
    uniform = {"attention_sharpness": 0.0, "callbacks": callbacks, "refit": estimator._refits()}
    other = _refit(estimator, train, rng, **uniform)
    without = _skills(TokenModel(other, X), observed)
    return _intervals([one - two for one, two in zip(whole, without, strict=True)])


def _refit(estimator: Any, train: tuple[Any, Any], rng: np.random.Generator, **changes: Any) -> Any:
    seed = int(rng.integers(2**31))
    return clone(estimator).set_params(random_state=seed, **changes).fit(*train)


def _intervals(draws: Sequence[Floats]) -> Floats:
    return np.stack([interval(own) for own in draws])


def _correlations(ones: Floats, others: Floats) -> Floats:
    """Return the correlation line by line; NaN where one of the two does not vary."""
    alike = np.ones((1, ones.shape[1]))
    pairs = zip(ones, others, strict=True)
    return np.array([correlation(one, other, alike)[0] for one, other in pairs])


def _precision(importances: Floats, relevant: Any) -> Floats:
    """Return the share of relevant features among as many of the most important."""
    relevant = np.asarray(relevant)
    if relevant.shape != importances.shape or relevant.dtype.kind != "b":
        raise ValueError(
            f"relevant must be of shape (n_tasks, n_features) = {importances.shape} and bool; got "
            f"shape {relevant.shape} and dtype {relevant.dtype}."
        )
    order = np.argsort(-importances, axis=1, kind="stable")
    found = np.take_along_axis(relevant, order, axis=1)
    among = np.arange(relevant.shape[1]) < relevant.sum(axis=1, keepdims=True)
    precision: Floats = (found & among).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return precision
