"""Where the tasks of a fitted estimator look within fields of several tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .data.batches import Rows
from .data.columns import Column
from .data.ragged import Ragged


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
    encoder, net = estimator._table_encoder, estimator.net_
    parts = []
    if encoder.is_sparse_:
        row, feature, weights = _stored_values(estimator, rows)
        names = np.array([f"x{j}" for j in range(estimator.n_features_in_)], dtype=object)
        token = getattr(estimator, "feature_names_in_", names)[feature]
        return Bunch(row=row, feature=feature, token=token, weights=weights)
    fields = net.forward_rows(lambda inputs: net.module_.read(inputs).weights, rows)
    features = encoder.field_features_
    n_single = len(features) - encoder.n_bags_
    for feature in np.unique(features[:n_single]):
        weights = fields[..., :n_single][..., features[:n_single] == feature].sum(-1)
        parts.append(_single(np.arange(len(fields)), feature, columns[feature].name, weights))
    if encoder.n_bags_:
        bag = rows.inputs["bag"]
        assert isinstance(bag, Ragged)
        weights = _within(estimator, rows)
        texts = [columns[feature] for feature in features[n_single:]]
        length, ids = bag.length.cpu().numpy(), bag.parts["id"].cpu().numpy()
        for j, own in enumerate(encoder.bags.token_shares(texts, length, ids)):
            feature = features[n_single + j]
            parts.append((own.row, np.full(len(own.row), feature), own.names, own.by_word(weights)))
            empty = np.flatnonzero(length[:, j] == 0)
            parts.append(_single(empty, feature, "", fields[empty, :, n_single + j]))
    row, feature = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    token = np.concatenate([np.array(part[2], dtype=object) for part in parts])
    order = np.lexsort((feature, row))
    weights = np.concatenate([part[3] for part in parts]).astype(np.float64)
    return Bunch(row=row[order], feature=feature[order], token=token[order], weights=weights[order])


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
    row, feature, weights = _stored_values(estimator, rows)
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
    row, feature, weights = _stored_values(estimator, rows)
    n_features = estimator.n_features_in_
    total = np.zeros((weights.shape[1], n_features))
    for task, own in enumerate(weights.T * weight[row]):
        total[task] = np.bincount(feature, own, n_features)
    if not total.any():
        total += 1.0
    mean: NDArray[np.float64] = total / total.sum(axis=1, keepdims=True)
    return mean


def _stored_values(
    estimator: Any, rows: Rows
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return row, column and attention of each stored value that is read."""
    bag = rows.inputs["bag"]
    assert isinstance(bag, Ragged)
    row = np.repeat(np.arange(len(rows)), bag.length[:, 0].cpu().numpy())
    feature = estimator._table_encoder.bags.columns_[bag.parts["id"].cpu().numpy()]
    return row, feature, _within(estimator, rows)


def _within(estimator: Any, rows: Rows) -> NDArray[np.float64]:
    """Return the attention of each token, end to end."""
    weights = estimator.net_.forward_rows(estimator.net_.module_.within, rows)
    return np.asarray(weights, dtype=np.float64)


def _single(
    row: NDArray[np.intp], feature: int, name: str, weights: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str], NDArray[Any]]:
    return row, np.full(len(row), feature), [name] * len(row), weights
