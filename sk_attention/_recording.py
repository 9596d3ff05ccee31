"""What a recommender is told: who did what when, checked and sorted into histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._dislikes import Dislikes, Verdicts, no_dislikes, verdicts
from ._inputs import read_columns
from ._interactions import Ids, Roles, columns_without_role, event_times
from ._side_tables import SideTable, check_texts, text_names
from ._validation import all_or_nothing
from .data.columns import Column
from .data.histories import Histories, build_histories, event_order, regrouped
from .data.ragged import stacked
from .data.roles import is_dated
from .data.sessions import sessions_by_gap


def has_items(estimator: Any) -> bool:
    """Whether there is a catalogue: not after a fit without users and items."""
    return "_fields" not in vars(estimator)


def ranks_items(estimator: Any) -> bool:
    """Whether items are ranked: there is a catalogue, and no label of rows is foretold."""
    return has_items(estimator) and getattr(estimator, "task", "ranking") == "ranking"


# What one way to fit sets and another does not.
LEFT_BEHIND = (
    *(
        "_fields",
        "_catalogue",
        "_histories",
        "_disliked",
        "items_",
        "users_",
        "popularity_",
        "classes_",
    ),
    *("_counted", "_label_encoder", "_label_users", "_event_group", "_asked_group"),
    *("_context_group", "_user_table", "_item_table", "_stranger", "temperature_"),
    *("_transitions", "transition_weight_", "_met_since", "_popular_excess"),
)


class RecordingMixin:
    """Interactions of known users with known items, and those that come later."""

    users_: NDArray[Any]
    items_: NDArray[Any]
    _roles: Roles
    _user_ids: Ids
    _item_ids: Ids
    _histories: Histories
    _disliked: Dislikes
    _user_table: SideTable | None
    _item_table: SideTable | None
    _has_times: bool
    _dated: bool
    _now: float
    _usual_gap: float
    _session_ids: Ids | None
    _session_gap: float | None

    def _forget(self) -> None:
        """Drop what only one of the two ways to fit leaves behind."""
        for name in LEFT_BEHIND:
            self.__dict__.pop(name, None)

    def _read_side_tables(self, columns: Sequence[Column]) -> None:
        """Learn what is said of users and items elsewhere."""
        user, item = (columns[position].name for position in self._roles.who_and_what)
        texts = text_names(getattr(self, "text_features", None))
        self._user_table = self._read_side_table("user", user, texts)
        self._item_table = self._read_side_table("item", item, texts)
        others = [columns[position].name for position in columns_without_role(columns, self._roles)]
        check_texts(texts, others, [self._item_table, self._user_table])

    def _read_side_table(self, role: str, id_name: str, texts: list[str]) -> SideTable | None:
        parameter = f"{role}_features"
        table = getattr(self, parameter, None)
        return None if table is None else SideTable(table, role, id_name, parameter, texts)

    def _extend_side_tables(self) -> None:
        """Learn what the tables say by now, perhaps of more users and items than before."""
        self._user_table = self._extended(self._user_table, "user_features")
        self._item_table = self._extended(self._item_table, "item_features")

    def _extended(self, known: SideTable | None, parameter: str) -> SideTable | None:
        table = getattr(self, parameter, None)
        if (table is None) != (known is None):
            raise ValueError(
                f"{type(self).__name__} was fitted {'with' if known else 'without'} "
                f"{parameter}: a fit that goes on from the last one cannot change that."
            )
        return None if known is None else known.with_more(table, parameter)

    def _record(self, columns: Sequence[Column], y: Any, sample_weight: Any) -> None:
        """Learn who interacted with what, and sort the interactions into histories."""
        user, _ = self._roles.who_and_what
        found = verdicts(self, columns, user, y, sample_weight)
        self._learn_ids(found.liked)
        self._learn_columns(found.liked, found.weight)
        self._sort_events(found.liked, found.weight, self._event_codes(found.liked, None))
        self._note_dislikes(found, further=False)

    def _learn_columns(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> None:
        """Learn what columns without a role say, where they are read."""

    def _learn_ids(self, columns: Sequence[Column]) -> None:
        """Learn who and what there is, and what is said of them elsewhere."""
        user, item = (columns[position] for position in self._roles.who_and_what)
        self._read_side_tables(columns)
        self._user_ids, self._item_ids = Ids(user), Ids(item)
        if self._item_table is not None:
            self._item_ids, _ = self._item_table.ids_.joined(item)
        self.users_, self.items_ = self._user_ids.values_, self._item_ids.values_
        position = self._roles.timestamp
        self._has_times = position is not None
        self._dated = position is not None and is_dated(columns[position])

    def _sort_events(
        self,
        columns: Sequence[Column],
        weight: NDArray[np.float64],
        codes: Mapping[str, Any] | None = None,
    ) -> None:
        """Sort the interactions into histories."""
        user, item = (columns[position] for position in self._roles.who_and_what)
        times = self._times(columns)
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
            codes,
        )
        self._disliked = no_dislikes(len(self.users_))
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

    @property
    def item_reach_(self) -> NDArray[np.float64]:
        """Share of the users who met each item (n_items,), in the order of ``items_``."""
        histories = self._histories
        pair = np.unique(histories.users * (len(self.items_) + 1) + histories.items)
        reach = np.bincount(pair % (len(self.items_) + 1), minlength=len(self.items_) + 1)[1:]
        return reach / np.count_nonzero(np.diff(histories.starts))

    @available_if(has_items)
    def update_history(self, X: Any, y: Any = None) -> RecordingMixin:
        """Add interactions to the histories, without training.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows like those of ``fit``. Users may be new, items are those known.
        y : array-like of shape (n_samples,), default=None
            What became of them, for ``task="classification"`` and ``"regression"``; None and
            missing labels are unknown. Where items are ranked, an item with 0 or less was turned
            down: it is recommended to that user no more, and is no part of the history.

        Returns
        -------
        self : object
            The estimator, which looks at them from now on.
        """
        check_is_fitted(self)
        with all_or_nothing(self):
            columns = read_columns(self, X, reset=False)
            if y is not None and ranks_items(self):
                columns, _ = self._further_rows(columns, y, None)
            user, item = (columns[position] for position in self._roles.who_and_what)
            if len(user.values):
                codes = self._event_codes(columns, y)
                self._add(columns, np.ones(len(user.values)), self._item_ids.codes(item), codes)
        return self

    def _learn_items(self, column: Column) -> NDArray[np.int64]:
        """Take up items that are new, and return the new code of each old one."""
        self._item_ids, codes = self._item_ids.joined(column)
        if (table := getattr(self, "_item_table", None)) is not None:
            self._item_ids, further = self._item_ids.joined(Column(column.name, table.ids_.values_))
            codes = further[codes]
        self.items_ = self._item_ids.values_
        self._histories = replace(self._histories, items=codes[self._histories.items])
        self._disliked = self._disliked.of_items(self._item_ids)
        return codes

    def _join_users(self, column: Column) -> None:
        """Take up users who are new."""
        self._user_ids, codes = self._user_ids.joined(column)
        self.users_ = self._user_ids.values_
        self._histories = regrouped(self._histories, codes, len(self.users_))
        self._disliked = self._disliked.regrouped(codes, len(self.users_))

    def _event_codes(self, columns: Sequence[Column], y: Any) -> dict[str, Any]:
        """Return what else is kept of interactions."""
        return {}

    def _add(
        self,
        columns: Sequence[Column],
        weight: NDArray[np.float64],
        items: NDArray[np.int64],
        added: Mapping[str, Any],
    ) -> NDArray[np.bool_]:
        """Add rows with these item codes to the histories, and return which events are new."""
        user = columns[self._roles.who_and_what[0]]
        self._join_users(user)
        old, added = self._histories, {"counted": np.zeros(len(items), dtype=bool), **added}
        users = np.concatenate([old.users, self._user_ids.codes(user) - 1])
        both = np.concatenate([old.times, self._times(columns)])
        times = both if self._has_times else None
        self._histories = build_histories(
            users,
            np.concatenate([old.items, items]),
            times,
            np.concatenate([old.weight, weight]),
            len(self.users_),
            self._added_sessions(columns),
            {name: stacked(values, added[name]) for name, values in old.codes.items()},
        )
        self._part_sessions()
        self._now = max(self._now, float(both.max()))
        return event_order(users, times) >= len(old)

    def _added_sessions(self, columns: Sequence[Column]) -> NDArray[np.int64] | None:
        """Return the sessions of the old events and of new rows, where a column tells them."""
        if self._session_ids is None or self._roles.session is None:
            return None
        session = columns[self._roles.session]
        self._session_ids, codes = self._session_ids.joined(session)
        old = codes[self._histories.sessions + 1]
        return np.concatenate([old, self._session_ids.codes(session)]) - 1

    def _further_rows(
        self, columns: Sequence[Column], y: Any, sample_weight: Any
    ) -> tuple[list[Column], NDArray[np.float64]]:
        """Return rows that go on from those of fit, and how much they count; note dislikes."""
        user, _ = self._roles.who_and_what
        found = verdicts(self, columns, user, y, sample_weight, all_may_be_disliked=True)
        self._note_dislikes(found, further=True)
        return found.liked, found.weight

    def _note_dislikes(self, found: Verdicts, further: bool) -> None:
        """Keep what users turned down, in rows of fit or in further ones not yet added."""
        if not len(found.disliked_weight):
            return
        user, item = (found.disliked[position] for position in self._roles.who_and_what)
        self._join_users(user)
        users, times = self._user_ids.codes(user) - 1, self._times(found.disliked)
        n_before = found.n_before + further * np.diff(self._histories.starts)[users]
        added = self._disliked.joined(
            users, item, times if self._has_times else None, found.disliked_weight, n_before
        )
        self._disliked = added.of_items(self._item_ids)
        self._now = max(self._now, float(times.max()))

    def _times(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        position = self._roles.timestamp
        column = None if position is None else columns[position]
        return event_times(column, len(columns[0].values), self._dated)


def _gaps(histories: Histories) -> NDArray[np.float64]:
    """Return the times from one event of a user to the next."""
    gaps: NDArray[np.float64] = np.diff(histories.times)[np.diff(histories.users) == 0]
    return gaps


def _usual_gap(gaps: NDArray[np.float64]) -> float:
    """Return the median gap among those that are positive."""
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 1.0
