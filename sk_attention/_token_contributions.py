"""What each token within fields of several tokens adds to the predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Bunch
from torch import Tensor

from ._token_reading import (
    bag_of,
    by_column,
    named_tokens,
    rows_at_a_time,
    stored_names,
    stored_places,
)
from .data.batches import Rows, Slices
from .data.columns import Column


def token_contributions(
    estimator: Any, columns: list[Column], rows: Rows
) -> tuple[Bunch, NDArray[np.float64]]:
    """Return what every token adds to the network's outputs, with its name.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted one, explainable.
    columns : list of Column
        The rows as they were given.
    rows : Rows
        The same, encoded.

    Returns
    -------
    named : Bunch
        ``row``, ``feature``, ``token`` (n_all_tokens,), as of `token_attention`; with a token for
        each column of a row of a sparse matrix that stores nothing.
    values : ndarray of shape (n_all_tokens, n_tasks, n_outputs)
        The same in sum as those of the features.
    """
    if estimator._table_encoder.is_sparse_:
        return _sparse_tokens(estimator, rows)
    fields = field_contributions(estimator, rows)
    n_rows, n_tasks, n_outputs, n_fields = fields.shape
    within = None
    if estimator._table_encoder.n_bags_:
        within = _within(estimator, rows).reshape(-1, n_tasks * n_outputs)
    flat = fields.reshape(n_rows, n_tasks * n_outputs, n_fields)
    named, values = named_tokens(estimator, columns, rows, flat, within)
    return named, values.reshape(-1, n_tasks, n_outputs)


def field_contributions(estimator: Any, rows: Rows) -> NDArray[np.float64]:
    """Return what each field that the network reads adds to its outputs, on average nothing.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted one, explainable.
    rows : Rows
        Encoded rows.

    Returns
    -------
    values : ndarray of shape (n_rows, n_tasks, n_outputs, n_fields)
        Mean 0 over the training rows.
    """
    network = estimator.net_.module_
    values = estimator.net_.forward_rows(
        lambda inputs: network.contributions(network.tokens(inputs)), rows
    )
    centred: NDArray[np.float64] = values.astype(np.float64) - estimator._mean_contributions
    return centred


def sparse_contributions(estimator: Any, rows: Rows) -> NDArray[np.float64]:
    """Return what each column of a sparse matrix adds to the network's outputs.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix, explainable.
    rows : Rows
        Encoded rows.

    Returns
    -------
    values : ndarray of shape (n_rows, n_tasks, n_outputs, n_features)
        Dense; 0 for what a row does not store, unless it stores nothing.
    """
    row, feature = stored_places(estimator, rows)
    values = _within(estimator, rows)
    out = np.zeros((len(rows), *values.shape[1:], estimator.n_features_in_))
    out[row, :, :, feature] = values
    empty = empty_rows(rows)
    out[empty] = _spread(estimator, rows, empty)
    return out


def mean_sparse_sizes(
    estimator: Any,
    rows: Rows,
    weight: NDArray[np.float64],
    size: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return the weighted mean over rows of how much each column of a sparse matrix adds.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix, explainable.
    rows : Rows
        Encoded rows.
    weight : ndarray of shape (n_rows,)
        Their weights.
    size : callable
        What is added, (n, n_tasks, n_outputs, ...) -> how much that is, (n, n_tasks, ...).

    Returns
    -------
    sizes : ndarray of shape (n_tasks, n_features)
        Means.
    """
    row, feature = stored_places(estimator, rows)
    stored = _within(estimator, rows, size)
    total = by_column(stored * weight[row, None], feature, estimator)
    empty = empty_rows(rows)
    whole = size(field_contributions(estimator, rows)[empty, ..., 0])  # n_empty K
    total += (weight[empty] @ whole)[:, None] * estimator.attention_weights_
    mean: NDArray[np.float64] = total / weight.sum()
    return mean


def empty_rows(rows: Rows) -> NDArray[np.intp]:
    """Return the positions of rows of a sparse matrix that store nothing.

    Parameters
    ----------
    rows : Rows
        Encoded rows of a sparse matrix.

    Returns
    -------
    empty : ndarray of int
        Increasing.
    """
    return np.flatnonzero(bag_of(rows).length[:, 0].cpu().numpy() == 0)


def _spread(estimator: Any, rows: Rows, empty: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what columns add to rows that store nothing (n_empty, K, C, n_features).

    That nothing is there is said by all columns together: each gets the share that it has of the
    task's attention on average.
    """
    whole = field_contributions(estimator, rows)[empty]
    shared: NDArray[np.float64] = whole * estimator.attention_weights_[:, None]
    return shared


def _sparse_tokens(estimator: Any, rows: Rows) -> tuple[Bunch, NDArray[np.float64]]:
    """Return the stored values, and all columns of rows that store nothing."""
    row, feature = stored_places(estimator, rows)
    values = _within(estimator, rows)
    empty, n_features = empty_rows(rows), estimator.n_features_in_
    spread = np.moveaxis(_spread(estimator, rows, empty), -1, 1)
    row = np.concatenate([row, np.repeat(empty, n_features)])
    feature = np.concatenate([feature, np.tile(np.arange(n_features), len(empty))])
    values = np.concatenate([values, spread.reshape(-1, *values.shape[1:])])
    order = np.argsort(row, kind="stable")
    feature = feature[order]
    token = stored_names(estimator, feature)
    return Bunch(row=row[order], feature=feature, token=token), values[order]


def _within(
    estimator: Any,
    rows: Rows,
    of_values: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda values: values,
) -> NDArray[np.float64]:
    """Return what each token of the fields of several adds, end to end; or a function of that."""
    net = estimator.net_
    mean = torch.as_tensor(estimator._mean_contributions)

    def added(inputs: Mapping[str, Tensor]) -> Tensor:
        own = net.module_.bag_contributions(inputs, mean.to(net.module_.towers.bias))
        return torch.as_tensor(of_values(own.cpu().double().numpy()))

    batches = Slices(rows, rows_at_a_time(net.module_, rows))
    out: NDArray[np.float64] = net.forward_batches(added, batches)
    return out
