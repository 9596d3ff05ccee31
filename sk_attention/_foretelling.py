"""What a recommender foretells of an interaction: its class or its rating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._asking import Asked
from ._build import auto_members, build_features
from ._inputs import read_columns
from ._interactions import Ids
from ._outcomes import (
    LabelEncoder,
    OutcomeLoss,
    encode_labels,
    event_group,
    fit_labels,
    one_label,
    outcome_column,
)
from ._recording import has_items
from ._retrieval import row_slices
from ._surroundings import SurroundingsMixin
from .data.columns import Column, take_rows
from .data.groups import ColumnGroup
from .data.targets import ClassEncoder
from .nn.items import ItemVectors
from .nn.outcome import OutcomeNetwork

HIDDEN_LAYER_SIZES = (128, 128)


def foretells_classes(estimator: Any) -> bool:
    """Whether there are classes to tell apart."""
    return bool(estimator.task == "classification")


def scores_rows(estimator: Any) -> bool:
    """Whether a row has a score that is no prediction: not where numbers are foretold."""
    return bool(estimator.task != "regression")


class ForetellingMixin(SurroundingsMixin):
    """Labels of interactions, from the user, the item, what is known of both, and the history."""

    task: str
    classes_: NDArray[Any]
    _label_encoder: LabelEncoder
    _label_users: Ids
    _event_group: ColumnGroup
    _asked_group: ColumnGroup

    # ---- fit -----------------------------------------------------------------------------------

    def _record_labelled(self, columns: Sequence[Column], y: Any, sample_weight: Any) -> None:
        """Learn ids, labels and codes, and sort the interactions into histories."""
        labels = one_label(self, y, columns)
        weight = _check_sample_weight(
            sample_weight, columns[0].values, dtype=np.float64, ensure_non_negative=True
        )
        keep = weight > 0
        if not keep.any():
            raise ValueError("sample_weight is zero for every row: at least one must be positive.")
        columns, weight = take_rows(list(columns), keep), weight[keep]
        labels.columns[0] = labels.columns[0][keep]
        self._label_encoder = fit_labels(self.task, labels, weight)
        if isinstance(self._label_encoder, ClassEncoder):
            self.classes_ = self._label_encoder.classes_[0]
        taken = {position for position in vars(self._roles).values() if position is not None}
        others = [position for position in range(len(columns)) if position not in taken]
        values, observed = encode_labels(self._label_encoder, labels)
        labelled = [*columns, outcome_column(values, observed)]
        self._event_group = event_group(others, len(columns), self.task).fit(labelled, weight)
        self._asked_group = ColumnGroup("asked", others).fit(columns, weight)
        self._learn_ids(columns)
        self._label_users = self._user_ids
        codes = self._labelled_codes(columns, values, observed)
        self._sort_events(columns, weight * observed, codes)

    def _event_codes(self, columns: Sequence[Column], y: Any) -> dict[str, NDArray[Any]]:
        if self.task == "ranking":
            return super()._event_codes(columns, y)
        nothing = np.full(len(columns[0].values), np.nan)
        labels = one_label(self, nothing if y is None else y, columns)
        return self._labelled_codes(columns, *encode_labels(self._label_encoder, labels))

    def _labelled_codes(
        self, columns: Sequence[Column], values: NDArray[Any], observed: NDArray[np.bool_]
    ) -> dict[str, NDArray[Any]]:
        """Return what is kept of events: what they were like, and what became of them."""
        labelled = [*columns, outcome_column(values, observed)]
        events = self._event_group.codes(labelled, self._floats)
        label = values.astype(self._floats) if values.dtype.kind == "f" else values
        return {**events, **self._row_codes(columns), "label": label}

    def _row_codes(self, columns: Sequence[Column]) -> dict[str, NDArray[Any]]:
        """Return what is known of rows before anything becomes of them."""
        user = columns[self._roles.who_and_what[0]]
        return {
            **self._asked_group.codes(columns, self._floats),
            "user": self._label_users.codes(user),
        }

    def _outcome_network(self, generator: torch.Generator) -> OutcomeNetwork:
        """Return the network that the parameters describe, for the recorded interactions."""
        estimator: Any = self
        dim = estimator.embedding_dim
        return OutcomeNetwork(
            estimator._kind,
            ItemVectors(len(self.items_), dim, self._described(generator), generator),
            len(self.users_),
            build_features(self._event_group, dim, generator),
            build_features(self._asked_group, dim, generator),
            build_features(self._user_table.group_, dim, generator) if self._user_table else None,
            estimator.n_heads,
            estimator.n_layers,
            auto_members(1, 8 * dim),
            len(self.classes_) if foretells_classes(self) else 1,
            HIDDEN_LAYER_SIZES,
            estimator.dropout,
            estimator.max_history,
            self._usual_gap if self._has_times else None,
            generator,
        )

    def _outcome_loss(self) -> OutcomeLoss:
        return OutcomeLoss(foretells_classes(self), float(self._label_encoder.null_loss_[0]))

    # ---- predictions ---------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """Return what is foretold of each row.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. A row sees the events of its user in ``fit`` at or before
            its time, except itself.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The label, for ``task="classification"`` and ``"regression"``; else the score, as
            `decision_function` returns it.
        """
        if self.task == "ranking":
            return super().predict(X)
        check_is_fitted(self)
        if not has_items(self):
            read_columns(self, X, reset=False)
            foretold: NDArray[Any] = self._fields.predict(X)
            return foretold
        outputs = self._outcomes(X)
        if isinstance(self._label_encoder, ClassEncoder):
            return self._label_encoder.inverse_transform(outputs.argmax(axis=1)[:, None])[0]
        return self._label_encoder.inverse_transform(outputs)[:, 0]

    @available_if(foretells_classes)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float64
            In the order of ``classes_``; rows sum to 1.
        """
        check_is_fitted(self)
        if not has_items(self):
            read_columns(self, X, reset=False)
            probabilities: NDArray[np.float64] = self._fields.predict_proba(X)
            return probabilities
        return np.exp(self._outcomes(X))

    @available_if(scores_rows)
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how strongly each row speaks for its item, or for the classes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes), dtype float64
            Ranking: the higher, the more likely; for an unknown item, the lowest score of all
            items. Two classes: log odds of the second; more: log probabilities.
        """
        if self.task == "ranking":
            return super().decision_function(X)
        check_is_fitted(self)
        if not has_items(self):
            read_columns(self, X, reset=False)
            scores: NDArray[np.float64] = self._fields.decision_function(X)
            return scores
        outputs = self._outcomes(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return how well rows are foretold: NDCG@10, accuracy or R^2, by the task.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions to be foretold.
        y : array-like of shape (n_samples,), default=None
            Their labels; not used where items are ranked.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            NDCG@10 of all items that are new to the user, for ``task="ranking"``: items that nobody
            met in ``fit`` are misses. Mean accuracy for classes. R^2 for numbers, and for the
            relevance of rows without users and items.
        """
        if self.task == "ranking":
            return super().score(X, y, sample_weight)
        measure = accuracy_score if foretells_classes(self) else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def _asked_codes(self, columns: Sequence[Column], items: NDArray[np.int64]) -> dict[str, Any]:
        if self.task == "ranking":
            return super()._asked_codes(columns, items)
        user = columns[self._roles.who_and_what[0]]
        described = self._user_codes(user, self._user_table)
        return {**self._row_codes(columns), **described, "asked_item": items}

    def _last_rows(self) -> Asked:
        """Return the last event of each user, as rows that ask."""
        histories = self._histories
        last = histories.starts[1:][np.diff(histories.starts) > 0] - 1
        codes = {
            name: values[last]
            for name, values in histories.codes.items()
            if name.startswith(("user", "asked."))
        }
        users, items = histories.users[last], histories.items[last]
        codes |= self._user_codes(Column("users_", self.users_[users]), self._user_table)
        codes["asked_item"] = items
        return Asked(users, items, histories.times[last], codes)

    def _outcomes(self, X: Any) -> NDArray[np.float64]:
        """Return log probabilities (n_samples, n_classes), or standardised numbers."""
        net, asked = self.net_, self._rows(X)

        def ensemble(inputs: Any) -> torch.Tensor:
            outputs: torch.Tensor = net.criterion_.ensemble(net.module_(inputs))
            return outputs[:, 0, 0]

        parts = []
        for rows in row_slices(len(asked.users)):
            batches = self._queries(asked.take(rows)).batches(
                net.module_.rows_at_a_time(), net.device
            )
            parts.append(net.forward_batches(ensemble, batches).astype(np.float64))
        outputs: NDArray[np.float64] = np.concatenate(parts)
        if not foretells_classes(self):
            return outputs
        return outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
