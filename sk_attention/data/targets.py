"""Labels <-> codes: classes, numbers, and labels that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from sk_attention._labels import LabelColumns, is_missing, label_columns, observed_labels


@dataclass(frozen=True)
class EncodedTargets:
    """What the losses read.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_tasks)
        Class codes (int64) or standardised numbers (float64); 0 where the label is missing.
    observed : ndarray of shape (n_rows, n_tasks), dtype bool
        Where there is a label.
    """

    values: NDArray[Any]
    observed: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> EncodedTargets:
        """Return the targets of some rows.

        Parameters
        ----------
        rows : ndarray of int
            Their positions.

        Returns
        -------
        targets : EncodedTargets
            Copies.
        """
        return EncodedTargets(self.values[rows], self.observed[rows])


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
            self.classes_ = [
                self._observed_classes(name, column)
                for name, column in zip(labels.names, labels.columns, strict=True)
            ]
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

    def _observed_classes(self, name: str, column: NDArray[Any]) -> NDArray[Any]:
        observed = self._observed(column)[0]
        if not len(observed):
            raise ValueError(all_missing(name))
        if observed.dtype.kind == "f" and not np.isfinite(observed).all():
            raise ValueError(_infinite(name))
        try:
            classes = np.unique(observed)
        except TypeError as error:
            types = sorted({type(label).__name__ for label in observed})
            raise ValueError(
                f"Task {name!r} of y mixes labels of types that cannot be sorted: "
                f"{', '.join(types)}. Give all labels of a task one type."
            ) from error
        check_classification_targets(observed)
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
            seen[:, task] = there
            codes[there, task] = _positions(observed, self.classes_[task], name)
        return EncodedTargets(codes, seen)

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


class NumberEncoder:
    """Numbers of each task <-> numbers of mean 0 and variance 1.

    Attributes
    ----------
    mean_ : ndarray of shape (n_tasks,)
        Weighted mean of the observed numbers.
    scale_ : ndarray of shape (n_tasks,)
        Their weighted standard deviation, 1 where they do not vary.
    null_loss_ : ndarray of shape (n_tasks,)
        Squared error of each task if every row gets the mean: 1 after standardisation.
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    null_loss_: NDArray[np.float64]

    def fit(self, labels: LabelColumns, weight: NDArray[np.float64]) -> NumberEncoder:
        """Learn mean and scale of each task.

        Parameters
        ----------
        labels : LabelColumns
            The numbers.
        weight : ndarray of shape (n_rows,)
            Row weights, positive.

        Returns
        -------
        self : NumberEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a task has no number at all, or one that is infinite or not a number.
        """
        means, scales = [], []
        for name, column in zip(labels.names, labels.columns, strict=True):
            numbers, there = _numbers(name, column)
            if not there.any():
                raise ValueError(all_missing(name))
            mean = np.average(numbers[there], weights=weight[there])
            variance = np.average((numbers[there] - mean) ** 2, weights=weight[there])
            varies = variance > 1e-24 * mean**2
            means.append(mean)
            scales.append(np.sqrt(variance) if varies else 1.0)
        self.mean_, self.scale_ = np.array(means), np.array(scales)
        self.null_loss_ = np.ones(labels.n_tasks)
        return self

    def transform(self, labels: LabelColumns) -> EncodedTargets:
        """Return standardised numbers.

        Parameters
        ----------
        labels : LabelColumns
            The numbers.

        Returns
        -------
        targets : EncodedTargets
            Values of dtype float64.
        """
        pairs = [
            _numbers(name, column)
            for name, column in zip(labels.names, labels.columns, strict=True)
        ]
        observed = np.column_stack([there for _, there in pairs])
        numbers = np.column_stack([own for own, _ in pairs])
        return EncodedTargets(
            np.where(observed, (numbers - self.mean_) / self.scale_, 0.0), observed
        )

    def inverse_transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers on the scale of the labels.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_tasks)
            Standardised numbers.

        Returns
        -------
        numbers : ndarray of shape (n_rows, n_tasks), dtype float64
            Predictions.
        """
        numbers: NDArray[np.float64] = values * self.scale_ + self.mean_
        return numbers


def label_weights(
    observed: NDArray[np.bool_], row_weight: NDArray[np.float64], null_loss: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""Return the weight of every label, scaled so that tasks count alike.

    .. math:: W_{bi} = \frac{w_b\,[b \text{ observed for } i]}{L^0_i} \cdot
              \frac{n}{\sum_c w_c\,[c \text{ observed for } i]}

    A task's loss is then the share of its null loss :math:`L^0_i`, the loss without looking at the
    features: 1 where nothing is learned, however rare a class is and however many labels are
    missing.

    Parameters
    ----------
    observed : ndarray of shape (n_rows, n_tasks), dtype bool
        Where there is a label.
    row_weight : ndarray of shape (n_rows,) or (n_rows, n_tasks)
        Sample weights, multiplied by class weights if there are any.
    null_loss : ndarray of shape (n_tasks,)
        Null loss of each task, positive.

    Returns
    -------
    weight : ndarray of shape (n_rows, n_tasks)
        W; zeros for a task without labels.
    """
    weight = observed * (row_weight if row_weight.ndim == 2 else row_weight[:, None])
    total = weight.sum(axis=0) * null_loss
    scaled: NDArray[np.float64] = weight * (len(weight) / np.where(total > 0, total, 1.0))
    return scaled


