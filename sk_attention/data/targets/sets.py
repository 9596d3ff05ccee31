"""Sets of labels <-> one column of zeros and ones per label."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import LabelColumns, is_collection, is_missing

from .encoded import EncodedTargets, all_missing

Container = type[list[Any]] | type[tuple[Any, ...]] | type[set[Any]] | type[frozenset[Any]]
CONTAINERS: tuple[Container, ...] = (list, tuple, set, frozenset)


class SetEncoder:
    """The set of labels of one task <-> ones where a label is in the set.

    A missing set is one that nobody knows, unlike an empty one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        Sorted labels.
    container_ : type
        What a set is given as: list, tuple, set or frozenset, as the first one observed.
    null_loss_ : float
        Cross entropy of a set if every row gets the weighted share of each label, summed over the
        labels; 1 where none varies.
    """

    classes_: NDArray[Any]
    container_: Container
    null_loss_: float

    def fit(
        self, labels: LabelColumns, weight: NDArray[np.float64], classes: Any = None
    ) -> SetEncoder:
        """Collect the labels.

        Parameters
        ----------
        labels : LabelColumns
            One task.
        weight : ndarray of shape (n_rows,)
            Row weights, positive.
        classes : array-like of shape (n_labels,), default=None
            All labels there will be; None takes those observed.

        Returns
        -------
        self : SetEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If no set is observed or all are empty, an entry is no set, or labels cannot be sorted
            or are none of ``classes``.
        """
        (name,) = labels.names
        cells, _ = _observed(labels)
        if not cells:
            raise ValueError(all_missing(name))
        self.container_ = next((own for own in CONTAINERS if isinstance(cells[0], own)), list)
        self.classes_ = _sorted(name, chain(*cells) if classes is None else classes)
        if not len(self.classes_):
            raise ValueError(f"Task {name!r} of y has empty sets only: there is no label to learn.")
        targets = self.transform(labels)
        there = targets.observed[:, 0]
        share = np.average(targets.values[there], axis=0, weights=weight[there])
        share = np.stack([share, 1.0 - share])
        entropy = -float(np.sum(share * np.log(np.where(share > 0, share, 1.0))))
        self.null_loss_ = entropy if entropy > 0.0 else 1.0
        return self

    def transform(self, labels: LabelColumns) -> EncodedTargets:
        """Return which labels are in each set.

        Parameters
        ----------
        labels : LabelColumns
            One task.

        Returns
        -------
        targets : EncodedTargets
            Zeros and ones (n_rows, n_labels) of dtype int64, ``observed`` (n_rows, 1).

        Raises
        ------
        ValueError
            If an entry is no set, or a label is none of ``classes_``.
        """
        (name,) = labels.names
        cells, there = _observed(labels)
        code = {label: number for number, label in enumerate(self.classes_.tolist())}
        flat = [code.get(label, -1) for label in chain(*cells)]
        if -1 in flat:
            found = list(chain(*cells))[flat.index(-1)]
            raise ValueError(
                f"Task {name!r} of y has a set with the label {found!r}, which is none of its "
                f"classes {self.classes_.tolist()[:20]}."
            )
        rows = np.repeat(np.flatnonzero(there), [len(cell) for cell in cells])
        values = np.zeros((labels.n_samples, len(self.classes_)), dtype=np.int64)
        values[rows, flat] = 1
        return EncodedTargets(values, there[:, None])

    def inverse_transform(self, values: NDArray[np.bool_]) -> NDArray[Any]:
        """Return sets, of the kind that `fit` met first.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_labels), dtype bool
            Which labels are in each set.

        Returns
        -------
        sets : ndarray of shape (n_rows,), dtype object
            Labels in the order of ``classes_``, where the kind has an order.
        """
        rows, codes = np.nonzero(values)
        labels = self.classes_[codes].tolist()
        ends = np.searchsorted(rows, np.arange(len(values)), side="right").tolist()
        sets = np.empty(len(values), dtype=object)
        for row, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            sets[row] = self.container_(labels[start:end])
        return sets


def _observed(labels: LabelColumns) -> tuple[list[Sequence[Any]], NDArray[np.bool_]]:
    """Return the sets that are there, and where they are."""
    (name,), (column,) = labels.names, labels.columns
    there = ~is_missing(column)
    cells = [own.tolist() if isinstance(own, np.ndarray) else own for own in column[there]]
    for cell in cells:
        if not is_collection(cell):
            raise ValueError(
                f"Task {name!r} of y must hold sets of labels, as lists, tuples or sets; got "
                f"{cell!r} of type {type(cell).__name__}."
            )
    return cells, there


def _sorted(name: str, labels: Any) -> NDArray[Any]:
    """Return distinct labels, sorted; none of them may be missing."""
    labels = list(labels)
    if any(is_collection(label) for label in labels):
        raise ValueError(
            f"The sets of task {name!r} of y must hold labels, not collections of these; got "
            f"{next(filter(is_collection, labels))!r}."
        )
    if is_missing(np.fromiter(labels, dtype=object, count=len(labels))).any():
        raise ValueError(f"A set of task {name!r} of y holds a missing label: leave it out.")
    try:
        distinct = sorted(set(labels))
    except TypeError as error:
        raise ValueError(
            f"The labels in the sets of task {name!r} of y cannot be sorted: {error}. Give all of "
            "them one type, such as str."
        ) from error
    return np.array(distinct)
