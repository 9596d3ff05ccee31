"""Tasks of several kinds in one table of targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_attention._labels import LabelColumns

from .classes import ClassEncoder
from .encoded import EncodedTargets, check_n_tasks
from .numbers import NumberEncoder
from .sets import SetEncoder
from .weights import class_null_loss, class_weight_factors

TaskEncoder = ClassEncoder | NumberEncoder | SetEncoder


class MixedEncoder:
    """Classes, numbers and sets of labels <-> one table of float64, each task by its own kind.

    A class takes one column, its code; a number one; a set of labels one per label, 0 or 1.

    Parameters
    ----------
    types : sequence of str
        "classification", "regression" or "multilabel" for each task.
    missing_label : object, default=None
        A class label that means "missing" beside NaN, None and their kin.

    Attributes
    ----------
    encoders_ : list of ClassEncoder, NumberEncoder or SetEncoder
        The encoder of each task, of which each knows this one task.
    null_loss_ : ndarray of shape (n_tasks,)
        Loss of each task if every row gets the same answer.
    """

    encoders_: list[TaskEncoder]
    null_loss_: NDArray[np.float64]

    def __init__(self, types: Sequence[str], missing_label: Any = None) -> None:
        self.types = types
        self.missing_label = missing_label

    def fit(
        self,
        labels: LabelColumns,
        weight: NDArray[np.float64],
        classes: Sequence[Any] | None = None,
    ) -> MixedEncoder:
        """Fit the encoder of each task.

        Parameters
        ----------
        labels : LabelColumns
            The labels.
        weight : ndarray of shape (n_rows,)
            Row weights, positive.
        classes : sequence of array-like or None, default=None
            Classes, or labels of the sets, of each task; None for those observed, and for numbers.

        Returns
        -------
        self : MixedEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            As the encoders of one kind raise it; or if ``classes`` are given for numbers.
        """
        given = [None] * labels.n_tasks if classes is None else list(classes)
        check_n_tasks("classes", len(given), labels.n_tasks)
        self.encoders_ = []
        for task, kind, own in zip(self._one_by_one(labels), self.types, given, strict=True):
            if kind == "regression":
                _refuse_classes(task.names[0], own)
                self.encoders_.append(NumberEncoder().fit(task, weight))
            elif kind == "multilabel":
                self.encoders_.append(SetEncoder().fit(task, weight, own))
            else:
                encoder = ClassEncoder(self.missing_label)
                known = None if own is None else [own]
                self.encoders_.append(encoder.fit(task, weight, known))
        self.null_loss_ = np.concatenate([np.ravel(own.null_loss_) for own in self.encoders_])
        return self

    def transform(self, labels: LabelColumns) -> EncodedTargets:
        """Return the table of targets.

        Parameters
        ----------
        labels : LabelColumns
            The labels.

        Returns
        -------
        targets : EncodedTargets
            Values (n_rows, n_columns) of dtype float64, ``observed`` (n_rows, n_tasks).

        Raises
        ------
        ValueError
            As the encoders of one kind raise it.
        """
        pairs = zip(self.encoders_, self._one_by_one(labels), strict=True)
        parts = [encoder.transform(task) for encoder, task in pairs]
        values = np.hstack([part.values for part in parts]).astype(np.float64)
        return EncodedTargets(values, np.hstack([part.observed for part in parts]))

    def by_task(self, targets: EncodedTargets) -> list[NDArray[Any]]:
        """Return the targets task by task, each in the dtype of its kind.

        Parameters
        ----------
        targets : EncodedTargets
            What `transform` returned.

        Returns
        -------
        values : list of ndarray of shape (n_rows,) or (n_rows, n_labels)
            Class codes (int64), standardised numbers (float64), or zeros and ones (int64).
        """
        parts = np.hsplit(targets.values, np.cumsum(self.n_columns)[:-1])
        return [_own_dtype(part, kind) for part, kind in zip(parts, self.types, strict=True)]

    def class_factors(
        self, class_weight: Any, targets: EncodedTargets, row_weight: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the factor by which ``class_weight`` scales the weight of each label.

        Parameters
        ----------
        class_weight : dict, "balanced", or list of these or None
            One for all tasks of classes, or one per task, None for those of other kinds.
        targets : EncodedTargets
            What `transform` returned.
        row_weight : ndarray of shape (n_rows,)
            Sample weights.

        Returns
        -------
        factors : ndarray of shape (n_rows, n_tasks)
            1 where the task has no class weight.

        Raises
        ------
        ValueError
            As `class_weight_factors`; or if no task is of classes, or an entry is for another kind.
        """
        tasks, codes = self._class_targets(targets)
        if not tasks:
            raise ValueError(f"class_weight is about classes, but the tasks of y are {self.types}.")
        if isinstance(class_weight, list):
            check_n_tasks("class_weight", len(class_weight), len(self.types))
            for own, kind in zip(class_weight, self.types, strict=True):
                if own is not None and kind != "classification":
                    raise ValueError(
                        f"class_weight of a task of type {kind!r} must be None, got {own!r}."
                    )
            class_weight = [class_weight[task] for task in tasks]
        factors = np.ones(targets.observed.shape)
        classes = [self.classes_[task] for task in tasks]
        factors[:, tasks] = class_weight_factors(class_weight, codes, classes, row_weight)
        return factors

    def expect_classes(self, targets: EncodedTargets, weight: NDArray[np.float64]) -> None:
        """Let the null loss of classes be that of weighted labels.

        Parameters
        ----------
        targets : EncodedTargets
            What `transform` returned.
        weight : ndarray of shape (n_rows, n_tasks)
            Weight of each label.
        """
        tasks, codes = self._class_targets(targets)
        self.null_loss_[tasks] = class_null_loss(codes, weight[:, tasks])

    def _one_by_one(self, labels: LabelColumns) -> list[LabelColumns]:
        """Return the labels of each task alone; those of classes are categories by now."""
        return [
            replace(labels, columns=[column], names=[name], categorical=[kind == "classification"])
            for name, column, kind in zip(labels.names, labels.columns, self.types, strict=True)
        ]

    def _class_targets(self, targets: EncodedTargets) -> tuple[list[int], EncodedTargets]:
        """Return which tasks are of classes, and their codes."""
        tasks = [task for task, kind in enumerate(self.types) if kind == "classification"]
        by_task = self.by_task(targets)
        codes = [by_task[task][:, None] for task in tasks]
        values = np.hstack(codes) if codes else np.zeros((len(targets.observed), 0), np.int64)
        return tasks, EncodedTargets(values, targets.observed[:, tasks])

    @property
    def n_columns(self) -> list[int]:
        """How many columns of the table belong to each task."""
        return [len(own.classes_) if isinstance(own, SetEncoder) else 1 for own in self.encoders_]

    @property
    def classes_(self) -> list[Any]:
        """Classes, or labels of the sets, of each task; None for a number."""
        return [_classes(own) for own in self.encoders_]

    def check_classes(self, classes: Sequence[Any]) -> None:
        """Refuse classes that differ from those of `fit`.

        Parameters
        ----------
        classes : sequence of array-like or None
            Classes of each task.

        Raises
        ------
        ValueError
            If they differ.
        """
        check_n_tasks("classes", len(classes), len(self.encoders_))
        for own, known in zip(classes, self.classes_, strict=True):
            given = None if own is None else np.unique(own).tolist()
            then = None if known is None else known.tolist()
            if given != then:
                raise ValueError(
                    f"classes={given} is not the same as on the first call to partial_fit: {then}."
                )


def _refuse_classes(name: str, classes: Any) -> None:
    if classes is not None:
        raise ValueError(
            f"classes must be None for task {name!r}, whose labels are numbers; got {classes!r}."
        )


def _own_dtype(values: NDArray[np.float64], kind: str) -> NDArray[Any]:
    if kind == "regression":
        return values[:, 0]
    codes = values.astype(np.int64)
    return codes if kind == "multilabel" else codes[:, 0]


def _classes(encoder: TaskEncoder) -> NDArray[Any] | None:
    if isinstance(encoder, NumberEncoder):
        return None
    return encoder.classes_ if isinstance(encoder, SetEncoder) else encoder.classes_[0]
