"""Who asks a fitted recommender, when, and what is known of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._inputs import read_columns
from ._interactions import TIME_KINDS, event_times, id_column, one_time
from ._recording import RecordingMixin
from ._side_tables import SideTable
from .data.columns import Column, is_table, table_columns
from .data.histories import Histories
from .data.queries import Queries, build_queries
from .data.roles import resolve_role
from .data.sessions import sessions_by_gap


class Asked(NamedTuple):
    """Rows that ask for recommendations, or for the score of an item."""

    users: NDArray[np.int64]  # from 0, -1 is unknown
    items: NDArray[np.int64] | None  # codes
    at: NDArray[np.float64]
    codes: Mapping[str, Any] = MappingProxyType({})  # what else a network reads of them
    own: sp.csr_array | None = None  # (n_rows, n_events): events that they ask about together

    def take(self, rows: slice) -> Asked:
        """Return some of the rows."""
        items = None if self.items is None else self.items[rows]
        codes = {name: values[rows] for name, values in self.codes.items()}
        own = None if self.own is None else self.own[rows]
        return Asked(self.users[rows], items, self.at[rows], codes, own)

    def contexts(self) -> list[Any]:
        """Return the codes of the moments at which rankings are asked for."""
        return [values for name, values in self.codes.items() if name.startswith("context.")]


class AskingMixin(RecordingMixin):
    """Rows, users and lists of items that ask, as queries."""

    max_history: int
    n_features_in_: int

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.max_history, len(self.items_) + 1

    def _rows(self, X: Any) -> Asked:
        check_is_fitted(self)
        columns = read_columns(self, X, reset=False)
        user, item = (columns[position] for position in self._roles.who_and_what)
        users, items = self._user_ids.codes(user) - 1, self._item_ids.codes(item)
        return Asked(users, items, self._times(columns), self._asked_codes(columns, items))

    def _asked_codes(self, columns: Sequence[Column], items: NDArray[np.int64]) -> dict[str, Any]:
        """Return what else a network reads of rows."""
        return {}

    @property
    def _reads_askers(self) -> bool:
        """Whether it matters who asks, beside what was done, or in which context."""
        return False

    def _asker_codes(
        self, user: Column, columns: Sequence[Column], told: SideTable | None
    ) -> dict[str, Any]:
        """Return what else a network reads of users who ask, and of their table's columns."""
        return {}

    def _unknown_event_codes(self, n_events: int) -> dict[str, Any]:
        """Return what is kept of events of which the item alone is known."""
        return {}

    def _queries(self, asked: Asked, source: Histories | None = None) -> Queries:
        """Return what rows that ask may see of histories; None takes those of fit."""
        own = asked.items if self._has_times else None
        source = self._histories if source is None else source
        queries = build_queries(source, asked.users, asked.at, own, *self._sizes)
        together = queries.own if asked.own is None else asked.own
        return replace(queries, asked=asked.codes, own=together)

    def _asking(
        self, X: Any, histories: Any, now: float, user_features: Any
    ) -> tuple[Asked, Histories]:
        """Return who asks for recommendations, and the histories that they have."""
        told = self._user_table
        if user_features is not None:
            if told is None:
                raise ValueError(
                    "user_features was passed, but fit knew of none: nothing would read it."
                )
            told = told.with_more(user_features, "user_features")
        if histories is None:
            return self._askers(X, now, told), self._histories
        if X is not None and not self._reads_askers:
            raise ValueError("X and histories were both passed: give one of them.")
        histories = _lists(histories)
        asked = self._askers([None] * len(histories) if X is None else X, now, told, False)
        if len(asked.users) != len(histories):
            raise ValueError(
                f"X tells of {len(asked.users)} users, but histories holds {len(histories)} lists: "
                "one for each."
            )
        source = self._new_histories(histories, asked.at)
        return asked._replace(users=np.arange(len(histories))), source

    def _askers(self, X: Any, now: float, told: SideTable | None, named: bool = True) -> Asked:
        """Read users, with or without a time of their own, and what else is known of them."""
        user, columns, time = self._who_and_when(X, named)
        users = self._user_ids.codes(user) - 1
        at = np.full(len(users), now)
        if time is not None:
            at = event_times(time, len(users), self._dated)
        return Asked(users, None, at, self._asker_codes(user, columns, told))

    def _who_and_when(self, X: Any, named: bool) -> tuple[Column, list[Column], Column | None]:
        """Return users, the other columns of a table, and times; perhaps no users have names."""
        if X is None:
            return Column("users_", self.users_), [], None
        if self._has_all_columns(X):
            columns = read_columns(self, X, reset=False)
            time = self._roles.timestamp
            who = columns[self._roles.who_and_what[0]]
            return who, columns, None if time is None else columns[time]
        if not is_table(X):
            return id_column(X, "X"), [], None
        columns = table_columns(X)
        names = [column.name for column in columns]
        position = self._position(names, "user")
        if position is None and named:
            raise ValueError(f"X has no column of users among {names[:20]}.")
        nobody = np.full(len(columns[0]), None, dtype=object)
        user = Column("user", nobody) if position is None else columns[position]
        time = self._position(names, "timestamp") if self._has_times else None
        return user, columns, None if time is None else columns[time]

    def _has_all_columns(self, X: Any) -> bool:
        """Whether X has the columns of ``fit`` by their places, not by names."""
        by_place = isinstance(X, np.ndarray) or (
            is_table(X) and not hasattr(self, "feature_names_in_")
        )
        return by_place and X.shape[1:] == (self.n_features_in_,)

    def _position(self, names: Sequence[str], role: str) -> int | None:
        """Find a column of a table that has not all columns of ``fit``."""
        known = getattr(self, "feature_names_in_", None)
        name = None if known is None else known[getattr(self._roles, role)]
        return resolve_role(names, role, name if name in names else "auto")

    def _time_of(self, at: Any) -> float:
        if at is None:
            return self._now
        if not self._has_times:
            raise ValueError("at was passed, but fit knew of no times: X had no timestamp column.")
        try:
            return one_time(at, self._dated)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"at must be one time like those of fit, got {at!r}: those are "
                f"{TIME_KINDS[self._dated]}."
            ) from error

    def _new_histories(self, histories: list[Any], at: NDArray[np.float64]) -> Histories:
        """Take lists of items as histories; their events are the usual gap apart, the last now."""
        codes = [self._item_ids.codes_of(own, "histories") for own in histories]
        lengths = np.array([len(own) for own in codes], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        items = np.concatenate([np.zeros(0, dtype=np.int64), *codes])
        behind = starts[1:].repeat(lengths) - 1 - np.arange(len(items))
        gap = self._usual_gap if self._has_times else 0.0
        times = at.repeat(lengths) - behind * gap
        users = np.arange(len(lengths)).repeat(lengths)
        nearer = np.inf if self._session_gap is None else self._session_gap
        sessions = sessions_by_gap(users, times, nearer)
        codes_of = self._unknown_event_codes(max(len(items), 1))  # one to read where there is none
        return Histories(items, times, np.ones(len(items)), starts, sessions, codes_of)


def _lists(histories: Any) -> list[Any]:
    """Return lists of items as they are, one for each user; refuse anything else."""
    rule = "histories must be a list of lists of items, one list for each user"
    if is_table(histories) or isinstance(histories, (str, Mapping)) or not np.iterable(histories):
        raise ValueError(f"{rule}; got {type(histories).__name__}.")
    lists = list(histories)
    for own in lists:
        if isinstance(own, (str, bytes)) or not np.iterable(own):
            raise ValueError(f"{rule}; found {own!r} in the place of one.")
    return lists
