"""Splitters for tables of interactions: who did what, and when."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, GroupKFold
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from sk_attention._random import draw_seed
from sk_attention.data.columns import Column, array_columns, is_table, table_columns
from sk_attention.data.roles import ROLES, id_codes, resolve_role, times

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
AT_LEAST_ONE = Interval(Integral, 1, None, closed="left")


class _InteractionSplitter(BaseCrossValidator):
    """What the splitters share: parameters checked at `split`, columns found by their role."""

    n_splits: int
    _parameter_constraints: ClassVar[dict[str, Any]]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the rows to train on and the rows to test on, one pair per split.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            One interaction per row, in any order.
        y : array-like of shape (n_samples,), default=None
            Not used.
        groups : array-like of shape (n_samples,), default=None
            Not used: the user is a column of ``X``.

        Yields
        ------
        train : ndarray of shape (n_train,), dtype intp
            Positions of the rows to train on, ascending.
        test : ndarray of shape (n_test,), dtype intp
            Positions of the rows to test on, ascending.

        Raises
        ------
        ValueError
            If a parameter is out of range, a column is not found or has missing values, or there
            are too few rows.
        """
        params = {name: getattr(self, name) for name in self._parameter_constraints}
        validate_parameter_constraints(
            self._parameter_constraints, params, caller_name=type(self).__name__
        )
        for train, test in self._masks(_columns(X)):
            yield np.flatnonzero(train), np.flatnonzero(test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object, default=None
            Not used.

        Returns
        -------
        n_splits : int
            As given.
        """
        return self.n_splits

    @abstractmethod
    def _masks(self, columns: list[Column]) -> Iterator[tuple[Mask, Mask]]:
        """Yield a mask of the training rows and one of the test rows."""

    def _find(self, columns: list[Column], role: str) -> Column | None:
        position = resolve_role([column.name for column in columns], role, getattr(self, role))
        return None if position is None else columns[position]

    def _need(self, columns: list[Column], role: str) -> Column:
        column = self._find(columns, role)
        if column is None:
            names = " or ".join(map(repr, ROLES[role]))
            raise ValueError(
                f"{type(self).__name__} needs a {role} column, which {role}={getattr(self, role)!r}"
                f" does not find among the columns {[column.name for column in columns][:20]}: "
                f"call it {names}, or give its name, or its position in an array."
            )
        return column


class LeaveLastOut(_InteractionSplitter):
    """Hold out the last interactions of each user.

    A user's interactions are ordered by time, those of equal times by row. The last split tests
    on each user's last `n` and trains on all before them. Each split before that one forgets the
    `n` last interactions of each user and does the same with the rest: the oldest split comes
    first, as in `TimeSeriesSplit`. A user who has no more than `n` interactions left gives
    training rows only.

    This is the split of most papers, and it leaks: while one user's last interaction is held
    out, training rows of other users may be younger, and tell what was going to be popular.
    Scores come out too high, and can rank models wrongly [1]_. For figures to rely on take
    `GlobalTemporalSplit`.

    Parameters
    ----------
    n_splits : int, default=1
        Number of splits, at least 1.
    n : int, default=1
        Interactions per user that a split holds out, at least 1.
    user : str or int, default="auto"
        Name or position of the column of users. "auto" takes the column called "user" or
        "user_id".
    timestamp : str, int or None, default="auto"
        Name or position of the column of times, numbers or datetimes. "auto" takes the column
        called "timestamp". Where there is none, or for None, time is the order of the rows.

    See Also
    --------
    GlobalTemporalSplit : Does not look into the future.

    References
    ----------
    .. [1] Ji, Sun, Zhang and Li, "A critical study on data leakage in recommender system offline
       evaluation", ACM Transactions on Information Systems, 2023 (arXiv 2010.11060).

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.model_selection import LeaveLastOut
    >>> X = np.array([[1, 10], [1, 30], [2, 20], [1, 20], [2, 40]])  # user, time
    >>> for train, test in LeaveLastOut(user=0, timestamp=1).split(X):
    ...     print(train, test)
    [0 2 3] [1 4]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_splits": [AT_LEAST_ONE],
        "n": [AT_LEAST_ONE],
        "user": "no_validation",  # the roles have rules of their own
        "timestamp": "no_validation",
    }

    def __init__(
        self, n_splits: int = 1, *, n: int = 1, user: Any = "auto", timestamp: Any = "auto"
    ) -> None:
        self.n_splits = n_splits
        self.n = n
        self.user = user
        self.timestamp = timestamp

    def _masks(self, columns: list[Column]) -> Iterator[tuple[Mask, Mask]]:
        user = id_codes(self._need(columns, "user"))
        column = self._find(columns, "timestamp")
        time = np.zeros(len(user)) if column is None else times(column)
        n_rows = np.bincount(user)[user]  # of the user of each row
        n_later = n_rows - 1 - _n_earlier(user, time)
        for n_forgotten in range((self.n_splits - 1) * self.n, -1, -self.n):
            held_out = n_forgotten + self.n
            test = (n_later >= n_forgotten) & (n_later < held_out) & (n_rows > held_out)
            if not test.any():
                raise ValueError(
                    f"LeaveLastOut with n_splits={self.n_splits} and n={self.n} holds out nothing "
                    f"in a split: no user has more than {held_out} interactions."
                )
            yield (n_later >= n_forgotten) & ~test, test


