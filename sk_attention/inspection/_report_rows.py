"""The rows that a report shows: their cells, predictions, labels, and what the tasks read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import is_missing
from sk_attention.data.columns import Column

from ._answers import Answers, per_task
from ._page import pack, rounded
from ._skill import Floats

MAX_LETTERS = 120


def shown_rows(
    estimator: Any, X: Any, answers: list[Answers], names: list[str], shown: NDArray[np.intp]
) -> dict[str, Any]:
    """Return what a report holds of each row.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted estimator.
    X : array-like or DataFrame of shape (n_samples, n_features)
        The rows.
    answers : list of Answers
        Predictions and labels of the same rows.
    names : list of str
        Names of the rows.
    shown : ndarray of int
        Positions of the columns that are shown; of the others there is the sum.

    Returns
    -------
    rows : dict
        For the page.
    """
    columns: Sequence[Column] = estimator._read_rows(X)[1]
    attention = list(np.moveaxis(estimator.attend(X), 1, 0))
    explained: list[Any] = [None] * len(answers)
    if estimator.explainable:
        explained = _explained(estimator, X, answers)
    return {
        "names": [short(name) for name in names],
        "cells": [_cells(columns[position]) for position in shown],
        "tasks": [
            {
                **_answered(own),
                "attention": pack(with_others(weights, shown)),
                "contributions": None if parts is None else pack(with_others(parts.added, shown)),
                "start": None if parts is None else parts.start,
                "explained": None if parts is None else parts.explained,
            }
            for own, weights, parts in zip(answers, attention, explained, strict=True)
        ],
    }


def with_others(values: Floats, shown: NDArray[np.intp]) -> Floats:
    """Return the values of some columns, and behind them the sum of the others, if there are any.

    Parameters
    ----------
    values : ndarray of shape (..., n_columns)
        One value per column.
    shown : ndarray of int
        Positions of the columns to keep.

    Returns
    -------
    values : ndarray of shape (..., n_shown) or (..., n_shown + 1)
        Their sum is the same.
    """
    kept: Floats = values[..., shown]
    if len(shown) == values.shape[-1]:
        return kept
    rest = np.delete(values, shown, axis=-1).sum(axis=-1, keepdims=True)
    return np.concatenate([kept, rest], axis=-1)


def short(value: Any) -> str:
    """Return a value as text that is not too long to be shown.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    text : str
        120 letters at the most.
    """
    text = str(value)
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"


class Parts(NamedTuple):
    """What columns add to a prediction (n_rows, n_columns), and where that starts from.

    Of several classes it is the predicted one that is explained, of a set the label that is most
    probable: ``explained`` is its position in each row, None where there is nothing to choose.
    """

    added: Floats
    start: list[float]
    explained: list[int] | None


def _explained(estimator: Any, X: Any, answers: list[Answers]) -> list[Parts]:
    """Return the contributions to what is predicted, task by task."""
    explained = estimator.contributions(X)
    starts = [explained.intercept] if estimator._one_dimensional else list(explained.intercept)
    parts = []
    for own, values, start in zip(
        answers, per_task(estimator, explained.contributions), starts, strict=True
    ):
        chosen = None
        if values.ndim == 3:
            assert own.probabilities is not None
            chosen = own.probabilities.argmax(axis=1).tolist()
            values = values[np.arange(len(values)), chosen]
        start = np.atleast_1d(np.asarray(start, dtype=np.float64)).tolist()
        parts.append(Parts(values, start, chosen))
    return parts


def _answered(own: Answers) -> dict[str, Any]:
    """Return predictions and labels: numbers, or positions among the classes."""
    answered = {
        "kind": own.kind,
        "classes": None if own.classes is None else [short(name) for name in own.class_names],
        "sure": None,
    }
    if own.kind == "multilabel":
        observed: Any = [
            row if seen else None
            for row, seen in zip(_members(own.observed), own.seen, strict=True)
        ]
        return {**answered, "predicted": _members(own.predicted), "observed": observed}
    observed = own.observed.astype(object)
    observed[~own.seen] = None
    if own.probabilities is not None:
        sure = own.probabilities[np.arange(len(own.predicted)), own.predicted]
        answered["sure"] = np.round(sure, 3)
    return {**answered, "predicted": own.predicted, "observed": observed}


def _members(sets: NDArray[np.int64]) -> list[list[int]]:
    """Return the positions of the labels that are in each set."""
    return [np.flatnonzero(row).tolist() for row in sets]


def _cells(column: Column) -> dict[str, Any]:
    """Return the values of a column: numbers, or texts and which of them each row has."""
    boolean = str(getattr(column.values, "dtype", "")).lower().startswith("bool")
    if column.kind == "number" and not boolean:
        numbers = column.as_numbers()
        return {"numbers": [None if np.isnan(own) else rounded(own) for own in numbers.tolist()]}
    texts: list[str | None]
    if column.kind == "steps":
        texts = [", ".join(f"{own:.3g}" for own in step) for step in column.values]
    else:
        texts = [_text(value) for value in column.as_objects()]
    codes: dict[Any, int] = {}
    places = [None if own is None else codes.setdefault(own, len(codes)) for own in texts]
    return {"texts": list(codes), "codes": places}


def _text(value: Any) -> str | None:
    if value is None or (np.ndim(value) == 0 and is_missing(np.array([value], dtype=object))[0]):
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, list | tuple | np.ndarray):
        return short(", ".join(map(str, value)))
    return short(value)
