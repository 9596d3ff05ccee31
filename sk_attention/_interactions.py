"""Tables of interactions -> codes and times, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from .data.categories import CategoryEncoder
from .data.columns import Column
from .data.fields import chosen_columns
from .data.roles import ROLES, id_codes, moment, resolve_role, times

TIME_KINDS = {True: "datetimes", False: "numbers"}


@dataclass(frozen=True)
class Roles:
    """Positions of the columns that say who, what, when and together with what; else None."""

    user: int | None
    item: int | None
    timestamp: int | None
    session: int | None

    @property
    def who_and_what(self) -> tuple[int, int]:
        """Positions of user and item, which are there."""
        assert self.user is not None and self.item is not None
        return self.user, self.item


def find_roles(estimator: Any, columns: Sequence[Column]) -> Roles:
    """Find the columns' roles, as the estimator's parameters say.

    Parameters
    ----------
    estimator : object
        Has the parameters ``user``, ``item`` and ``timestamp``, and perhaps ``session``.
    columns : sequence of Column
        The columns of X.

    Returns
    -------
    roles : Roles
        User and item, or neither.

    Raises
    ------
    ValueError
        If a column that is named does not exist, several match, one is named twice, or only one of
        user and item is found.
    """
    names = [column.name for column in columns]
    given = [getattr(estimator, role, None) for role in Roles.__annotations__]
    roles = Roles(*map(partial(resolve_role, names), Roles.__annotations__, given))
    if (roles.user is None) != (roles.item is None):
        missing, found = ("item", "user") if roles.item is None else ("user", "item")
        raise ValueError(
            f"{type(estimator).__name__} found a column of {found}s but none of {missing}s among "
            f"{names[:20]}: name it as {missing}=, by its name or its position in an array, or "
            f"call it {' or '.join(map(repr, ROLES[missing]))}."
        )
    taken = [position for position in vars(roles).values() if position is not None]
    twice = [names[position] for position in taken if taken.count(position) > 1]
    if twice:
        raise ValueError(
            f"{type(estimator).__name__} needs a column each for user, item, timestamp and "
            f"session; got {twice[0]!r} for two of them."
        )
    return roles


def columns_without_role(columns: Sequence[Column], roles: Roles) -> list[int]:
    """Return the columns that say neither who, what nor when.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    roles : Roles
        Which of them have a role.

    Returns
    -------
    positions : list of int
        Without columns that are called as one with a role is, even where they have none: with
        ``timestamp=None`` times are not to be read.
    """
    taken = [position for position in vars(roles).values() if position is not None]
    names = {name for own in ROLES.values() for name in own}
    return [
        position
        for position, column in enumerate(columns)
        if position not in taken and column.name not in names
    ]


def find_context(estimator: Any, columns: Sequence[Column], roles: Roles) -> list[int]:
    """Find the columns that are known when a recommendation is asked for.

    Parameters
    ----------
    estimator : object
        Has perhaps the parameter ``context``.
    columns : sequence of Column
        The columns of X.
    roles : Roles
        Which of them have a role.

    Returns
    -------
    positions : list of int
        None for an estimator without such columns.

    Raises
    ------
    ValueError
        If a column that is named does not exist, is named twice, or has a role.
    """
    positions = chosen_columns(columns, getattr(estimator, "context", None), "context")
    taken = [position for position in vars(roles).values() if position is not None]
    for place, position in enumerate(positions):
        name = columns[position].name
        if position in taken:
            raise ValueError(f"context names {name!r}, which says who, what or when already.")
        if position in positions[:place]:
            raise ValueError(f"context names {name!r} twice.")
    return positions


def questions(
    columns: Sequence[Column], roles: Roles, context: Sequence[int] = ()
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Group the rows that ask for the same recommendation: of one user, time and context.

    Parameters
    ----------
    columns : sequence of Column
        The columns of X.
    roles : Roles
        Which are which; without times all rows of a user are one question.
    context : sequence of int, default=()
        Columns that are known when a recommendation is asked for.

    Returns
    -------
    query : ndarray of shape (n_rows,), dtype intp
        Number of the question of each row, from 0.
    distinct : ndarray of shape (n_rows,), dtype bool
        False for a row whose question has asked for the same item before.
    """
    user, item = (id_codes(columns[position]) for position in roles.who_and_what)
    if roles.timestamp is not None:
        moments, moment = np.unique(times(columns[roles.timestamp]), return_inverse=True)
        user = user * len(moments) + moment
    for position in context:
        cell = context_codes(columns[position])
        user = np.unique(user, return_inverse=True)[1] * (cell.max(initial=0) + 1) + cell
    query = np.unique(user, return_inverse=True)[1]
    distinct = np.zeros(len(query), dtype=bool)
    distinct[np.unique(query * (item.max(initial=0) + 1) + item, return_index=True)[1]] = True
    return query, distinct