class GlobalTemporalSplit(_InteractionSplitter):
    """Train on what was before a moment, test on what came after it.

    The last `n_splits` x `test_size` of the rows, by time, are cut into blocks, one after the
    other. Each split tests on one block and trains on every row before it, so that no row tells
    of the future [1]_; the oldest split comes first. A cut is the time of the row at which a
    block of the wanted size begins, and rows of that time are all in the block: equal times are
    never torn apart, and blocks can be larger or smaller than wanted.

    Users and items that appear for the first time stay in the test rows. A recommender meets
    them in use as well.

    Parameters
    ----------
    n_splits : int, default=3
        Number of splits, at least 1.
    test_size : float, default=0.1
        Share of the rows in each test block, between 0 and 1. All blocks together must leave
        rows to train on.
    targets : {"all", "first"}, default="all"
        Which rows of a block to test on: all of them, or each user's first. With "first" each
        user counts the same, and what is asked for is the very next interaction.
    user : str or int, default="auto"
        Name or position of the column of users; needed for ``targets="first"`` only. "auto"
        takes the column called "user" or "user_id".
    timestamp : str or int, default="auto"
        Name or position of the column of times, numbers or datetimes. "auto" takes the column
        called "timestamp".

    See Also
    --------
    LeaveLastOut : Holds out the last interactions of each user, whenever they were.
    sklearn.model_selection.TimeSeriesSplit : Cuts between rows that are sorted by time already.

    References
    ----------
    .. [1] Ji, Sun, Zhang and Li, "A critical study on data leakage in recommender system offline
       evaluation", ACM Transactions on Information Systems, 2023 (arXiv 2010.11060).

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.model_selection import GlobalTemporalSplit
    >>> X = np.array([[1, 10], [2, 60], [2, 20], [1, 30], [2, 40], [1, 50]])  # user, time
    >>> for train, test in GlobalTemporalSplit(2, test_size=0.3, user=0, timestamp=1).split(X):
    ...     print(train, test)
    [0 2] [3 4]
    [0 2 3 4] [1 5]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_splits": [AT_LEAST_ONE],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "targets": [StrOptions({"all", "first"})],
        "user": "no_validation",  # the roles have rules of their own
        "timestamp": "no_validation",
    }

    def __init__(
        self,
        n_splits: int = 3,
        *,
        test_size: float = 0.1,
        targets: str = "all",
        user: Any = "auto",
        timestamp: Any = "auto",
    ) -> None:
        self.n_splits = n_splits
        self.test_size = test_size
        self.targets = targets
        self.user = user
        self.timestamp = timestamp

    def _masks(self, columns: list[Column]) -> Iterator[tuple[Mask, Mask]]:
        time = times(self._need(columns, "timestamp"))
        user = id_codes(self._need(columns, "user")) if self.targets == "first" else None
        block = np.searchsorted(self._cuts(time), time, side="right")  # 0 is before all blocks
        for test_block in range(1, self.n_splits + 1):
            test = block == test_block
            if user is not None:
                rows = np.flatnonzero(test)
                test[rows] = _n_earlier(user[rows], time[rows]) == 0
            yield block < test_block, test

    def _cuts(self, time: NDArray[Any]) -> NDArray[Any]:
        """Return the times at which the blocks begin."""
        block_size = max(1, round(self.test_size * len(time)))
        named = f"GlobalTemporalSplit with n_splits={self.n_splits} and test_size={self.test_size}"
        starts = len(time) - block_size * np.arange(self.n_splits, 0, -1)
        if starts[0] < 1:
            raise ValueError(
                f"{named} leaves nothing to train on: X has {len(time)} rows, of which each test "
                f"block takes {block_size}."
            )
        cuts = np.sort(time)[starts]
        if cuts[0] == time.min() or (cuts[1:] == cuts[:-1]).any():
            raise ValueError(
                f"{named} cannot cut between rows of equal time: so many are equal that a block, "
                "or what is before all blocks, would be empty. Ask for fewer or larger blocks."
            )
        return cuts


class UserGroupKFold(_InteractionSplitter):
    """Hold out whole users, each of them once.

    This is scikit-learn's `GroupKFold` with the users as groups, and asks how a model does on
    users it has never met. A recommender that knows users by their id alone has nothing to go by
    there but what is popular; one that reads histories needs the history handed over. In time it
    looks into the future as `LeaveLastOut` does.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits, at least 2 and at most the number of users.
    user : str or int, default="auto"
        Name or position of the column of users. "auto" takes the column called "user" or
        "user_id".
    shuffle : bool, default=False
        Whether users are dealt to the splits by chance, instead of so that splits have about as
        many rows.
    random_state : int, RandomState or None, default=None
        Seed of the shuffle. None shuffles differently each time.

    See Also
    --------
    GlobalTemporalSplit : Tests on what came later, by users old and new.
    sklearn.model_selection.GroupKFold : Takes the groups as an argument.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention.model_selection import UserGroupKFold
    >>> X = np.array([["Ann", "tea"], ["Bob", "tea"], ["Ann", "milk"], ["Bob", "rum"]])
    >>> for train, test in UserGroupKFold(2, user=0).split(X):
    ...     print(train, test)
    [0 2] [1 3]
    [1 3] [0 2]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "user": "no_validation",  # the roles have rules of their own
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        user: Any = "auto",
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.user = user
        self.shuffle = shuffle
        self.random_state = random_state

    def _masks(self, columns: list[Column]) -> Iterator[tuple[Mask, Mask]]:
        user = id_codes(self._need(columns, "user"))
        n_users = len(np.unique(user))
        if self.n_splits > n_users:
            raise ValueError(
                f"UserGroupKFold with n_splits={self.n_splits} needs a user for each split, X has "
                f"{n_users}."
            )
        seed = draw_seed(self.random_state) if self.shuffle else None
        folds = GroupKFold(self.n_splits, shuffle=bool(self.shuffle), random_state=seed)
        for _, rows in folds.split(user, groups=user):
            test = np.zeros(len(user), dtype=bool)
            test[rows] = True
            yield ~test, test


def _columns(X: Any) -> list[Column]:
    if is_table(X):
        return table_columns(X)
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(
            f"X must be a data frame or an array of two dimensions, got {X.ndim} dimensions."
        )
    return array_columns(X)


def _n_earlier(user: Rows, time: NDArray[Any]) -> Rows:
    """Return how many rows of the same user come earlier, by time and then by row."""
    order = np.lexsort((time, user))
    n_rows = np.bincount(user)
    starts = np.cumsum(n_rows) - n_rows
    n_earlier = np.empty(len(user), dtype=np.intp)
    n_earlier[order] = np.arange(len(user)) - starts[user[order]]
    return n_earlier
