"""Tables that say more of users or items: one row for each -> codes by id."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._interactions import Ids
from .data.columns import Column, is_table, table_columns
from .data.groups import ColumnGroup
from .data.roles import ROLES, resolve_role


class SideTable:
    """Features of users or items.

    Parameters
    ----------
    table : DataFrame
        A column of ids, each once, and at least one more: numbers, categories, datetimes, or
        vectors of one length.
    role : {"user", "item"}
        Whose features these are.
    id_name : str
        Name of the column of ids in X; here it may have the role's own names, too.
    parameter : str
        The parameter's name in errors.
    known : SideTable, default=None
        One given before, with the same columns, which mean what they meant there.

    Attributes
    ----------
    ids_ : Ids
        Who is described.
    group_ : ColumnGroup
        What the columns mean.
    names_ : list of str
        Their names.

    Raises
    ------
    ValueError
        If it is no data frame, has no column of ids or nothing else, an id is missing or there
        twice, a column cannot be read, or the columns are not those of ``known``.
    """

    names_: list[str]

    def __init__(
        self,
        table: Any,
        role: str,
        id_name: str,
        parameter: str,
        known: SideTable | None = None,
    ) -> None:
        columns, position = _take_apart(table, role, id_name, parameter)
        if known is not None:
            columns, position = _in_order(columns, position, known.names_, parameter)
        self.names_ = [column.name for column in columns]
        own = columns[position]
        self.ids_ = Ids(own)
        codes = self.ids_.codes(own) - 1
        if len(self.ids_) < len(codes):
            twice = own.as_objects()[int(np.argmax(np.bincount(codes)[codes] > 1))]
            raise ValueError(f"{parameter} must have one row for each {role}; {twice!r} has more.")
        others = [place for place in range(len(columns)) if place != position]
        if known is None:
            self.group_ = ColumnGroup(role, others).fit(columns, np.ones(len(codes)))
        else:
            self.group_ = known.group_
        order = np.argsort(codes)
        unknown = self.group_.unknown(1)
        self._codes: dict[str, NDArray[Any]] = {  # row 0 is for those that the table does not have
            name: np.concatenate([unknown[name], values[order]])
            for name, values in self.group_.codes(columns).items()
        }

    def codes(self, ids: Column, dtype: DTypeLike = np.float32) -> dict[str, NDArray[Any]]:
        """Return the codes of ids, those of nothing known where the table does not have them.

        Parameters
        ----------
        ids : Column
            Ids of users or items.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind)
            Under the names "user.bin", "item.category" and so on.
        """
        rows = self.ids_.codes(ids)
        own = {name: values[rows] for name, values in self._codes.items()}
        return {
            name: values.astype(dtype, copy=False) if values.dtype.kind == "f" else values
            for name, values in own.items()
        }


def _take_apart(table: Any, role: str, id_name: str, parameter: str) -> tuple[list[Column], int]:
    """Return the columns, and which are the ids."""
    if not is_table(table):
        raise ValueError(
            f"{parameter} must be a data frame with one row for each {role}, got "
            f"{type(table).__name__}."
        )
    columns = table_columns(table)
    names = [column.name for column in columns]
    position = resolve_role(names, role, id_name if id_name in names else "auto")
    if position is None:
        raise ValueError(
            f"{parameter} has no column of {role}s among {names[:20]}: call it {id_name!r}, as in "
            f"X, or {' or '.join(map(repr, ROLES[role]))}."
        )
    if len(columns) == 1:
        raise ValueError(
            f"{parameter} has no column beside {names[0]!r}: there is nothing to read."
        )
    return columns, position


def _in_order(
    columns: list[Column], position: int, names: list[str], parameter: str
) -> tuple[list[Column], int]:
    """Return the columns in the order of those known, and which are the ids."""
    by_name = {column.name: column for column in columns}
    if sorted(by_name) != sorted(names):
        raise ValueError(
            f"{parameter} must have the columns it had when the network was built, {names[:20]}; "
            f"got {list(by_name)[:20]}."
        )
    return [by_name[name] for name in names], names.index(columns[position].name)
