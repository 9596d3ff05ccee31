"""What labels look like: any y taken apart into one column per task."""

import sys
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning

from ._warnings import warn


@dataclass(frozen=True)
class LabelColumns:
    """The labels of every task, one 1-D array each.

    Attributes
    ----------
    columns : list of ndarray of shape (n_samples,)
        The labels of each task in their own dtype. Nullable integers and booleans in which
        something is missing are object arrays, so that the labels stay integers or booleans.
    names : list of str
        What the tasks are called, without repetition.
    one_dimensional : bool
        Whether y held one task as a plain vector (a column vector counts as one).
    categorical : list of bool
        Which tasks are categories by the dtype of a Series or DataFrame.
    frame : str or None
        The library of the DataFrame that y was, such as "pandas"; None if it was none.
    """

    columns: list[np.ndarray]
    names: list[str]
    one_dimensional: bool
    categorical: list[bool]
    frame: str | None

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return len(self.columns[0])

    @property
    def n_tasks(self) -> int:
        """Number of columns."""
        return len(self.columns)


def label_columns(y: Any, *, warn_on_column_vector: bool = True) -> LabelColumns:
    """Take y apart into one column per task.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        A list, a NumPy array, a Series or DataFrame of pandas, polars or pyarrow, or anything
        with ``__array__``. Entries hidden by a masked array are missing labels. An entry of a
        Series, a DataFrame or an array of objects may be a collection of labels.
    warn_on_column_vector : bool, default=True
        Whether to warn when y has the shape (n_samples, 1). It is read as a vector either way.

    Returns
    -------
    labels : LabelColumns
        Columns, names and shape of y. Names come from a DataFrame whose column names are all
        strings, or from a named Series; otherwise they are "y" for a vector and "y0", "y1", ...
        for several tasks.

    Raises
    ------
    TypeError
        If y is sparse.
    ValueError
        If y is complex, a ragged list, without columns, neither one- nor two-dimensional, or a
        DataFrame in which two columns share a name.

    Examples
    --------
    >>> from sk_attention._labels import label_columns
    >>> labels = label_columns([["cat", 3], ["dog", None]])
    >>> labels.names, labels.n_samples
    (['y0', 'y1'], 2)
    >>> labels.columns[1]
    array([3, None], dtype=object)
    """
    if issparse(y):
        raise TypeError("Sparse data was passed for y, but dense labels are required.")
    try:
        native = nw.from_native(y, pass_through=True, allow_series=True, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        raise ValueError("y is a DataFrame in which two columns share a name.") from error
    if isinstance(native, (nw.Series, nw.DataFrame)):
        ndim = 1 if isinstance(native, nw.Series) else 2
        series = [native] if isinstance(native, nw.Series) else list(native.iter_columns())
        columns = [_series_values(own) for own in series]
        names: list[Any] = [own.name for own in series]
        categorical = [isinstance(own.dtype, (nw.Categorical, nw.Enum)) for own in series]
    else:
        array = _to_array(y)
        ndim = array.ndim
        columns = [array] if ndim == 1 else list(array.T)
        names, categorical = [None] * len(columns), [False] * len(columns)
    _check_columns(columns)
    if ndim == 2 and len(columns) == 1 and warn_on_column_vector:
        warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
        )
    frame = native.implementation.value if isinstance(native, nw.DataFrame) else None
    return LabelColumns(columns, _task_names(names), len(columns) == 1, categorical, frame)


def take_tasks(y: Any, tasks: list[int]) -> Any:
    """Return some of the tasks of y, as a table.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        As in `label_columns`.
    tasks : list of int
        Their positions.

    Returns
    -------
    y : DataFrame or ndarray of shape (n_samples, n_taken); y itself if it is a vector
        Labels, in the same order.

    Examples
    --------
    >>> from sk_attention._labels import take_tasks
    >>> take_tasks([["cat", 3], ["dog", None]], [1])
    array([[3],
           [None]], dtype=object)
    """
    native = nw.from_native(y, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.Series):
        return y
    if isinstance(native, nw.DataFrame):
        return native.select([native.columns[task] for task in tasks]).to_native()
    array = _to_array(y)
    return array if array.ndim == 1 else array[:, tasks]


def is_missing(column: np.ndarray, missing_label: Any = None) -> np.ndarray:
    """Tell which labels are missing.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        The labels of one task.
    missing_label : object, default=None
        A label which means "missing" besides None, NaN, NaT and ``pandas.NA``, which always do.

    Returns
    -------
    missing : ndarray of shape (n_samples,) and dtype bool
        True where there is no label.

    Raises
    ------
    ValueError
        If ``missing_label`` is a list or an array.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention._labels import is_missing
    >>> is_missing(np.array([0.0, np.nan, -1.0]), missing_label=-1)
    array([False,  True,  True])
    """
    if isinstance(missing_label, (list, tuple, set, dict, np.ndarray)):
        raise ValueError(f"missing_label must be a single label, got {missing_label!r}.")
    missing = _is_null(column)
    if not _is_null(np.array([missing_label], dtype=object))[0]:
        present = ~missing
        missing[present] = column[present] == missing_label
    return missing