def class_weight_factors(
    class_weight: Any,
    targets: EncodedTargets,
    classes: Sequence[NDArray[Any]],
    row_weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the factor by which ``class_weight`` scales the weight of each label.

    Parameters
    ----------
    class_weight : dict, "balanced", or list of these or None
        One for all tasks, or one per task.
    targets : EncodedTargets
        Class codes.
    classes : sequence of ndarray
        Classes of each task.
    row_weight : ndarray of shape (n_rows,)
        Sample weights: "balanced" counts with them.

    Returns
    -------
    factors : ndarray of shape (n_rows, n_tasks)
        1 where the task has no class weight.

    Raises
    ------
    ValueError
        If a list has another length than there are tasks, a dictionary has a key that is no class
        or a negative weight, or an entry is something else.
    """
    per_task = class_weight if isinstance(class_weight, list) else [class_weight] * len(classes)
    check_n_tasks("class_weight", len(per_task), len(classes))
    every_class = {label for own in classes for label in own.tolist()}
    factors = np.ones(targets.values.shape)
    for task, (own, task_classes) in enumerate(zip(per_task, classes, strict=True)):
        own_classes = set(task_classes.tolist()) if per_task is class_weight else every_class
        _check_class_weight(own, own_classes)
        if own is None:
            continue
        seen = targets.observed[:, task]
        codes = targets.values[seen, task]
        if isinstance(own, Mapping):
            by_class = np.array([own.get(label, 1.0) for label in task_classes.tolist()])
        else:
            by_class = _balanced(codes, row_weight[seen], len(task_classes))
        factors[seen, task] = by_class[codes]
    return factors


def _check_class_weight(class_weight: Any, classes: set[Any]) -> None:
    if not isinstance(class_weight, Mapping):
        if class_weight is None or class_weight == "balanced":
            return
        raise ValueError(
            f"class_weight of a task must be a dict, 'balanced' or None, got {class_weight!r}."
        )
    unknown = [label for label in class_weight if label not in classes]
    # as scikit-learn: keys for classes that a fold lacks are welcome, a mistyped one is not
    if unknown and not classes <= set(class_weight):
        raise ValueError(f"class_weight has the key {unknown[0]!r}, which is no class of y.")
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                "class_weight must be a number that is not negative or infinite, got "
                f"{weight!r} for {label!r}."
            )
    if class_weight and not any(class_weight.get(label, 1.0) for label in classes):
        raise ValueError("class_weight is zero for every class: at least one must count.")


def _balanced(codes: NDArray[Any], weight: NDArray[np.float64], n_classes: int) -> Any:
    """Return n / (n_classes x class total), in weights instead of rows."""
    total = np.bincount(codes, weights=weight, minlength=n_classes)
    return total.sum() / (n_classes * np.where(total > 0, total, 1.0))


def class_null_loss(targets: EncodedTargets, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of each task's weighted classes, in nats.

    Parameters
    ----------
    targets : EncodedTargets
        Class codes.
    weight : ndarray of shape (n_rows, 1) or (n_rows, n_tasks)
        Weight of each label.

    Returns
    -------
    null_loss : ndarray of shape (n_tasks,)
        Positive: 1 for a task with a single class.
    """
    weight = np.broadcast_to(weight, targets.values.shape)
    losses = []
    for codes, seen, own in zip(targets.values.T, targets.observed.T, weight.T, strict=True):
        total = np.bincount(codes[seen], weights=own[seen])
        share = total[total > 0] / max(total.sum(), 1e-300)
        entropy = -float(np.sum(share * np.log(share)))
        losses.append(entropy if entropy > 0.0 else 1.0)
    return np.array(losses)


def check_n_tasks(parameter: str, n_given: int, n_tasks: int) -> None:
    """Refuse a list that has not one entry per task.

    Parameters
    ----------
    parameter : str
        What was given.
    n_given : int
        Its length.
    n_tasks : int
        The length it must have.

    Raises
    ------
    ValueError
        If the two differ.
    """
    if n_given != n_tasks:
        raise ValueError(f"{parameter} must have one entry per task, {n_tasks}; got {n_given}.")


def all_missing(name: str) -> str:
    """Return the sentence for a task without a label.

    Parameters
    ----------
    name : str
        The task.

    Returns
    -------
    sentence : str
        What is wrong.
    """
    return (
        f"Task {name!r} of y has no observed label: every label is missing. Give it at least one "
        "label, or leave the task out."
    )


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


def _numbers(name: str, column: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    missing = is_missing(column)
    numbers = np.zeros(len(column))
    try:
        numbers[~missing] = column[~missing].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Task {name!r} of y must hold numbers: {error}.") from error
    if not np.isfinite(numbers).all():
        raise ValueError(_infinite(name))
    return numbers, ~missing


def _infinite(name: str) -> str:
    return f"Input y contains infinity or a value too large for dtype('float64') in task {name!r}."
