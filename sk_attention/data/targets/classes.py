"""Class labels <-> codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from sk_attention._labels import LabelColumns, is_missing, label_columns, observed_labels

from .encoded import EncodedTargets, all_missing, check_n_tasks, infinite, refuse_collections
from .weights import class_null_loss


class ClassEncoder:
    """Class labels of each task <-> codes 0 to n_classes - 1.

    Parameters
    ----------
    missing_label : object, default=None
        A label that means "missing" beside NaN, None and their kin.

    Attributes
    ----------
    classes_ : list of ndarray
        Sorted classes of each task.
    null_loss_ : ndarray of shape (n_tasks,)
        Cross entropy of each task if every row gets the weighted shares of its classes.
    """

    classes_: list[NDArray[Any]]
    null_loss_: NDArray[np.float64]

    def __init__(self, missing_label: Any = None) -> None:
        self.missing_label = missing_label

    def fit(
        self,
        labels: LabelColumns,
        weight: NDArray[np.float64],
        classes: Sequence[Any] | None = None,
    ) -> ClassEncoder:
        """Collect the classes of each task.

        Parameters
        ----------
        labels : LabelColumns
            The labels.
        weight : ndarray of shape (n_rows,)
            Row weights, positive.
        classes : sequence of array-like, default=None
            Classes of each task; None takes those observed.

        Returns
        -------
        self : ClassEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a task has no label at all, labels that are no classes, or none in ``classes``.
        """
        if classes is None:
            columns = zip(labels.names, labels.columns, labels.categorical, strict=True)
            self.classes_ = [self._observed_classes(*column) for column in columns]
        else:
            check_n_tasks("classes", len(classes), labels.n_tasks)
            self.classes_ = [self._given_classes(own) for own in classes]
        self.null_loss_ = class_null_loss(self.transform(labels), weight[:, None])
        return self

    def check_classes(self, classes: Sequence[Any]) -> None:
        """Refuse classes that differ from those of `fit`.

        Parameters
        ----------
        classes : sequence of array-like
            Classes of each task.

        Raises
        ------
        ValueError
            If they differ.
        """
        check_n_tasks("classes", len(classes), len(self.classes_))
        for own, known in zip(map(self._given_classes, classes), self.classes_, strict=True):
            if own.tolist() != known.tolist():
                raise ValueError(
                    f"classes={own.tolist()[:20]} is not the same as on the first call to "
                    f"partial_fit: {known.tolist()[:20]}."
                )

    def _given_classes(self, classes: Any) -> NDArray[Any]:
        """Return the sorted classes of a task; a missing label among them is none."""
        return np.unique(self._observed(label_columns(classes).columns[0])[0])

    def _observed_classes(self, name: str, column: NDArray[Any], categorical: bool) -> NDArray[Any]:
        observed = self._observed(column)[0]
        if not len(observed):
            raise ValueError(all_missing(name))
        refuse_collections(name, observed)
        if observed.dtype.kind == "f" and not np.isfinite(observed).all():
            raise ValueError(infinite(name))
        try:
            classes = np.unique(observed)
        except TypeError as error:
            types = sorted({type(label).__name__ for label in observed})
            raise ValueError(
                f"Task {name!r} of y mixes labels of types that cannot be sorted: "
                f"{', '.join(types)}. Give all labels of a task one type."
            ) from error
        if not categorical:  # whoever calls numbers categories has said that they are
            _check_discrete(name, observed)
        return classes

    def transform(self, labels: LabelColumns) -> EncodedTargets:
        """Return class codes.

        Parameters
        ----------
        labels : LabelColumns
            The labels.

        Returns
        -------
        targets : EncodedTargets
            Codes of dtype int64.

        Raises
        ------
        ValueError
            If a label is none of the task's classes.
        """
        codes = np.zeros((labels.n_samples, labels.n_tasks), dtype=np.int64)
        seen = np.zeros(codes.shape, dtype=bool)
        for task, (name, column) in enumerate(zip(labels.names, labels.columns, strict=True)):
            observed, there = self._observed(column)
            refuse_collections(name, observed)
            seen[:, task] = there
            codes[there, task] = _positions(observed, self.classes_[task], name)
        return EncodedTargets(codes, seen)

    def by_task(self, targets: EncodedTargets) -> list[NDArray[Any]]:
        """Return the targets task by task.

        Parameters
        ----------
        targets : EncodedTargets
            What `transform` returned.

        Returns
        -------
        values : list of ndarray of shape (n_rows,)
            Class codes of each task.
        """
        return list(targets.values.T)

    def inverse_transform(self, codes: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Return the labels of each task.

        Parameters
        ----------
        codes : ndarray of shape (n_rows, n_tasks), dtype int64
            Class codes.

        Returns
        -------
        labels : list of ndarray of shape (n_rows,)
            Labels in each task's own dtype.
        """
        return [own[codes[:, task]] for task, own in enumerate(self.classes_)]

    def _observed(self, column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the labels that are there, and where they are.

        Integers that had to become floats to hold a NaN become integers again.
        """
        missing = is_missing(column, self.missing_label)
        observed = observed_labels(column, missing)
        floats = missing.any() and observed.dtype.kind == "f" and np.isfinite(observed).all()
        if floats and (observed % 1 == 0).all():
            observed = observed.astype(np.int64)
        return observed, ~missing


def _check_discrete(name: str, observed: NDArray[Any]) -> None:
    try:
        check_classification_targets(observed)
    except ValueError as error:
        raise ValueError(f"In task {name!r} of y: {error}") from error


def _positions(observed: NDArray[Any], classes: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return where each label stands in the sorted ``classes``."""
    if not len(observed):
        return np.zeros(0, dtype=np.int64)
    try:
        codes = np.minimum(np.searchsorted(classes, observed), len(classes) - 1)
        unknown = np.asarray(classes[codes] != observed)
    except TypeError:  # labels of another type than the classes
        known = set(classes.tolist())
        unknown = np.array([label not in known for label in observed.tolist()])
    if unknown.any():
        found = observed.tolist()[int(unknown.argmax())]
        raise ValueError(
            f"Task {name!r} of y has the label {found!r}, which is none of its classes "
            f"{classes.tolist()[:20]}."
        )
    return codes
