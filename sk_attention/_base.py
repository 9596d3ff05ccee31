"""fit = validate -> encode -> build -> train; what the multi-task estimators share."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ._build import build_network
from ._contributions import ContributionsMixin
from ._inputs import Table, check_columns, check_table
from ._labels import LabelColumns, default_names, label_columns
from ._random import draw_seed
from ._reading import ReadingMixin
from ._token_reading import mean_sparse_attention
from ._validation import PARAMETER_CONSTRAINTS, all_or_nothing, check_unchanged
from .data.batches import Rows
from .data.columns import Column
from .data.encoded import EncodedTable, merge_equal_rows
from .data.fields import Codes, TableEncoder, field_groups, field_kinds
from .data.numeric import BinEncoder, NormalScoreEncoder
from .data.ragged import Ragged
from .data.targets import (
    ClassEncoder,
    EncodedTargets,
    MixedEncoder,
    NumberEncoder,
    label_weights,
)
from .training.devices import resolve_device, resolve_precision
from .training.holdout import holdout_rows
from .training.net import AttentionNet
from .training.optimizers import resolve_optimizer
from .training.plan import MIN_ROWS_TO_HOLD_OUT, TINY_ROWS, Plan, auto_splits, plan, single_pass
from .training.train import MIN_PROGRESS, Split, history_values, train, training_callbacks

# What codes and network are built from: a fit that goes on from the last one cannot change them.
BUILDING_PARAMETERS = (
    "attention",
    "explainable",
    "forbid",
    "embedding_dim",
    "n_heads",
    "n_layers",
    "n_members",
    "hidden_layer_sizes",
    "dropout",
    "attention_sharpness",
    "attention_normalization",
    "attention_window",
    "causal",
    "efficient",
    "numeric_embedding",
    "n_bins",
    "categorical_features",
    "fields",
    "text_features",
    "text_encoder",
    "task_types",
    "missing_label",
    "precision",
)


class BaseMultiTaskAttention(ReadingMixin, ContributionsMixin, BaseEstimator, metaclass=ABCMeta):
    """Everything but what a label is: the subclasses in `multi_task` say that."""

    _parameter_constraints: dict[str, Any] = PARAMETER_CONSTRAINTS
    _target_encoder: Any

    @abstractmethod
    def _fit_targets(
        self, table: Table, classes: Any
    ) -> ClassEncoder | NumberEncoder | MixedEncoder:
        """Return a fitted encoder of the labels."""

    @abstractmethod
    def _n_outputs(self) -> list[int]:
        """Return how many numbers the network gives for each task."""

    @abstractmethod
    def _task_loss(self) -> nn.Module:
        """Return the loss: a `TaskLoss`, or what has its methods."""

    @abstractmethod
    def _row_weight(
        self, targets: EncodedTargets, weight: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return weights of the rows, or (n_rows, n_tasks) where classes weigh differently."""

    # ---- fit -----------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> BaseMultiTaskAttention:
        """Fit the model.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Numbers, categories, booleans, datetimes, texts and lists; NaN and other missing values
            are read as information. An array holds numbers or datetimes, and categories or texts
            where ``categorical_features`` or ``text_features`` says so. A sparse matrix is never
            made dense. In an array of shape (n_samples, n_steps, n_channels) each step
            is a feature; a step that misses all channels is padding.
        y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
            Labels; a missing one is NaN, None or ``pandas.NA``. Column names become task names.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; a row of weight 0 is as good as absent.
        X_val : array-like or DataFrame of shape (n_val, n_features), default=None
            Rows to tell when training should stop, instead of some held out from ``X``.
        y_val : array-like or DataFrame of shape (n_val,) or (n_val, n_tasks), default=None
            Their labels.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y breaks a rule; the message says which, and what was found. An
            estimator fitted before is then as it was.
        KeyboardInterrupt
            If the user interrupts the training; the estimator is then fitted with the best weights
            so far.
        """
        with all_or_nothing(self):
            self._validate_params()
            warm = self.warm_start and hasattr(self, "net_")
            table = self._check_rows(X, y, sample_weight, cold=not warm)
            tiny = len(table) < TINY_ROWS
            if not warm:
                self._build(table, None, tiny)
            rows = self._encode(table)
            if not rows.targets.observed.any():
                raise ValueError("y has no observed label: every label is missing.")
            if tiny:
                rows = merge_equal_rows(rows)
            weighted = self._weigh(rows)
            splits = self._splits(weighted, X_val, y_val, sample_weight_val)
            if warm:
                self.net_.renew(self._training_options())
            again = None
            if splits[0][1] is not None and X_val is None and self._refits():
                again = partial(self._on_device, weighted)
            stops = splits[0][1] is not None
            walk = plan(len(splits[0][0]), self.batch_size, self.max_epochs, stops)
            interrupt = self._train(rows, splits, walk, again, joins=not warm and self._joins())
        if interrupt is not None:
            raise interrupt
        return self

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        """Pass once over the rows; codes are learned in the first call and stay."""
        with all_or_nothing(self):
            self._validate_params()
            cold = not hasattr(self, "net_")
            table = self._check_rows(X, y, sample_weight, cold=cold)
            if cold:
                self._build(table, classes, tiny=False)  # more rows will come
            elif not self.net_.callbacks_:  # not pickled
                self.net_.renew(self._training_options())
            rows = self._encode(table)
            split = (self._on_device(self._weigh(rows)), None)
            walk = single_pass(len(rows), self.batch_size)
            interrupt = self._train(rows, [split], walk)
        if interrupt is not None:
            raise interrupt

    def _check_rows(self, X: Any, y: Any, sample_weight: Any, *, cold: bool) -> Table:
        """Check the rows and, unless the start is cold, that they and the parameters still fit."""
        table = check_table(self, X, y, sample_weight, reset=cold)
        if not cold:
            check_unchanged(self, self._built_with)
            self._check_tasks(table.labels, "y")
        return table

    def _encode(self, table: Table) -> EncodedTable:
        """Turn the rows into codes."""
        targets = self._target_encoder.transform(table.labels)
        codes = self._table_encoder.transform(table.columns, self._float_type)
        return EncodedTable(codes, targets, table.weight)

    def _weigh(self, rows: EncodedTable) -> EncodedTable:
        """Let classes weigh what they should."""
        return replace(rows, weight=self._row_weight(rows.targets, rows.weight))

    def _build(self, table: Table, classes: Any, tiny: bool) -> None:
        """Learn the codes of X and y, and build the net for them."""
        parameters = self.get_params(deep=False)
        self._built_with = {
            name: copy.deepcopy(parameters[name])
            for name in BUILDING_PARAMETERS
            if name in parameters
        }
        self.task_names_ = table.labels.names
        self._one_dimensional = table.labels.one_dimensional
        self._seed = draw_seed(self.random_state)
        self._target_encoder = self._fit_targets(table, classes)
        numbers = (
            BinEncoder(min(self.n_bins, max(16, len(table) // 30)))
            if self.numeric_embedding == "piecewise"
            else NormalScoreEncoder()
        )
        kinds = field_kinds(table.columns, self.categorical_features, self.text_features)
        self._table_encoder = TableEncoder(
            kinds, numbers, self.text_encoder, ordered=self.attention != "cross"
        )
        self._table_encoder.fit(table.columns, table.weight)
        device = resolve_device(self.device)
        groups = field_groups(table.columns, self.fields)
        if self.fields is not None and self.attention != "hierarchical":
            raise ValueError(
                'fields say what attention="hierarchical" attends to within and across; got '
                f"attention={self.attention!r}."
            )
        network = build_network(self, self._table_encoder, groups, self._n_outputs(), self._seed)
        precision = resolve_precision(self.precision, device, tiny)
        self.net_ = AttentionNet(
            network.to(device, precision.dtype),
            self._task_loss(),
            task_names=tuple(self.task_names_) if len(self.task_names_) > 1 else (),
            train_bf16=precision.train_bf16,
            predict_bf16=precision.predict_bf16,
            device=str(device),
            **self._training_options(),
        ).initialize()

    def _training_options(self) -> dict[str, Any]:
        """Return what may change from one warm start to the next."""
        patience = None if self.early_stopping is False else self.n_iter_no_change
        return {
            "optimizer": resolve_optimizer(self.optimizer),
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "callbacks": training_callbacks(self.callbacks, patience, MIN_PROGRESS),
            "verbose": self.verbose,
        }

    def _check_tasks(self, labels: LabelColumns, name: str) -> None:
        """Refuse labels of other tasks; where both have names, of tasks in another order too."""
        if labels.n_tasks != len(self.task_names_):
            raise ValueError(
                f"{name} has {labels.n_tasks} task(s), but {type(self).__name__} was fitted with "
                f"{len(self.task_names_)}: {self.task_names_}."
            )
        unnamed = default_names(labels.n_tasks)
        named = not labels.one_dimensional and unnamed not in (labels.names, self.task_names_)
        if named and labels.names != self.task_names_:
            raise ValueError(
                f"{name} has the tasks {labels.names}, but {type(self).__name__} was fitted with "
                f"{self.task_names_}, in this order."
            )

    def _refits(self) -> bool:
        """Whether to train on all rows at last; a warm start would then hold out rows it knows."""
        if self.refit == "auto":
            return not self.callbacks and not self.warm_start
        return self.refit

    def _joins(self) -> bool:
        """Whether networks of several splits may answer together: sums would not stay exact."""
        return not self.explainable and not self._table_encoder.n_bags_

    def _splits(
        self, rows: EncodedTable, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> list[Split]:
        """Return the rows to train on and those that tell when to stop, once or several times."""
        if X_val is not None:
            val_rows = self._validation_rows(X_val, y_val, sample_weight_val)
            return [(self._on_device(rows), self._on_device(self._weigh(val_rows)))]
        if y_val is not None or sample_weight_val is not None:
            raise ValueError("y_val and sample_weight_val need X_val, which is None.")
        choices = self._held_out(rows)
        if not choices:
            return [(self._on_device(rows), None)]
        return [
            (
                self._on_device(rows.take(np.flatnonzero(~held_out))),
                self._on_device(rows.take(np.flatnonzero(held_out))),
            )
            for held_out in choices
        ]

    def _validation_rows(self, X_val: Any, y_val: Any, sample_weight_val: Any) -> EncodedTable:
        """Check and encode the rows that were passed to tell when to stop."""
        try:
            val = check_table(self, X_val, y_val, sample_weight_val, reset=False, name="_val")
            self._check_tasks(val.labels, "y_val")
            rows = self._encode(val)
        except ValueError as error:
            raise ValueError(f"In X_val, y_val and sample_weight_val: {error}") from error
        if not rows.targets.observed.any():
            raise ValueError("y_val has no observed label: every label is missing.")
        return rows

    def _held_out(self, rows: EncodedTable) -> list[NDArray[np.bool_]]:
        """Choose the rows to hold out, once or several times; never where rows are too few."""
        if self.early_stopping is False:
            return []
        # labels of a task, on which the number of passes is judged: of rows without, nothing is
        n_labels = rows.targets.observed.sum(axis=0).mean()
        n_splits = auto_splits(n_labels, self.validation_fraction) if self._refits() else 1
        choices = [self._choose(rows, self._seed + number) for number in range(n_splits)]
        possible = all(held_out.any() and not held_out.all() for held_out in choices)
        if self.early_stopping == "auto":
            return choices if possible and len(rows) >= MIN_ROWS_TO_HOLD_OUT else []
        if not possible:
            raise ValueError(
                f"early_stopping=True holds out validation_fraction={self.validation_fraction} of "
                f"{len(rows)} distinct rows, but one row at least, and one of each class, must "
                "stay to train on: none is left to hold out. Pass more rows or "
                "early_stopping=False."
            )
        return choices

    def _choose(self, rows: EncodedTable, seed: int) -> NDArray[np.bool_]:
        by_task = self._target_encoder.by_task(rows.targets)
        return holdout_rows(by_task, rows.targets.observed, self.validation_fraction, seed)

    def _train(
        self,
        rows: EncodedTable,
        splits: Sequence[Split],
        walk: Plan,
        again: Callable[[], Rows] | None = None,
        joins: bool = False,
    ) -> KeyboardInterrupt | None:
        """Train, and set what users look at; networks of several splits stay if asked.

        The user's interrupt is returned, not raised: what was learned until then is to stay.
        """
        net = self.net_
        if self.compile:
            net.module_.compile()
        seed = (self._seed + len(net.history)) % 2**31
        interrupt = None
        try:
            others = train(net, splits, walk, seed, again)
            if joins and again is not None and len(splits) > 1:
                net.join(others[:-1])  # as many networks as splits
        except KeyboardInterrupt as caught:
            interrupt = caught
        self._look_back(rows)
        return interrupt

    def _look_back(self, rows: EncodedTable) -> None:
        """Set what users look at after a fit."""
        net = self.net_
        self.n_iter_ = len(net.history)
        self.loss_curve_ = history_values(net, ["train_loss"])[:, 0].tolist()
        keys = [f"valid_loss_{name}" for name in net.task_names] or ["valid_loss"]
        scores = 1.0 - history_values(net, keys)
        scores[scores == 1.0] = np.nan  # a loss of exactly 0: nothing was held out, or one class
        self.validation_scores_ = scores if len(scores) else None
        weight = rows.weight.astype(self._float_type)
        looked_at = Rows(self._tensors({**rows.codes, "weight": weight}))
        if self._table_encoder.is_sparse_:
            self.attention_weights_ = mean_sparse_attention(self, looked_at, rows.weight)
        else:
            self.attention_weights_ = self._by_feature(net.mean_attention(looked_at))
            if self._table_encoder.n_channels_ is not None:  # rows without a step look nowhere
                total = self.attention_weights_.sum(axis=1, keepdims=True)
                self.attention_weights_ /= np.where(total > 0, total, 1.0)
        self.__dict__.pop("contribution_weights_", None)
        if self._built_with["explainable"]:
            self._weigh_contributions(looked_at, rows.weight)
        self.task_weights_ = net.module_.task_weights().detach().cpu().double().numpy()

    # ---- rows on the device --------------------------------------------------------------------

    def _on_device(self, rows: EncodedTable) -> Rows:
        """Put rows on the device, with the weight of each label."""
        targets, null_loss = rows.targets, self._target_encoder.null_loss_
        weight = label_weights(targets.observed, rows.weight, null_loss).astype(self._float_type)
        values = targets.values
        if values.dtype.kind == "f":
            values = values.astype(self._float_type)
        target = torch.as_tensor(values, device=self.net_.device)
        target = target.squeeze(1) if target.shape[1] == 1 else target
        return Rows(self._tensors({**rows.codes, "weight": weight}), target)

    def _tensors(self, codes: Codes) -> dict[str, torch.Tensor | Ragged]:
        device = self.net_.device
        return {
            name: own.to(device) if isinstance(own, Ragged) else torch.as_tensor(own, device=device)
            for name, own in codes.items()
        }

    @property
    def _float_type(self) -> type[np.floating[Any]]:
        weight = self.net_.module_.like.reading.query
        return np.float64 if weight.dtype == torch.float64 else np.float32

    def _same_tasks(self, y: Any) -> Any:
        """Return ``y`` if its tasks are those of ``fit``."""
        self._check_tasks(label_columns(y, warn_on_column_vector=False), "y")
        return y

    def _read_rows(self, X: Any) -> tuple[Rows, list[Column]]:
        """Check rows to predict for, encode them, and return their columns too."""
        check_is_fitted(self)
        columns = check_columns(self, X, reset=False)
        codes = self._table_encoder.transform(columns, self._float_type)
        return Rows(self._tensors(codes)), columns

    def _ensemble_outputs(self, X: Any) -> NDArray[np.float64]:
        """Return (n_samples, n_tasks, n_outputs) for rows to predict for."""
        rows, _ = self._read_rows(X)
        return self.net_.ensemble_outputs(rows).astype(np.float64)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the net to ``device``, or keep it on the CPU if this machine has none such."""
        super().__setstate__(state)
        if "net_" in vars(self):
            try:
                device = resolve_device(self.device)
            except ValueError:
                device = torch.device("cpu")
            self.net_.move_to(device)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        tags.target_tags.required = True
        return tags
