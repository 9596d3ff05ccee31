"""What a recommender is told: who did what when, checked and sorted into histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._inputs import read_columns
from ._interactions import Ids, Roles, event_times
from ._side_tables import SideTable
from .data.columns import Column, take_rows
from .data.histories import Histories, build_histories
from .data.objects import object_array


def has_items(estimator: Any) -> bool:
    """Whether there is a catalogue: not after a fit without users and items."""
    return "_fields" not in vars(estimator)


# What one way to fit sets and another does not.
LEFT_BEHIND = (
    *("_fields", "_catalogue", "_histories", "items_", "users_", "popularity_", "classes_"),
    *("_label_encoder", "_label_users", "_event_group", "_asked_group"),
)


class RecordingMixin:
    """Interactions of known users with known items, and those that come later."""

    users_: NDArray[Any]
    items_: NDArray[Any]
    _roles: Roles
    _user_ids: Ids
    _item_ids: Ids
    _histories: Histories
    _user_table: SideTable | None
    _item_table: SideTable | None
    _has_times: bool
    _now: float
    _usual_gap: float

    def _forget(self) -> None:
        """Drop what only one of the two ways to fit leaves behind."""
        for name in (
            "_fields",
            "_catalogue",
            "_histories",
            "items_",
            "users_",
            "popularity_",
            "classes_",
        ):
            self.__dict__.pop(name, None)

    def _read_side_tables(self, names: Sequence[str]) -> None:
        """Learn what is said of users and items elsewhere."""
        user, item = (names[position] for position in self._roles.who_and_what)
        self._user_table = self._item_table = None
        if (table := getattr(self, "user_features", None)) is not None:
            self._user_table = SideTable(table, "user", user, "user_features")
        if (table := getattr(self, "item_features", None)) is not None:
            self._item_table = SideTable(table, "item", item, "item_features")

    def _learn_ids(self, columns: Sequence[Column]) -> None:
        """Learn who and what there is, and what is said of them elsewhere."""
        user, item = (columns[position] for position in self._roles.who_and_what)
        self._read_side_tables([column.name for column in columns])
        described = [] if self._item_table is None else self._item_table.ids_.values_.tolist()
        self._user_ids, self._item_ids = Ids(user), Ids(with_more(item, described))
        self.users_, self.items_ = self._user_ids.values_, self._item_ids.values_

    def _sort_events(
        self,
        columns: Sequence[Column],
        weight: NDArray[np.float64],
        codes: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Sort the interactions into histories."""
        user, item = (columns[position] for position in self._roles.who_and_what)
        times = self._times(columns)
        self._has_times = self._roles.timestamp is not None
        self._histories = build_histories(
            self._user_ids.codes(user) - 1,
            self._item_ids.codes(item),
            times if self._has_times else None,
            weight,
            len(self.users_),
            codes,
        )
        self._now = float(times.max())
        self._usual_gap = _usual_gap(self._histories) if self._has_times else 1.0

    @available_if(has_items)
    def update_history(self, X: Any, y: Any = None) -> RecordingMixin:
        """Add interactions to the histories, without training.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. Users may be new, items are those known.
        y : array-like of shape (n_samples,), default=None
            What became of them, for ``task="classification"`` and ``"regression"``; None and
            missing labels are unknown. Not used where items are ranked.

        Returns
        -------
        self : object
            The estimator, which looks at them from now on.
        """
        check_is_fitted(self)
        columns = read_columns(self, X, reset=False)
        user, item = (columns[position] for position in self._roles.who_and_what)
        old, new = self._histories, self._event_codes(columns, y)
        ids = Ids(with_more(user, self.users_.tolist()))
        codes = ids.codes_of(self.users_, user.name)[old.users]
        times = np.concatenate([old.times, self._times(columns)])
        items = np.concatenate([old.items, self._item_ids.codes(item)])
        self._histories = build_histories(
            np.concatenate([codes, ids.codes(user)]) - 1,
            items,
            times if self._has_times else None,
            np.concatenate([old.weight, np.ones(len(items) - len(old))]),
            len(ids),
            {name: np.concatenate([values, new[name]]) for name, values in old.codes.items()},
        )
        self._user_ids, self.users_ = ids, ids.values_
        self._now = max(self._now, float(times.max()))
        return self

    def _event_codes(self, columns: Sequence[Column], y: Any) -> dict[str, NDArray[Any]]:
        """Return what else is kept of interactions."""
        return {}

    def _counted(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[list[Column], NDArray[np.float64]]:
        """Return the rows that count, and how much, from relevance and weights."""
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
        return take_rows(list(columns), weight > 0), weight[weight > 0]

    def _times(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        position = self._roles.timestamp
        column = None if position is None else columns[position]
        return event_times(column, len(columns[0].values))


def with_more(column: Column, ids: list[Any]) -> Column:
    """Return a column of ids with more of them at its end.

    Parameters
    ----------
    column : Column
        Ids.
    ids : list
        More ids.

    Returns
    -------
    column : Column
        All of them.
    """
    if not ids:
        return column
    return Column(column.name, object_array([*column.as_objects(), *ids]))


def _usual_gap(histories: Histories) -> float:
    """Return the median time from one event of a user to the next, where that is positive."""
    gaps = np.diff(histories.times)[np.diff(histories.users) == 0]
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 1.0
