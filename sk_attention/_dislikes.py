"""What users turned down: rows of a relevance of 0 or less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, _num_samples

from ._interactions import Ids
from .data.columns import Column, take_rows
from .data.histories import Disliked, Histories, build_histories, regrouped
from .data.queries import past_events
from .data.roles import id_codes


class Verdicts(NamedTuple):
    """Rows that count: those of interactions, and those that users turned down."""

    liked: list[Column]
    weight: NDArray[np.float64]  # of the liked ones
    disliked: list[Column]
    disliked_weight: NDArray[np.float64]  # 1 where a row weighs as much as the mean liked one
    n_before: NDArray[np.int64]  # liked rows of the same user before each disliked one


def relevance_of(estimator: Any, y: Any, n_rows: int) -> NDArray[np.float64]:
    """Return how much each row counts as an interaction.

    Parameters
    ----------
    estimator : object
        Who is asked.
    y : array-like of shape (n_rows,)
        Numbers; 0 or less where a user turned an item down.
    n_rows : int
        Rows of X.

    Returns
    -------
    relevance : ndarray of shape (n_rows,), dtype float64
        All finite.

    Raises
    ------
    ValueError
        If ``y`` holds something else, or is of another length.
    """
    rule = "how much the interaction counts"
    try:
        relevance = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"y must hold numbers, how much each interaction counts; {type(estimator).__name__} "
            f"got y of dtype {np.asarray(y).dtype}."
        ) from error
    if relevance.shape != (n_rows,):
        raise ValueError(
            f"y must hold one finite number per row of X, ({n_rows},): {rule}; got the shape "
            f"{relevance.shape}."
        )
    if not np.isfinite(relevance).all():
        row = int((~np.isfinite(relevance)).argmax())
        raise ValueError(
            f"y must hold one finite number per row of X: {rule}; that of row {row} is "
            f"{relevance[row]}."
        )
    return relevance


def reads_relevance(estimator: Any) -> bool:
    """Return whether ``y`` is the relevance of rows to a recommender.

    Parameters
    ----------
    estimator : object
        A recommender of any make; ``y`` is relevance to one whose ``task`` is "ranking".

    Returns
    -------
    reads : bool
        The answer.
    """
    return getattr(estimator, "task", None) == "ranking"


def liked_rows(estimator: Any, y: Any, n_rows: int) -> NDArray[np.bool_]:
    """Return the rows whose items are to be foretold, by what a recommender takes ``y`` for.

    Parameters
    ----------
    estimator : object
        A recommender; unless it `reads_relevance`, all rows are.
    y : array-like of shape (n_rows,) or None
        None is 1 for all.
    n_rows : int
        Rows of X.

    Returns
    -------
    liked : ndarray of shape (n_rows,), dtype bool
        At least one is.

    Raises
    ------
    ValueError
        If ``y`` breaks a rule, or nothing is liked.
    """
    if y is None or not reads_relevance(estimator):
        return np.ones(n_rows, dtype=bool)
    liked = relevance_of(estimator, y, n_rows) > 0
    if not liked.any():
        raise ValueError(
            "y must be above 0 for a row of X at least: a row of 0 or less was turned down, and "
            f"is no item to be foretold; the largest is {np.max(y)}."
        )
    return liked


def only_liked(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Leave out the rows that are not to be foretold, see `liked_rows`.

    Parameters
    ----------
    estimator : object
        A recommender.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Interactions.
    y : array-like of shape (n_rows,) or None
        Their relevance.
    sample_weight : array-like of shape (n_rows,) or None
        Their weights.

    Returns
    -------
    X, sample_weight : DataFrame or array-like, and array-like or None
        Of the rows that are liked.
    """
    liked = liked_rows(estimator, y, _num_samples(X))
    if liked.all():
        return X, sample_weight
    rows = np.flatnonzero(liked)
    weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
    return _safe_indexing(X, rows), weight


def verdicts(
    estimator: Any,
    columns: Sequence[Column],
    user: int,
    y: Any,
    sample_weight: Any,
    all_may_be_disliked: bool = False,
) -> Verdicts:
    """Part the rows that count into what users liked, and what they turned down.

    Parameters
    ----------
    estimator : object
        Who is fitted.
    columns : sequence of Column
        The columns of X.
    user : int
        Position of that of the users.
    y : array-like of shape (n_rows,) or None
        Relevance; None is 1 for all.
    sample_weight : array-like of shape (n_rows,) or None
        Weights.
    all_may_be_disliked : bool, default=False
        Whether it is no error that nothing is liked.

    Returns
    -------
    verdicts : Verdicts
        Rows of weight 0 are in neither part.

    Raises
    ------
    ValueError
        If ``y`` or the weights break a rule, or nothing is liked.
    """
    rows = columns[0].values
    weight = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    relevance = np.ones(len(rows)) if y is None else relevance_of(estimator, y, len(rows))
    liked, disliked = (weight > 0) & (relevance > 0), (weight > 0) & (relevance <= 0)
    if not liked.any() and not all_may_be_disliked:
        raise ValueError("No row of X counts: y or sample_weight is 0 or less for each of them.")
    before = likes_before(columns[user], liked)[disliked] if disliked.any() else np.zeros(0, int)
    return Verdicts(
        take_rows(list(columns), liked),
        (weight * relevance)[liked],
        take_rows(list(columns), disliked),
        weight[disliked] / (weight[liked].mean() if liked.any() else 1.0),
        before,
    )