def check_relevance(estimator: Any, y: Any, columns: Sequence[Column]) -> None:
    """Refuse a table without users and items that has no ``y`` either, or tables about them.

    Parameters
    ----------
    estimator : object
        Who is fitted.
    y : array-like or None
        Relevance of the rows.
    columns : sequence of Column
        The columns of X.

    Raises
    ------
    ValueError
        If ``y`` is None, or a parameter tells of users, items or the context.
    """
    for name in ("context", "item_features", "user_features", "text_features"):
        if getattr(estimator, name, None) is not None:
            raise ValueError(
                f"{name} needs columns of users and items, and there are none among "
                f"{[column.name for column in columns][:20]}: name them as user= and item=."
            )
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None: it "
            "found no columns of users and items among "
            f"{[column.name for column in columns][:20]}. Name them as user= and item=, by their "
            "names or their positions in an array, or call them 'user' and 'item', or 'user_id' "
            "and 'item_id'."
        )


def context_codes(column: Column) -> NDArray[np.int64]:
    """Return a number for each cell of a column, the same for equal cells.

    Parameters
    ----------
    column : Column
        Anything; missing cells are equal.

    Returns
    -------
    codes : ndarray of shape (n_rows,), dtype int64
        From 0.
    """
    number: dict[Any, int] = {}
    cells = [
        tuple(cell) if isinstance(cell, (list, np.ndarray)) else cell
        for cell in column.as_objects()
    ]
    return np.array([number.setdefault(cell, len(number)) for cell in cells], dtype=np.int64)


class Ids:
    """Ids of any type <-> codes: 1, 2, ... in sorted order, 0 for an id that is unknown.

    Parameters
    ----------
    column : Column
        Ids, none of them missing.

    Attributes
    ----------
    values_ : ndarray of shape (n_ids,)
        The ids in the order of their codes.

    Raises
    ------
    ValueError
        If an id is missing.
    """

    def __init__(self, column: Column) -> None:
        self._encoder = CategoryEncoder().fit([column])
        known = list(self._encoder.codes_[0])
        if known and known[0] is None:
            row = column.as_objects().index(None)
            raise ValueError(
                f"Column {column.name!r} holds ids, of which none may be missing; the one in row "
                f"{row} is."
            )
        self.values_ = _id_array(known)

    def __len__(self) -> int:
        return len(self.values_)

    def joined(self, column: Column) -> tuple[Ids, NDArray[np.int64]]:
        """Return these ids together with those of a column, and the codes they have there.

        Parameters
        ----------
        column : Column
            Ids, none of them missing.

        Returns
        -------
        ids : Ids
            The ids of both.
        codes : ndarray of shape (n_ids + 1,), dtype int64
            New code of each old one; 0 stays 0.
        """
        known, added = self.values_.astype(object), Ids(column).values_.astype(object)
        ids = Ids(Column(column.name, np.concatenate([known, added])))
        return ids, np.concatenate([[0], ids.codes(Column(column.name, known))])

    def codes(self, column: Column) -> NDArray[np.int64]:
        """Return the codes of ids, 0 for those that were not there in fit.

        Parameters
        ----------
        column : Column
            Ids.

        Returns
        -------
        codes : ndarray of shape (n_rows,), dtype int64
            From 0 to the number of ids.
        """
        return self._encoder.transform([column])[:, 0].astype(np.int64)

    def codes_of(self, ids: Any, name: str) -> NDArray[np.int64]:
        """Return the codes of a list of ids.

        Parameters
        ----------
        ids : array-like of shape (n_ids,)
            Ids.
        name : str
            The parameter's name in errors.

        Returns
        -------
        codes : ndarray of shape (n_ids,), dtype int64
            0 for ids that are unknown.

        Raises
        ------
        ValueError
            If it is no list.
        """
        return self.codes(id_column(ids, name))


