"""What a recommender is told: who did what when, checked and sorted into histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._inputs import read_columns
from ._interactions import Ids, Roles, event_times
from .data.columns import Column, take_rows
from .data.histories import Histories, build_histories
from .data.sessions import sessions_by_gap


def has_items(estimator: Any) -> bool:
    """Whether there is a catalogue: not after a fit without users and items."""
    return "_fields" not in vars(estimator)


class RecordingMixin:
    """Interactions of known users with known items, and those that come later."""

    users_: NDArray[Any]
    items_: NDArray[Any]
    _roles: Roles
    _user_ids: Ids
    _item_ids: Ids
    _histories: Histories
    _has_times: bool
    _now: float
    _usual_gap: float
    _session_ids: Ids | None
    _session_gap: float | None

    def _forget(self) -> None:
        """Drop what only one of the two ways to fit leaves behind."""
        for name in ("_fields", "_catalogue", "_histories", "items_", "users_", "popularity_"):
            self.__dict__.pop(name, None)

    def _record(self, columns: Sequence[Column], y: Any, sample_weight: Any) -> None:
        """Learn the ids, and sort the interactions into histories."""
        weight = self._weights(columns, y, sample_weight)
        columns, weight = take_rows(list(columns), weight > 0), weight[weight > 0]
        user, item = (columns[position] for position in self._roles.who_and_what)
        self._user_ids, self._item_ids = Ids(user), Ids(item)
        self.users_, self.items_ = self._user_ids.values_, self._item_ids.values_
        times = self._times(columns)
        self._has_times = self._roles.timestamp is not None
        self._session_ids, sessions = None, None
        if (session := self._session_column(columns)) is not None:
            self._session_ids = Ids(session)
            sessions = self._session_ids.codes(session) - 1
        self._histories = build_histories(
            self._user_ids.codes(user) - 1,
            self._item_ids.codes(item),
            times if self._has_times else None,
            weight,
            len(self.users_),
            sessions,
        )
        self._now = float(times.max())
        gaps = _gaps(self._histories)
        self._usual_gap = _usual_gap(gaps) if self._has_times else 1.0
        self._session_gap = self._gap_between_sessions(gaps)
        self._part_sessions()

    def _session_column(self, columns: Sequence[Column]) -> Column | None:
        """Return the column that says which interactions belong together, where it is read."""
        return None

    def _gap_between_sessions(self, gaps: NDArray[np.float64]) -> float | None:
        """Return the gap in time that ends a session, where sessions are read and not given."""
        return None

    def _part_sessions(self) -> None:
        """Part the histories into sessions where gaps in time do so."""
        if self._session_gap is not None:
            old = self._histories
            sessions = sessions_by_gap(old.users, old.times, self._session_gap)
            self._histories = replace(old, sessions=sessions)

    @available_if(has_items)
    def update_history(self, X: Any) -> RecordingMixin:
        """Add interactions to the histories, without training.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. Users may be new, items are those known.

        Returns
        -------
        self : object
            The estimator, which looks at them from now on.
        """
        check_is_fitted(self)
        columns = read_columns(self, X, reset=False)
        user, item = (columns[position] for position in self._roles.who_and_what)
        old = self._histories
        ids, users = _joined(self._user_ids, old.users, user)
        session_ids, sessions = self._session_ids, None
        if session_ids is not None and self._roles.session is not None:
            session = columns[self._roles.session]
            session_ids, sessions = _joined(session_ids, old.sessions, session)
        times = np.concatenate([old.times, self._times(columns)])
        items = np.concatenate([old.items, self._item_ids.codes(item)])
        self._histories = build_histories(
            users,
            items,
            times if self._has_times else None,
            np.concatenate([old.weight, np.ones(len(items) - len(old))]),
            len(ids),
            sessions,
        )
        self._part_sessions()
        self._user_ids, self.users_, self._session_ids = ids, ids.values_, session_ids
        self._now = max(self._now, float(times.max()))
        return self

    def _weights(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> NDArray[np.float64]:
        """Return how much each row counts, from relevance and weights."""
        rows = columns[0].values
        weight = _check_sample_weight(
            sample_weight, rows, dtype=np.float64, ensure_non_negative=True
        )
        if y is not None:
            relevance = np.asarray(y, dtype=np.float64)
            if relevance.shape != (len(rows),) or not np.isfinite(relevance).all():
                raise ValueError(
                    f"y must hold one finite number per row of X, ({len(rows)},): how much the "
                    f"interaction counts; got the shape {relevance.shape}."
                )
            weight = weight * np.maximum(relevance, 0.0)
        if not (weight > 0).any():
            raise ValueError(
                "No row of X counts: y or sample_weight is 0 or less for each of them."
            )
        return weight

    def _times(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        position = self._roles.timestamp
        column = None if position is None else columns[position]
        return event_times(column, len(columns[0].values))


def _joined(ids: Ids, codes: NDArray[np.int64], column: Column) -> tuple[Ids, NDArray[np.int64]]:
    """Add the ids of a column; return all ids, and codes from 0 of the old and the new rows."""
    known, added = ids.values_.astype(object), Ids(column).values_.astype(object)
    both = Ids(Column(column.name, np.concatenate([known, added])))
    old = both.codes(Column(column.name, known))[codes]
    return both, np.concatenate([old, both.codes(column)]) - 1


def _gaps(histories: Histories) -> NDArray[np.float64]:
    """Return the times from one event of a user to the next."""
    gaps: NDArray[np.float64] = np.diff(histories.times)[np.diff(histories.users) == 0]
    return gaps


def _usual_gap(gaps: NDArray[np.float64]) -> float:
    """Return the median gap among those that are positive."""
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 1.0
