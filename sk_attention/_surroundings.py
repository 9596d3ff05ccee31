"""What a ranking reads beside users, items and times: of past events, of moments, and of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._build import build_features
from ._history_reading import HistoryReadingMixin
from ._interactions import columns_without_role, find_context
from ._side_tables import SideTable, texts_among
from .data.columns import Column
from .data.groups import ColumnGroup
from .data.queries import Queries
from .data.ragged import as_tensors
from .nn.features import PartlyKnown
from .nn.items import Described
from .nn.recommender import Surroundings


class SurroundingsMixin(HistoryReadingMixin):
    """Columns of X beside the roles, and the tables of users and items."""

    embedding_dim: int
    precision: str
    text_features: Any
    _event_group: ColumnGroup
    _context_group: ColumnGroup

    def _learn_columns(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> None:
        """Learn what is read of past events, and which of it is known before they happen."""
        context = find_context(self, columns, self._roles)
        others = columns_without_role(columns, self._roles)
        self._event_group, self._context_group = (
            ColumnGroup(
                name, positions, texts=texts_among(self.text_features, columns, positions)
            ).fit(columns, weight)
            for name, positions in (("event", others), ("context", context))
        )

    def _event_codes(self, columns: Sequence[Column], y: Any) -> dict[str, Any]:
        return {
            **self._event_group.codes(columns, self._floats),
            **self._context_group.codes(columns, self._floats),
        }

    def _unknown_event_codes(self, n_events: int) -> dict[str, Any]:
        return {
            **self._event_group.unknown(n_events, self._floats),
            **self._context_group.unknown(n_events, self._floats),
        }

    def _asked_codes(self, columns: Sequence[Column], items: NDArray[np.int64]) -> dict[str, Any]:
        user = columns[self._roles.who_and_what[0]]
        return {
            **self._context_group.codes(columns, self._floats),
            **self._user_codes(user, self._user_table),
        }

    def _asker_codes(
        self, user: Column, columns: Sequence[Column], told: SideTable | None
    ) -> dict[str, Any]:
        return {
            **self._context_group.codes_of_some(columns, len(user), self._floats),
            **self._user_codes(user, told),
        }

    def _user_codes(self, user: Column, table: SideTable | None) -> dict[str, Any]:
        """Return what a table says of users."""
        return {} if table is None else table.codes(user, self._floats)

    @property
    def _reads_askers(self) -> bool:
        return self._user_table is not None or len(self._context_group) > 0

    @property
    def _floats(self) -> type[np.floating[Any]]:
        """What codes that are no whole numbers are held in: what the network computes in."""
        return np.float64 if self.precision == "float64" else np.float32

    def _said_of_askers(
        self, queries: Queries, items: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float32]]:
        groups = {"context": self._context_group}
        if self._user_table is not None:
            groups["user"] = self._user_table.group_
        vectors = self._catalogue.items.numpy()[:, :-1]
        own = vectors[items] - vectors.mean(axis=0)
        own[items < 0] = np.nan
        known, said = self._hidden(queries)[:, :-1], {}
        for name, group in groups.items():
            if len(group):
                asked = {**queries.asked, **group.unknown(len(queries), self._floats)}
                unknown = self._hidden(replace(queries, asked=asked))[:, :-1]
                said[name] = ((known - unknown) * own).sum(axis=1)
        return said

    # ---- networks ------------------------------------------------------------------------------

    def _surroundings(self, generator: torch.Generator) -> Surroundings:
        """Return the parts of a network that read them."""
        return Surroundings(
            self._described(generator),
            self._partly_known(self._event_group, generator),
            self._partly_known(self._context_group, generator),
            self._users_said(generator),
        )

    def _described(self, generator: torch.Generator) -> Described | None:
        """Return what is said of the items elsewhere."""
        if self._item_table is None:
            return None
        met = np.zeros(len(self.items_) + 1, dtype=bool)
        met[self._histories.items] = True
        features = build_features(self._item_table.group_, self.embedding_dim, generator)
        assert features is not None  # a table has a column beside that of ids
        codes = self._item_table.codes(Column("items_", self.items_))
        return Described(features, _tensors(codes), torch.as_tensor(met[1:]))

    def _users_said(self, generator: torch.Generator) -> PartlyKnown | None:
        """Return what is said of the users elsewhere."""
        table = self._user_table
        return None if table is None else self._partly_known(table.group_, generator)

    def _partly_known(self, group: ColumnGroup, generator: torch.Generator) -> PartlyKnown | None:
        features = build_features(group, self.embedding_dim, generator)
        return None if features is None else PartlyKnown(features, _tensors(group.unknown(1)))


def _tensors(codes: dict[str, Any]) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, values in codes.items():
        tensors |= as_tensors(name, values)
    return tensors
