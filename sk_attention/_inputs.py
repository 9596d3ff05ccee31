"""What users pass -> columns, labels and weights, checked as scikit-learn checks them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    validate_data,
)

from ._labels import LabelColumns, keep_mixed, label_columns
from .data.columns import Column, array_columns, is_table, step_columns, table_columns, take_rows


@dataclass(frozen=True)
class Table:
    """Rows to learn from: those of weight 0 are gone.

    Attributes
    ----------
    columns : list of Column
        The features.
    labels : LabelColumns
        The tasks.
    weight : ndarray of shape (n_rows,), dtype float64
        Positive weights.
    """

    columns: list[Column]
    labels: LabelColumns
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)


def check_table(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any, *, reset: bool, name: str = ""
) -> Table:
    """Check X, y and the weights of rows together.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose features these are.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Features.
    y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
        Labels.
    sample_weight : array-like of shape (n_samples,), float or None
        Weights, not negative.
    reset : bool
        Whether the estimator learns names and number of the features, or compares them.
    name : str, default=""
        Ending of the parameters' names in errors, such as "_val".

    Returns
    -------
    table : Table
        The rows whose weight is not 0.

    Raises
    ------
    ValueError
        If X, y or the weights break a rule.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y{name} is None."
        )
    columns = check_columns(estimator, X, reset=reset)
    labels = label_columns(y)
    check_consistent_length(columns[0].values, labels.columns[0])
    weight = _check_sample_weight(
        sample_weight, columns[0].values, dtype=np.float64, ensure_non_negative=True
    )
    keep = weight > 0
    if not keep.any():
        raise ValueError(
            f"sample_weight{name} is zero for every row: at least one must be positive."
        )
    labels = replace(labels, columns=[column[keep] for column in labels.columns])
    return Table(take_rows(columns, keep), labels, weight[keep])


def check_columns(estimator: Any, X: Any, *, reset: bool) -> list[Column]:
    """Check X and take it apart.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose features these are; its ``categorical_features`` and ``text_features`` say whether an
        array may hold text.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Features; or an array of shape (n_samples, n_steps, n_channels).
    reset : bool
        Whether the estimator learns names and number of the features, or compares them.

    Returns
    -------
    columns : list of Column
        One per feature; a sparse matrix is a single column.

    Raises
    ------
    TypeError
        If X is a lazy data frame, or sparse where a dense table was fitted.
    ValueError
        If X is empty, not two-dimensional, an array of text alone, or differs from what the
        estimator was fitted on.
    """
    if issparse(X) or (not reset and estimator._table_encoder.is_sparse_):
        return [_sparse_column(estimator, X, reset=reset)]
    steps = _as_steps(X)
    if steps is not None:
        return _step_columns(estimator, steps, reset=reset)
    columns = read_columns(estimator, X, reset=reset)
    if not reset and estimator._table_encoder.n_channels_ is not None:
        raise ValueError(
            f"X has two dimensions, but {type(estimator).__name__} was fitted on an array of "
            f"{estimator.n_features_in_} steps and {estimator._table_encoder.n_channels_} channels."
        )
    dtype = getattr(columns[0].values, "dtype", None)
    chosen = estimator.categorical_features, estimator.text_features
    text = isinstance(dtype, np.dtype) and dtype.kind in "SUT"
    if text and all(own is None or isinstance(own, str) for own in chosen):
        raise ValueError(
            f"X is an array that holds text, of dtype {dtype}: name the columns of text in "
            "text_features or, where each text is a category, in categorical_features; or pass a "
            "data frame."
        )
    return columns


def _as_steps(X: Any) -> NDArray[Any] | None:
    """Return X as an array if it has three dimensions."""
    if is_table(X):
        return None
    X = _as_array(X)
    return X if isinstance(X, np.ndarray) and X.ndim == 3 else None


def _step_columns(estimator: Any, X: NDArray[Any], *, reset: bool) -> list[Column]:
    """Check an array of three dimensions, and return its steps."""
    if not X.shape[2]:
        raise ValueError(f"X has no channel: its shape is {X.shape}.")
    options = {"allow_nd": True, "dtype": np.float64, "ensure_all_finite": "allow-nan"}
    X = validate_data(estimator, X, reset=reset, **options)
    if not reset and X.shape[2] != estimator._table_encoder.n_channels_:
        then = estimator._table_encoder.n_channels_
        raise ValueError(
            f"X has {X.shape[2]} channels, but {type(estimator).__name__} was fitted "
            + ("on a table of two dimensions." if then is None else f"with {then}.")
        )
    return step_columns(X)


def _sparse_column(estimator: Any, X: Any, *, reset: bool) -> Column:
    """Return a sparse matrix as the one column that it is read as."""
    if not reset and not estimator._table_encoder.is_sparse_:
        raise TypeError(
            f"X is a sparse matrix, but {type(estimator).__name__} was fitted on a dense table: "
            "pass X.toarray()."
        )
    X = validate_data(estimator, X, accept_sparse="csr", dtype=np.float64, reset=reset)
    X = csr_array(X)
    X.sum_duplicates()
    return Column("X", X)


def read_columns(estimator: Any, X: Any, *, reset: bool) -> list[Column]:
    """Take X apart, whatever its columns hold.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose features these are.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Features.
    reset : bool
        Whether the estimator learns names and number of the features, or compares them.

    Returns
    -------
    columns : list of Column
        One per feature.

    Raises
    ------
    TypeError
        If X is a lazy data frame.
    ValueError
        If X is empty, not two-dimensional, or differs from what the estimator was fitted on.
    """
    if is_table(X):
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        columns = table_columns(X)
        if not columns or not len(columns[0].values):
            raise ValueError(
                f"Found a table of shape {tuple(X.shape)}: {type(estimator).__name__} needs at "
                "least one row and one column."
            )
        if not reset and not hasattr(estimator, "feature_names_in_"):  # fitted on an array
            columns = [replace(own, name=f"x{place}") for place, own in enumerate(columns)]
        return columns
    X = validate_data(estimator, _as_array(X), dtype=None, ensure_all_finite=False, reset=reset)
    return array_columns(X, list(getattr(estimator, "feature_names_in_", [])))


def _as_array(X: Any) -> Any:
    """Return lists and masked arrays as arrays that lose nothing, anything else as it is."""
    if isinstance(X, (list, tuple)):
        try:
            return keep_mixed(np.asarray(X), X)
        except ValueError:  # rows of several lengths: scikit-learn says so
            return X
    if not isinstance(X, np.ma.MaskedArray):
        return X
    kind = X.dtype.kind
    dtype = np.float64 if kind in "biu" else object if kind in "SUT" else X.dtype
    values = X.data.astype(dtype)  # a copy
    values[np.ma.getmaskarray(X)] = None  # which NumPy turns into NaN or NaT
    return values
