"""What each parameter of the estimators may be, as data: scikit-learn checks it at fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

PARAMETER_CONSTRAINTS: dict[str, Any] = {
    "attention": [StrOptions({"cross", "self", "double", "hierarchical"})],
    "explainable": ["boolean"],
    "forbid": [dict, None],
    "embedding_dim": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "n_heads": [Interval(Integral, 1, None, closed="left")],
    "n_layers": [Interval(Integral, 1, None, closed="left")],
    "n_members": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "attention_sharpness": [Interval(Real, 0, None, closed="left")],
    "attention_normalization": [StrOptions({"softmax", "sparsemax", "entmax"})],
    "attention_window": [
        StrOptions({"auto", "adaptive"}),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
    "causal": ["boolean"],
    "efficient": [StrOptions({"inducing", "linear"}), None],
    "numeric_embedding": [StrOptions({"piecewise", "periodic"})],
    "n_bins": [Interval(Integral, 1, 10_000, closed="both")],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "fields": [Mapping, None],
    "text_features": ["array-like", None],
    "text_encoder": [HasMethods(["fit", "transform"]), callable, Mapping, None],
    "optimizer": [StrOptions({"adamw", "sgd"}), callable],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "refit": [StrOptions({"auto"}), "boolean"],
    "warm_start": ["boolean"],
    "callbacks": [list, None],
    "device": "no_validation",  # torch knows which there are
    "precision": [StrOptions({"auto", "float32", "float64", "bf16"})],
    "compile": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

CLASSIFIER_CONSTRAINTS: dict[str, Any] = {
    **PARAMETER_CONSTRAINTS,
    "class_weight": [dict, list, StrOptions({"balanced"}), None],
    "missing_label": "no_validation",  # any label may mean that there is none
}

MIXED_CONSTRAINTS: dict[str, Any] = {**CLASSIFIER_CONSTRAINTS, "task_types": [Mapping, None]}

_SHARED = [
    *("n_heads", "n_layers", "dropout"),
    *("optimizer", "learning_rate", "weight_decay", "max_grad_norm"),
    *("early_stopping", "n_iter_no_change", "refit", "callbacks"),
    *("device", "precision", "compile", "random_state", "verbose"),
]

_ROLES = dict.fromkeys(("user", "item", "timestamp"), "no_validation")  # they have their own rules

POPULAR_CONSTRAINTS: dict[str, Any] = {
    **_ROLES,
    "half_life": [Interval(Real, 0, None, closed="neither"), None],
}

RECOMMENDER_CONSTRAINTS: dict[str, Any] = {
    "context": ["array-like", None],
    "item_features": "no_validation",  # a table of its own
    "user_features": "no_validation",
    "text_features": ["array-like", None],
    "task": [StrOptions({"ranking", "classification", "regression"})],
    **_ROLES,
    **{name: PARAMETER_CONSTRAINTS[name] for name in _SHARED},
    "session": "no_validation",  # as the other columns
    "session_gap": "no_validation",  # data.sessions knows what it may be
    "attention": [StrOptions({"auto", "cross", "self", "double", "hierarchical"})],
    "embedding_dim": [Interval(Integral, 1, None, closed="left")],
    "max_history": [Interval(Integral, 1, None, closed="left")],
    "loss": [StrOptions({"auto", "cross_entropy", "sampled_softmax", "gbce"})],
    "n_negatives": [Interval(Integral, 1, None, closed="left")],
    "index": [StrOptions({"faiss"}), None],
    "batch_size": PARAMETER_CONSTRAINTS["batch_size"],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
}


def check_heads(embedding_dim: int, n_heads: int) -> None:
    """Refuse heads that do not divide the embedding.

    Parameters
    ----------
    embedding_dim : int
        Size of a token.
    n_heads : int
        Heads it is split into.

    Raises
    ------
    ValueError
        If ``embedding_dim`` is not a multiple of ``n_heads``.
    """
    if embedding_dim % n_heads:
        raise ValueError(
            f"embedding_dim must be a multiple of n_heads; got embedding_dim={embedding_dim} and "
            f"n_heads={n_heads}."
        )


def check_layers(hidden_layer_sizes: Any) -> tuple[int, ...]:
    """Return the hidden layers as a tuple.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        The parameter.

    Returns
    -------
    sizes : tuple of int
        At least one, each at least 1.

    Raises
    ------
    ValueError
        If there is no layer, or one without units.
    """
    one = isinstance(hidden_layer_sizes, Integral)
    sizes = (hidden_layer_sizes,) if one else tuple(hidden_layer_sizes)
    if not sizes or not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must be an int or a sequence of at least one int, each at least "
            f"1; got {hidden_layer_sizes!r}."
        )
    return tuple(int(size) for size in sizes)


def forbidden_features(estimator: Any, one_field: bool = False) -> NDArray[np.bool_]:
    """Return which features each task must not use.

    Parameters
    ----------
    estimator : object
        With ``forbid`` and what else that asks for, and the names of tasks and features.
    one_field : bool, default=False
        Whether all features are one field, as those of a sparse matrix.

    Returns
    -------
    forbidden : ndarray of shape (n_tasks, n_features), dtype bool
        True where a task must not use a feature.

    Raises
    ------
    ValueError
        If nothing could be guaranteed, a task or a feature is unknown, or a task would be left
        none.
    """
    if not estimator.explainable or estimator.attention != "cross":
        raise ValueError(
            'forbid can be kept only with explainable=True and attention="cross": otherwise a '
            "column reaches a task through what the tasks share, or through the other columns' "
            f"keys. Got explainable={estimator.explainable!r} and "
            f"attention={estimator.attention!r}."
        )
    if one_field:
        raise ValueError(
            "forbid keeps tasks from columns that are read side by side, but X is sparse: it is "
            "read as one field. Leave the column out of X, or pass a dense table."
        )
    tasks = list(estimator.task_names_)
    n_features = estimator.n_features_in_
    names = list(getattr(estimator, "feature_names_in_", []))
    forbidden = np.zeros((len(tasks), n_features), dtype=bool)
    for task, features in estimator.forbid.items():
        if task not in tasks:
            raise ValueError(f"forbid names the task {task!r}, but the tasks of y are {tasks}.")
        if isinstance(features, str):
            raise ValueError(f"forbid[{task!r}] must be a list of columns, got {features!r}.")
        for feature in features:
            forbidden[
                tasks.index(task), column_position(feature, names, n_features, f"forbid[{task!r}]")
            ] = True
        if forbidden[tasks.index(task)].all():
            raise ValueError(f"forbid[{task!r}] leaves the task no column to read.")
    return forbidden


def column_position(feature: Any, names: list[Any], n_features: int, parameter: str) -> int:
    """Return where a feature stands that is given by name or position.

    Parameters
    ----------
    feature : str or int
        Its name or position.
    names : list
        Names of all features; empty if they have none.
    n_features : int
        Number of features.
    parameter : str
        The parameter that names it, for the error.

    Returns
    -------
    position : int
        From 0 to ``n_features - 1``.

    Raises
    ------
    ValueError
        If there is no such feature.
    """
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    if isinstance(feature, Integral) and 0 <= int(feature) < n_features:
        return int(feature)
    known = f"the names {names} or " if names else ""
    raise ValueError(
        f"{parameter} names the column {feature!r}; columns of X have {known}positions from 0 "
        f"to {n_features - 1}."
    )


def check_unchanged(estimator: Any, built_with: dict[str, Any]) -> None:
    """Refuse parameters that were changed after what they describe was built.

    Parameters
    ----------
    estimator : object
        A fitted estimator.
    built_with : dict
        Values of the parameters when its network was built.

    Raises
    ------
    ValueError
        If one of them has another value now.
    """
    for name, then in built_with.items():
        now = getattr(estimator, name)
        if not _same(now, then):
            raise ValueError(
                f"{type(estimator).__name__} was fitted with {name}={then!r}, which is now "
                f"{now!r}: a fit that goes on from the last one cannot change it. Set it back, or "
                "start anew with fit and warm_start=False."
            )


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter mean the same: lists and tuples alike, arrays by value."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if np.isscalar(one) and np.isscalar(other):
        return bool(one == other)
    return bool(joblib.hash(one) == joblib.hash(other))


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """Undo what a failed block set on an estimator.

    Parameters
    ----------
    estimator : object
        Its attributes are afterwards what they were before, if the block raises anything.

    Yields
    ------
    None
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