def likes_before(user: Column, liked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the liked rows of the same user before each row, in the order of the rows.

    Parameters
    ----------
    user : Column
        Users.
    liked : ndarray of shape (n_rows,), dtype bool
        Which rows are.

    Returns
    -------
    n_before : ndarray of shape (n_rows,), dtype int64
        From 0.
    """
    codes = id_codes(user)
    order = np.argsort(codes, kind="stable")
    total: NDArray[np.int64] = np.cumsum(liked[order]) - liked[order]
    begins = np.searchsorted(codes[order], codes[order])
    n_before = np.empty(len(codes), dtype=np.int64)
    n_before[order] = total - total[begins]
    return n_before


@dataclass(frozen=True)
class Dislikes:
    """What users turned down, of known items and of those that may become known.

    Attributes
    ----------
    ids : Ids
        All items turned down.
    events : Histories
        By user and time, with the codes of known items, else 0; ``codes`` hold ``item``, those of
        ``ids``, ``n_before``, how many likes of the user came before in the order of the rows, and
        ``turn``, how many were told of earlier.
    """

    ids: Ids
    events: Histories

    def __len__(self) -> int:
        return len(self.events)

    def regrouped(self, codes: NDArray[np.int64], n_users: int) -> Dislikes:
        """Return the same with other codes of users, as `sk_attention.data.histories` does."""
        return replace(self, events=regrouped(self.events, codes, n_users))

    def of_items(self, items: Ids) -> Dislikes:
        """Return the same where these are the items known."""
        known = np.append(0, items.codes(Column("item", self.ids.values_)))
        return replace(self, events=replace(self.events, items=known[self.events.codes["item"]]))

    def joined(
        self,
        users: NDArray[np.int64],
        item: Column,
        times: NDArray[np.float64] | None,
        weight: NDArray[np.float64],
        n_before: NDArray[np.int64],
    ) -> Dislikes:
        """Return these and further ones, of items that all are unknown until `of_items`."""
        old = self.events
        ids, codes = self.ids.joined(item)
        items = np.concatenate([codes[old.codes["item"]], ids.codes(item)])
        before = np.concatenate([old.codes["n_before"], n_before])
        turn = np.concatenate([old.codes["turn"], np.arange(len(old), len(items))])
        events = build_histories(
            np.concatenate([old.users, users]),
            np.zeros(len(items)),
            None if times is None else np.concatenate([old.times, times]),
            np.concatenate([old.weight, weight]),
            old.n_users,
            codes={"item": items, "n_before": before, "turn": turn},
        )
        return Dislikes(ids, events)

    def places(
        self,
        histories: Histories,
        timed: bool,
        new: NDArray[np.bool_] | None = None,
        n_old: int = 0,
    ) -> Disliked:
        """Find the events of the users before which they turned items down, else their last.

        Parameters
        ----------
        histories : Histories
            What they liked.
        timed : bool
            Whether times are known; else the order of the rows counts.
        new : ndarray of shape (n_events,), dtype bool, default=None
            Before which events old dislikes count, too; None is all.
        n_old : int, default=0
            How many dislikes are old.

        Returns
        -------
        disliked : Disliked
            Without items that are unknown, and users who liked nothing.
        """
        own, first, last = self.events, histories.starts[:-1], histories.starts[1:]
        if timed:
            _, event = past_events(histories, own.users, np.nextafter(own.times, -np.inf))
        else:
            event = first[own.users] + own.codes["n_before"]
        event = np.minimum(event, last[own.users] - 1)
        counts = (own.items > 0) & (last > first)[own.users]
        if new is not None:
            counts &= new[event] | (own.codes["turn"] >= n_old)
        some = np.flatnonzero(counts)
        some = some[np.argsort(event[some], kind="stable")]
        return Disliked(event[some], own.items[some], own.weight[some])


def no_dislikes(n_users: int) -> Dislikes:
    """Return dislikes of nothing.

    Parameters
    ----------
    n_users : int
        Users known.

    Returns
    -------
    dislikes : Dislikes
        None.
    """
    none = np.zeros(0, dtype=np.int64)
    codes = {"item": none, "n_before": none, "turn": none}
    events = build_histories(none, none, None, np.zeros(0), n_users, codes=codes)
    return Dislikes(Ids(Column("item", none)), events)
