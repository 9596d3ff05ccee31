"""Tables that say more of users or items: one row for each -> codes by id."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._interactions import Ids
from .data.columns import Column, is_table, table_columns
from .data.groups import ColumnGroup
from .data.ragged import stacked
from .data.roles import ROLES, resolve_role


class SideTable:
    """Features of users or items.

    Parameters
    ----------
    table : DataFrame
        A column of ids, each once, and at least one more: numbers, categories, datetimes, texts, or
        vectors of one length.
    role : {"user", "item"}
        Whose features these are.
    id_name : str
        Name of the column of ids in X; here it may have the role's own names, too.
    parameter : str
        The parameter's name in errors.
    texts : sequence of str, default=()
        Names of columns that are texts, if they are there.

    Attributes
    ----------
    ids_ : Ids
        Who is described.
    names_ : list of str
        The columns beside that of ids.
    group_ : ColumnGroup
        What they mean.

    Raises
    ------
    ValueError
        If it is no data frame, has no column of ids or nothing else, an id is missing or there
        twice, or a column cannot be read.
    """

    def __init__(
        self, table: Any, role: str, id_name: str, parameter: str, texts: Sequence[str] = ()
    ) -> None:
        self._owner = role, id_name
        own, others = _take_apart(table, role, id_name, parameter)
        self.ids_, order = _ids_once(own, role, parameter)
        self.names_ = [column.name for column in others]
        chosen = [place for place, name in enumerate(self.names_) if name in texts]
        group = ColumnGroup(role, range(len(others)), texts=chosen)
        self.group_ = group.fit(others, np.ones(len(order)))
        self._codes = self._coded(others, order)

    def _coded(self, others: list[Column], order: NDArray[np.intp]) -> dict[str, Any]:
        """Return the codes by id; row 0 is for those that the table does not have."""
        unknown = self.group_.unknown(1)
        return {
            name: stacked(unknown[name], values[order])
            for name, values in self.group_.codes(others).items()
        }

    def with_more(self, table: Any, parameter: str) -> SideTable:
        """Return this table together with a later one, which comes first where both know an id.

        Parameters
        ----------
        table : DataFrame
            With a column of ids, and those that were there.
        parameter : str
            The parameter's name in errors.

        Returns
        -------
        both : SideTable
            What the columns mean stays as it was.

        Raises
        ------
        ValueError
            If it is no such table.
        """
        own, others = _take_apart(table, *self._owner, parameter)
        ids, order = _ids_once(own, self._owner[0], parameter)
        there = {column.name: column for column in others}
        missing = [name for name in self.names_ if name not in there]
        if missing:
            raise ValueError(
                f"{parameter} has no column {missing[0]!r}, which the table in fit had; its "
                f"columns are {list(there)[:20]}."
            )
        new = self._coded([there[name] for name in self.names_], order)
        both = copy.copy(self)
        both.ids_, _ = self.ids_.joined(own)
        every = Column(own.name, both.ids_.values_)
        later = ids.codes(every)
        rows = np.where(later > 0, later + len(self.ids_) + 1, self.ids_.codes(every))
        rows = np.concatenate([[0], rows])
        both._codes = {name: stacked(self._codes[name], new[name])[rows] for name in new}
        return both

    def codes(self, ids: Column, dtype: DTypeLike = np.float32) -> dict[str, Any]:
        """Return the codes of ids, those of nothing known where the table does not have them.

        Parameters
        ----------
        ids : Column
            Ids of users or items.
        dtype : dtype, default=float32
            Of codes that are floats.

        Returns
        -------
        codes : dict of ndarray of shape (n_rows, n_fields of a kind), or Ragged
            Under the names "user.bin", "item.category" and so on.
        """
        rows = self.ids_.codes(ids)
        own = {name: values[rows] for name, values in self._codes.items()}
        return {
            name: values.astype(dtype, copy=False)
            if isinstance(values, np.ndarray) and values.dtype.kind == "f"
            else values
            for name, values in own.items()
        }


def check_texts(texts: Any, columns: Sequence[str], tables: Sequence[SideTable | None]) -> None:
    """Refuse texts that no table has.

    Parameters
    ----------
    texts : list of str
        The parameter ``text_features``.
    columns : sequence of str
        Names of the columns of X that say neither who, what nor when.
    tables : sequence of SideTable or None
        Tables that may have them.

    Raises
    ------
    ValueError
        If one of the names is in none of the tables.
    """
    there = [*columns, *(name for table in tables if table is not None for name in table.names_)]
    for name in texts:
        if name not in there:
            raise ValueError(
                f"text_features names {name!r}, which is no column of X without a role, nor of "
                f"item_features or user_features; theirs are {there[:20]}."
            )


def texts_among(texts: Any, columns: Sequence[Column], positions: Sequence[int]) -> list[int]:
    """Return which of some columns are texts.

    Parameters
    ----------
    texts : list of str or None
        The parameter ``text_features``.
    columns : sequence of Column
        The columns of X.
    positions : sequence of int
        Those to be read.

    Returns
    -------
    positions : list of int
        Of the texts.
    """
    names = text_names(texts)
    return [position for position in positions if columns[position].name in names]


def text_names(texts: Any) -> list[str]:
    """Return ``text_features`` as a list of names.

    Parameters
    ----------
    texts : list of str or None
        The parameter.

    Returns
    -------
    names : list of str
        None of them for None.

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    names = [] if texts is None else list(texts)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            "text_features must be a list of names of columns of X, item_features or "
            f"user_features; got {texts!r}."
        )
    return names


def _ids_once(own: Column, role: str, parameter: str) -> tuple[Ids, NDArray[np.intp]]:
    """Return the ids of a table, and the rows in their order."""
    ids = Ids(own)
    codes = ids.codes(own) - 1
    if len(ids) < len(codes):
        twice = own.as_objects()[int(np.argmax(np.bincount(codes)[codes] > 1))]
        raise ValueError(f"{parameter} must have one row for each {role}; {twice!r} has more.")
    return ids, np.argsort(codes)


def _take_apart(table: Any, role: str, id_name: str, parameter: str) -> tuple[Column, list[Column]]:
    """Return the column of ids, and the others."""
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
    return columns.pop(position), columns
