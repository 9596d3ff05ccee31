"""Fields of several tokens: where the tasks of a fitted estimator look within them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .data.batches import Rows
from .data.columns import Column
from .data.ragged import Ragged

LEVELS = ("feature", "token")


def check_level(level: Any) -> None:
    """Refuse a level that there is not.

    Parameters
    ----------
    level : object
        The parameter.

    Raises
    ------
    ValueError
        If it is not one of `LEVELS`.
    """
    if level not in LEVELS:
        raise ValueError(f'level must be "feature" or "token"; got {level!r}.')


def token_attention(estimator: Any, columns: list[Column], rows: Rows) -> Bunch:
    """Return the attention of every token, with its name.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted one.
    columns : list of Column
        The rows as they were given.
    rows : Rows
        The same, encoded.

    Returns
    -------
    tokens : Bunch
        ``row``, ``feature``, ``token`` (n_all_tokens,) and ``weights`` (n_all_tokens, n_tasks), row
        by row and feature by feature.
    """
    net = estimator.net_
    if estimator._table_encoder.is_sparse_:
        row, feature = stored_places(estimator, rows)
        named = Bunch(row=row, feature=feature, token=stored_names(estimator, feature))
        return Bunch(**named, weights=_within(estimator, rows))
    fields = net.forward_rows(lambda inputs: net.module_.read(inputs).weights, rows)
    within = _within(estimator, rows) if estimator._table_encoder.n_bags_ else None
    named, weights = named_tokens(estimator, columns, rows, fields, within)
    return Bunch(**named, weights=weights)


def named_tokens(
    estimator: Any,
    columns: list[Column],
    rows: Rows,
    fields: NDArray[Any],
    within: NDArray[np.float64] | None,
) -> tuple[Bunch, NDArray[np.float64]]:
    """Tell what is known of fields and of the tokens within them by what users know: words.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        A fitted one, of no sparse matrix.
    columns : list of Column
        The rows as they were given.
    rows : Rows
        The same, encoded.
    fields : ndarray of shape (n_rows, n_values, n_fields)
        Values of each field that the network reads.
    within : ndarray of shape (n_tokens, n_values), or None
        Values of each token of the fields that hold several; None if there are none.

    Returns
    -------
    named : Bunch
        ``row``, ``feature`` and ``token`` (n_all_tokens,), row by row and feature by feature: a
        word each, a feature that is a single token, or "" for a field without any.
    values : ndarray of shape (n_all_tokens, n_values)
        Theirs, the same in sum as those of the fields.
    """
    encoder, parts = estimator._table_encoder, []
    features = encoder.field_features_
    n_single = len(features) - encoder.n_bags_
    for feature in np.unique(features[:n_single]):
        values = fields[..., :n_single][..., features[:n_single] == feature].sum(-1)
        parts.append(_single(np.arange(len(fields)), feature, columns[feature].name, values))
    if within is not None:
        bag = bag_of(rows)
        several = [columns[feature] for feature in features[n_single:]]
        length, ids = bag.length.cpu().numpy(), bag.parts["id"].cpu().numpy()
        for j, own in enumerate(encoder.bags.token_shares(several, length, ids)):
            feature = features[n_single + j]
            parts.append((own.row, np.full(len(own.row), feature), own.names, own.by_word(within)))
            empty = np.flatnonzero(length[:, j] == 0)
            parts.append(_single(empty, feature, "", fields[empty, :, n_single + j]))
    row, feature = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    token = np.concatenate([np.array(part[2], dtype=object) for part in parts])
    order = np.lexsort((feature, row))
    values = np.concatenate([part[3] for part in parts]).astype(np.float64)
    return Bunch(row=row[order], feature=feature[order], token=token[order]), values[order]


def sparse_attention(estimator: Any, rows: Rows) -> NDArray[np.float64]:
    """Return the attention of each row to each column of a sparse matrix.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix.
    rows : Rows
        Encoded rows.

    Returns
    -------
    weights : ndarray of shape (n_rows, n_tasks, n_features)
        Dense.
    """
    row, feature = stored_places(estimator, rows)
    weights = _within(estimator, rows)
    out = np.zeros((len(rows), weights.shape[1], estimator.n_features_in_))
    out[row, :, feature] = weights
    return out


def mean_sparse_attention(
    estimator: Any, rows: Rows, weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean over rows of the attention to each column of a sparse matrix.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix.
    rows : Rows
        Encoded rows.
    weight : ndarray of shape (n_rows,)
        Their weights.

    Returns
    -------
    weights : ndarray of shape (n_tasks, n_features)
        Rows sum to 1; all are equal if nothing is stored anywhere.
    """
    row, feature = stored_places(estimator, rows)
    total = by_column(_within(estimator, rows) * weight[row, None], feature, estimator)
    if not total.any():
        total += 1.0
    mean: NDArray[np.float64] = total / total.sum(axis=1, keepdims=True)
    return mean