def id_column(ids: Any, name: str) -> Column:
    """Return a list of ids as a column.

    Parameters
    ----------
    ids : array-like of shape (n_ids,)
        Ids.
    name : str
        The parameter's name in errors.

    Returns
    -------
    column : Column
        Of that name.

    Raises
    ------
    ValueError
        If it is no list.
    """
    series = nw.from_native(ids, pass_through=True, allow_series=True)
    if isinstance(series, nw.Series):
        return Column(name, series)
    if isinstance(ids, (str, bytes)) or np.ndim(ids) == 0:
        raise ValueError(f"{name} must be a list of ids, got {ids!r}.")
    return Column(name, _id_array(list(ids)))


def event_times(column: Column | None, n_rows: int, dated: bool) -> NDArray[np.float64]:
    """Return times in seconds, or in the unit of a column of numbers; 0 without a column.

    Parameters
    ----------
    column : Column or None
        Numbers or datetimes, none of them missing.
    n_rows : int
        Number of rows.
    dated : bool
        Whether the times of fit are datetimes.

    Returns
    -------
    times : ndarray of shape (n_rows,), dtype float64
        When.

    Raises
    ------
    ValueError
        If they are not of the kind of fit.
    """
    if column is None:
        return np.zeros(n_rows)
    values = times(column)
    if (values.dtype.kind == "M") != dated:
        raise ValueError(
            f"Column {column.name!r} holds {TIME_KINDS[not dated]} for times, but those of fit are "
            f"{TIME_KINDS[dated]}: pass the same kind."
        )
    return as_seconds(values)


def one_time(value: Any, dated: bool) -> float:
    """Return a time in seconds since 1970, or a number as it is.

    Parameters
    ----------
    value : number, str, datetime or datetime64
        When.
    dated : bool
        Whether the times of fit are datetimes.

    Returns
    -------
    time : float
        On the scale of `event_times`.

    Raises
    ------
    TypeError, ValueError
        If it is no time, more than one, or not of the kind of fit.
    """
    if isinstance(value, str) or (isinstance(value, datetime) and value.tzinfo is not None):
        value = moment(value)
    array = np.asarray(value.to_datetime64() if hasattr(value, "to_datetime64") else value)
    if array.dtype.kind == "O":
        array = array.astype("datetime64[us]")
    if (array.dtype.kind == "M") != dated:
        raise ValueError("another kind of time")
    seconds = float(as_seconds(array))
    if np.isnat(array) if array.dtype.kind == "M" else not np.isfinite(seconds):
        raise ValueError("not a time")
    return seconds


def as_seconds(values: NDArray[Any]) -> NDArray[np.float64]:
    """Turn datetimes into seconds since 1970; numbers stay as they are.

    Parameters
    ----------
    values : ndarray
        Numbers or datetimes.

    Returns
    -------
    seconds : ndarray of dtype float64
        Of the same shape.
    """
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64) / 1e6
    return values.astype(np.float64)


def _id_array(values: list[Any]) -> NDArray[Any]:
    """Return ids as an array of their own dtype, of objects where they differ in kind."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {int, float, str, bool, np.int64, np.str_}:
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
