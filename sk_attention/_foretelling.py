"""What a recommender foretells of an interaction: its class or its rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._asking import Asked
from ._build import auto_members, build_features
from ._interactions import Ids, columns_without_role
from ._label_answers import LabelAnswers
from ._labels import LabelColumns
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
from ._side_tables import SideTable, texts_among
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


def tells_probabilities(estimator: Any) -> bool:
    """Whether there are probabilities: of classes, or, once there is a catalogue, of its items.

    Before a fit nobody knows whether there will be one.
    """
    return foretells_classes(estimator) or "temperature_" in vars(estimator)


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

    def _record_labelled(
        self, columns: Sequence[Column], y: Any, sample_weight: Any, classes: Any
    ) -> None:
        """Learn ids, labels and codes, and sort the interactions into histories."""
        columns, weight, labels = self._labelled_rows(columns, y, sample_weight)
        self._label_encoder = fit_labels(self.task, labels, weight, classes)
        if isinstance(self._label_encoder, ClassEncoder):
            self.classes_ = self._label_encoder.classes_[0]
        others = columns_without_role(columns, self._roles)
        values, observed = encode_labels(self._label_encoder, labels)
        labelled = [*columns, outcome_column(values, observed)]
        texts = texts_among(self.text_features, columns, others)
        group = event_group(others, len(columns), self.task, texts)
        self._event_group = group.fit(labelled, weight)
        self._asked_group = ColumnGroup("asked", others, texts=texts).fit(columns, weight)
        self._learn_ids(columns)
        self._label_users = self._user_ids
        codes = self._labelled_codes(columns, values, observed)
        self._sort_events(columns, weight * observed, codes)

    def _labelled_rows(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[list[Column], NDArray[np.float64], LabelColumns]:
        """Return the rows that count, how much, and their labels."""
        labels = one_label(self, y, columns)
        weight = _check_sample_weight(
            sample_weight, columns[0].values, dtype=np.float64, ensure_non_negative=True
        )
        keep = weight > 0
        if not keep.any():
            raise ValueError("sample_weight is zero for every row: at least one must be positive.")
        labels.columns[0] = labels.columns[0][keep]
        return take_rows(list(columns), keep), weight[keep], labels

    def _take_up_labelled(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Add labelled rows, with their users and items; return new events and old items' codes."""
        columns, weight, labels = self._labelled_rows(columns, y, sample_weight)
        values, observed = encode_labels(self._label_encoder, labels)
        if not observed.any():
            raise ValueError(
                "y has no observed label: every label is missing, and there is nothing to learn. "
                "update_history takes rows without labels."
            )
        user, item = (columns[position] for position in self._roles.who_and_what)
        self._extend_side_tables()
        known_items = self._learn_items(item)
        self._label_users, _ = self._label_users.joined(user)
        added = self._labelled_codes(columns, values, observed)
        new = self._add(columns, weight * observed, self._item_ids.codes(item), added)
        codes = self._label_users.codes(Column("users_", self.users_))
        histories = self._histories
        self._histories = replace(
            histories, codes={**histories.codes, "user": codes[histories.users]}
        )
        return new, known_items

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
            len(self._label_users),
            build_features(self._event_group, dim, generator),
            self._partly_known(self._asked_group, generator),
            self._users_said(generator),
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
        foretold: NDArray[Any] = self._answers.predict(X)
        return foretold

    @available_if(tells_probabilities)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        r"""Return the probability of each class, or that of each row's item to come next.

        Where items are ranked it is the share of the row's item among all of them,

        .. math:: p_i = \frac{e^{s_i / T}}{\sum_j e^{s_j / T}},

        with the scores *s* of `decision_function` for the row's user and time, and the temperature
        *T* (``temperature_``) that foretold the events held out in ``fit`` best. Users without a
        history have *T* = 1, as their scores are logarithms of shares already. All items are
        compared with each row, and with ``attention`` "cross" or "double" all of them read its
        history.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or (n_samples,), dtype float64
            Of classes, in the order of ``classes_``; rows sum to 1. Of items: one for each row;
            those of all items for one user and time sum to 1, and an unknown item is as unlikely
            as the least likely one.
        """
        probabilities: NDArray[np.float64] = self._answers.predict_proba(X)
        return probabilities

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
        scores: NDArray[np.float64] = self._answers.decision_function(X)
        return scores

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return how well rows are foretold: NDCG@10, accuracy or R^2, by the task.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Interactions to be foretold.
        y : array-like of shape (n_samples,), default=None
            Their labels. Where items are ranked, rows of 0 or less are not to be foretold.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            NDCG@10 of all items that are new to the user, for ``task="ranking"``: items that nobody
            met in ``fit`` are misses. Mean accuracy for classes. R^2 for numbers, and for the
            relevance of rows without users and items.

        Warns
        -----
        LeakageWarning
            If a row that was not in ``fit`` is older than what its user did there.
        """
        return float(self._answers.score(X, y, sample_weight))

    @property
    def _answers(self) -> Any:
        if self.task == "ranking" or not has_items(self):
            return super()._answers
        check_is_fitted(self)
        return LabelAnswers(self)

    def _asked_codes(self, columns: Sequence[Column], items: NDArray[np.int64]) -> dict[str, Any]:
        if self.task == "ranking":
            return super()._asked_codes(columns, items)
        user = columns[self._roles.who_and_what[0]]
        described = self._user_codes(user, self._user_table)
        return {**self._row_codes(columns), **described, "asked_item": items}

    def _asker_codes(
        self, user: Column, columns: Sequence[Column], told: SideTable | None
    ) -> dict[str, Any]:
        if self.task == "ranking":
            return super()._asker_codes(user, columns, told)
        return {
            **self._asked_group.codes_of_some(columns, len(user), self._floats),
            "user": self._label_users.codes(user),
            **self._user_codes(user, told),
        }

    @property
    def _reads_askers(self) -> bool:
        if self.task == "ranking":
            return super()._reads_askers
        return self._user_table is not None or len(self._asked_group) > 0

    def _unknown_event_codes(self, n_events: int) -> dict[str, Any]:
        if self.task == "ranking":
            return super()._unknown_event_codes(n_events)
        return self._event_group.unknown(n_events, self._floats)

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
