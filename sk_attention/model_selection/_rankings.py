"""Where the items that users met next stand in the lists of a recommender, of whatever make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sk_attention._interactions import Ids, Roles, find_context, questions
from sk_attention.data.columns import Column, array_columns, is_table, table_columns
from sk_attention.data.roles import ROLES, resolve_role
from sk_attention.metrics import (
    hit_rate_at_k,
    mrr_at_k,
    ndcg_at_k,
    recall_at_k,
)

# Of where the targets stand, and of what the lists hold.
RANK_METRICS: dict[str, Callable[..., Any]] = {
    "ndcg": ndcg_at_k,
    "recall": recall_at_k,
    "hit_rate": hit_rate_at_k,
    "mrr": mrr_at_k,
}
LIST_METRICS = ("coverage", "novelty")
METRICS = (*RANK_METRICS, *LIST_METRICS)


@dataclass(frozen=True)
class Items:
    """What there is to recommend, and the share of the users who know it."""

    ids: Ids
    reach: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def positions(self, items: Any) -> NDArray[np.int64]:
        """Return the positions of items in an array of any shape, -1 for what is none."""
        items = np.asarray(items)
        return self.ids.codes_of(items.ravel(), "items").reshape(items.shape) - 1


@dataclass(frozen=True)
class Rankings:
    """Distinct targets of the questions that rows ask, and where they stand.

    Attributes
    ----------
    rows : ndarray of shape (n_targets,), dtype intp
        The row that each target is in.
    queries : ndarray of shape (n_targets,), dtype intp
        The question that each target belongs to, numbered from 0.
    n_above, n_tied : ndarray of shape (n_targets,), dtype intp
        Items above and beside each target.
    """

    rows: NDArray[np.intp]
    queries: NDArray[np.intp]
    n_above: NDArray[np.intp]
    n_tied: NDArray[np.intp]

    def take(self, chosen: NDArray[np.bool_]) -> Rankings:
        """Return some of the targets."""
        return Rankings(*(values[chosen] for values in vars(self).values()))

    def score(self, metric: str, k: int, **options: Any) -> Any:
        """Return a score of the ranks, see `sk_attention.metrics`."""
        ranks = {"n_above": self.n_above, "n_tied": self.n_tied, "queries": self.queries}
        return RANK_METRICS[metric](**ranks, k=k, **options)


class Asking:
    """Rows that ask a fitted recommender: one question for each user, time and context.

    Parameters
    ----------
    estimator : object
        A fitted recommender, perhaps at the end of a pipeline or within a search.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Interactions to be foretold.
    filter_seen : bool
        Whether to rank only what is new to the user, and the targets.
    apart : sequence of Column, default=()
        What else parts the rows of one user and time into several questions.
    """

    def __init__(
        self, estimator: Any, X: Any, filter_seen: bool, apart: Sequence[Column] = ()
    ) -> None:
        self.estimator, self.X = unwrapped(estimator, X)
        self.filter_seen = filter_seen
        if not hasattr(self.estimator, "target_ranks") and not hasattr(self.estimator, "recommend"):
            raise TypeError(
                "A ranking is asked of target_ranks or recommend, neither of which "
                f"{type(self.estimator).__name__} has: it is meant for recommenders."
            )
        self.columns = columns_of(self.estimator, self.X)
        self.roles = roles_of(self.estimator, self.columns)
        context = find_context(self.estimator, self.columns, self.roles)
        every = [*self.columns, *apart]
        context += range(len(self.columns), len(every))
        self.query, self.distinct = questions(every, self.roles, context)

    def rankings(self, items: Items, k: int) -> Rankings:
        """Return where the targets stand."""
        if hasattr(self.estimator, "target_ranks"):
            options = {"filter_seen": self.filter_seen, "queries": self.query}
            n_above, n_tied = self.estimator.target_ranks(self.X, **options)
        else:
            n_above = self._places(items, self.lists(items, k))
            n_tied = np.zeros_like(n_above)
        kept = np.flatnonzero(self.distinct)
        return Rankings(kept, self.query[kept], n_above[kept], n_tied[kept])

    def lists(self, items: Items, k: int) -> NDArray[np.int64]:
        """Return the positions of the items recommended to each question (n_queries, k)."""
        first = np.unique(self.query, return_index=True)[1]
        users = _safe_indexing(self.X, first)
        if not hasattr(self.estimator, "target_ranks"):
            users = self._column("user")[first]
        found = self.estimator.recommend(users, k=k, filter_seen=self.filter_seen)
        return items.positions(found[0] if isinstance(found, tuple) else found)

    def _places(self, items: Items, lists: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return how many items stand before each row's own in its list; all if it is not there."""
        own = items.positions(self._column("item"))
        hit = (lists[self.query] == own[:, None]) & (own >= 0)[:, None]
        return np.where(hit.any(axis=1), hit.argmax(axis=1), len(items))

    def _column(self, role: str) -> NDArray[Any]:
        values = self.columns[getattr(self.roles, role)].values
        return values if isinstance(values, np.ndarray) else np.asarray(values.to_numpy())


def last_step(estimator: Any) -> Any:
    """Return the recommender in a pipeline or a search that need not be fitted.

    Parameters
    ----------
    estimator : object
        An estimator.

    Returns
    -------
    recommender : object
        What stands at the end.
    """
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "estimator"):
            estimator = estimator.estimator
        else:
            return estimator


def unwrapped(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the recommender in a pipeline or a fitted search, and the X that it is given.

    Parameters
    ----------
    estimator : object
        A fitted estimator.
    X : DataFrame or array-like of shape (n_samples, n_features)
        What the whole takes.

    Returns
    -------
    recommender : object
        What stands at the end.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        What comes there.
    """
    while True:
        if isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, X


def columns_of(estimator: Any, X: Any) -> list[Column]:
    """Return the columns of a table or an array.

    Parameters
    ----------
    estimator : object
        Whose ``feature_names_in_``, if any, are those of an array.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Interactions.

    Returns
    -------
    columns : list of Column
        One per feature.
    """
    if is_table(X):
        return table_columns(X)
    return array_columns(np.asarray(X), list(getattr(estimator, "feature_names_in_", [])))


def roles_of(estimator: Any, columns: list[Column]) -> Roles:
    """Find user, item and time as the parameters of a recommender say, or by their names.

    Parameters
    ----------
    estimator : object
        Has perhaps the parameters ``user``, ``item`` and ``timestamp``.
    columns : list of Column
        The columns of X.

    Returns
    -------
    roles : Roles
        With a user and an item.

    Raises
    ------
    ValueError
        If there is no column of users, or none of items.
    """
    names = [column.name for column in columns]
    found = {
        role: resolve_role(names, role, getattr(estimator, role, "auto"))
        for role in Roles.__annotations__
    }
    for role in ("user", "item"):
        if found[role] is None:
            raise ValueError(
                f"A ranking needs a column of {role}s, and there is none among {names[:20]}: call "
                f"it {' or '.join(map(repr, ROLES[role]))}, or give {type(estimator).__name__} its "
                f"name or position as {role}=."
            )
    return Roles(**found)