def by_column(
    values: NDArray[np.float64], feature: NDArray[np.intp], estimator: Any
) -> NDArray[np.float64]:
    """Sum what is known of stored values over each column of a sparse matrix.

    Parameters
    ----------
    values : ndarray of shape (n_stored, n_tasks)
        What is known.
    feature : ndarray of shape (n_stored,)
        The column of each.
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix.

    Returns
    -------
    total : ndarray of shape (n_tasks, n_features)
        Sums.
    """
    total = np.zeros((values.shape[1], estimator.n_features_in_))
    for task, own in enumerate(values.T):
        total[task] = np.bincount(feature, own, total.shape[1])
    return total


def stored_places(estimator: Any, rows: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of each stored value that is read.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix.
    rows : Rows
        Encoded rows.

    Returns
    -------
    row, feature : ndarray of shape (n_stored,)
        Row by row, the columns increasing.
    """
    bag = bag_of(rows)
    row = np.repeat(np.arange(len(rows)), bag.length[:, 0].cpu().numpy())
    return row, estimator._table_encoder.bags.columns_[bag.parts["id"].cpu().numpy()]


def stored_names(estimator: Any, feature: NDArray[np.intp]) -> NDArray[np.object_]:
    """Return the names of columns of a sparse matrix.

    Parameters
    ----------
    estimator : BaseMultiTaskAttention
        Fitted on a sparse matrix.
    feature : ndarray of shape (n_stored,)
        Their positions.

    Returns
    -------
    names : ndarray of shape (n_stored,)
        "x0", "x1", ... if the matrix had none.
    """
    names = np.array([f"x{j}" for j in range(estimator.n_features_in_)], dtype=object)
    named: NDArray[np.object_] = getattr(estimator, "feature_names_in_", names)[feature]
    return named


def bag_of(rows: Rows) -> Ragged:
    """Return the tokens of the fields that hold several.

    Parameters
    ----------
    rows : Rows
        Encoded rows that have such fields.

    Returns
    -------
    bag : Ragged
        Their tokens.
    """
    bag = rows.inputs["bag"]
    assert isinstance(bag, Ragged)
    return bag


def rows_at_a_time(network: Any, rows: Rows) -> int:
    """Return how many rows to take at once where each token within fields is looked at.

    Parameters
    ----------
    network : TaskNetwork
        The network, which says how many rows of single tokens it would take.
    rows : Rows
        Encoded rows with fields of several tokens.

    Returns
    -------
    n_rows : int
        At least 1: so many that a batch holds about as many tokens.
    """
    n_tokens = max(int(bag_of(rows).length.sum()), len(rows))
    return max(int(network.rows_at_a_time()) * len(rows) // n_tokens, 1)


def _within(estimator: Any, rows: Rows) -> NDArray[np.float64]:
    """Return the attention of each token, end to end."""
    weights = estimator.net_.forward_rows(estimator.net_.module_.within, rows)
    return np.asarray(weights, dtype=np.float64)


def _single(
    row: NDArray[np.intp], feature: int, name: str, weights: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str], NDArray[Any]]:
    return row, np.full(len(row), feature), [name] * len(row), weights