def keep_mixed(array: np.ndarray, values: Any) -> np.ndarray:
    """Undo NumPy's turning of numbers and NaN beside strings into strings.

    Parameters
    ----------
    array : ndarray
        What NumPy made of the values.
    values : list or tuple
        The values, nested as deeply as the array has dimensions.

    Returns
    -------
    array : ndarray
        The same array, or one of objects if it holds text where there was something else.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention._labels import keep_mixed
    >>> values = ["a", 1]
    >>> keep_mixed(np.asarray(values), values)
    array(['a', 1], dtype=object)
    """
    if array.dtype.kind not in "US":
        return array
    objects = np.array(values, dtype=object)
    return array if all(isinstance(value, (str, bytes)) for value in objects.flat) else objects


def observed_labels(column: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Keep the labels that are there, as numbers where an object array holds nothing else.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        The labels of one task.
    missing : ndarray of shape (n_samples,) and dtype bool
        What `is_missing` returned.

    Returns
    -------
    observed : ndarray of shape (n_observed,)
        Object columns of integers, booleans or floats become arrays of that dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention._labels import is_missing, observed_labels
    >>> column = np.array([2, None, 1], dtype=object)
    >>> observed_labels(column, is_missing(column))
    array([2, 1])
    """
    observed = column[~missing]
    if observed.dtype != object or not len(observed):
        return observed
    types = set(map(type, observed))
    numbers = (int, float, np.integer, np.floating)
    booleans = (bool, np.bool_)
    if all(issubclass(kind, booleans) for kind in types) or all(
        issubclass(kind, numbers) and not issubclass(kind, booleans) for kind in types
    ):
        return np.array(observed.tolist())
    return observed


def _series_values(series: nw.Series) -> np.ndarray:
    """Values of a dataframe library's column; integers with gaps stay integers, lists lists."""
    if isinstance(series.dtype, (nw.List, nw.Array)):
        return _cells(series.to_list())
    values = series.to_numpy()
    if not (series.dtype.is_integer() and values.dtype.kind == "f"):
        return values
    filled = series.fill_null(0).to_numpy().astype(object)
    filled[np.isnan(values)] = None
    return filled


def _cells(values: list[Any]) -> np.ndarray:
    """Array of objects, whatever they are."""
    return np.fromiter(values, dtype=object, count=len(values))


def is_collection(label: Any) -> bool:
    """Tell whether a label is in truth a collection of labels.

    Parameters
    ----------
    label : object
        An entry of y.

    Returns
    -------
    collection : bool
        True for lists, tuples, sets and arrays.

    Examples
    --------
    >>> from sk_attention._labels import is_collection
    >>> is_collection({"sports", "politics"}), is_collection("sports")
    (True, False)
    """
    return isinstance(label, (list, tuple, set, frozenset, np.ndarray))


def _to_array(y: Any) -> np.ndarray:
    """One- or two-dimensional array of lists, arrays and array-likes."""
    try:
        array = _unmasked(y) if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    except ValueError as error:
        raise ValueError(
            "y is ragged: every row must have the same number of labels. Sets of labels go into a "
            "Series, a column of a DataFrame or an array of objects."
        ) from error
    if isinstance(y, (list, tuple)):
        array = keep_mixed(array, y)
    if array.ndim not in (1, 2):
        raise ValueError(
            "y must have the shape (n_samples,) or (n_samples, n_tasks), "
            f"got {type(y).__name__} with {array.ndim} dimensions."
        )
    return array


def _unmasked(y: np.ma.MaskedArray) -> np.ndarray:
    """Put None where a masked array hides a label."""
    if not np.ma.is_masked(y):
        return y.data
    array = y.data.astype(object)
    array[np.ma.getmaskarray(y)] = None
    return array


def _check_columns(columns: list[np.ndarray]) -> None:
    if not columns:
        raise ValueError("y has no columns: at least one task is needed.")
    for column in columns:
        if column.dtype.kind == "c":
            raise ValueError("Complex data not supported: y holds complex numbers.")


def default_names(n_tasks: int) -> list[str]:
    """Name tasks that came without names.

    Parameters
    ----------
    n_tasks : int
        Number of tasks.

    Returns
    -------
    names : list of str
        "y" for a single task, else "y0", "y1", ...
    """
    return ["y"] if n_tasks == 1 else [f"y{j}" for j in range(n_tasks)]


def _task_names(names: list[Any]) -> list[str]:
    if all(isinstance(name, str) and name for name in names):
        return list(names)
    return default_names(len(names))


def _is_null(column: np.ndarray) -> np.ndarray:
    kind = column.dtype.kind
    if kind == "f":
        return np.isnan(column)
    if kind in "mM":
        return np.isnat(column)
    if kind != "O":
        return np.zeros(len(column), dtype=bool)
    pandas = sys.modules.get("pandas")
    if pandas is not None:  # where pandas was never imported, there can be no pandas.NA
        return np.asarray(pandas.isna(column), dtype=bool)
    return np.asarray((column != column) | (column == None), dtype=bool)  # noqa: E711
