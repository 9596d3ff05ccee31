"""Scorers of recommenders for `cross_validate` and `GridSearchCV`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from sk_attention._dislikes import only_liked
from sk_attention._interactions import Ids
from sk_attention.data.columns import Column
from sk_attention.metrics import coverage_at_k, novelty_at_k

from ._rankings import LIST_METRICS, METRICS, Asking, Items, last_step


class _RankingScorer:
    """Ranks all items once, and scores where those of the rows stand."""

    def __init__(self, metric: str | tuple[str, ...], k: int, filter_seen: bool) -> None:
        self.metric, self.k, self.filter_seen = metric, k, filter_seen

    def __call__(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        X, sample_weight = only_liked(last_step(estimator), X, y, sample_weight)
        asking = Asking(estimator, X, self.filter_seen)
        names = [self.metric] if isinstance(self.metric, str) else list(self.metric)
        items = _items_of(asking.estimator, "novelty" in names)
        k = min(self.k, len(items))
        scores = {}
        if set(names) - set(LIST_METRICS):
            rankings = asking.rankings(items, k)
            if sample_weight is not None:
                sample_weight = np.asarray(sample_weight)[rankings.rows]
        if set(names) & set(LIST_METRICS):
            lists = asking.lists(items, k)
        for name in names:
            if name == "coverage":
                scores[name] = coverage_at_k(lists, len(items))
            elif name == "novelty":
                scores[name] = novelty_at_k(lists, items.reach)
            else:
                scores[name] = float(rankings.score(name, k, sample_weight=sample_weight))
        return scores[self.metric] if isinstance(self.metric, str) else scores

    def __repr__(self) -> str:
        """Return the call that makes this scorer."""
        metric = self.metric if isinstance(self.metric, str) else list(self.metric)
        return f"make_ranking_scorer({metric!r}, k={self.k}, filter_seen={self.filter_seen})"


def _items_of(estimator: Any, novelty: bool) -> Items:
    """Return what a fitted recommender knows of its items."""
    for name in ["items_", "item_reach_"] if novelty else ["items_"]:
        if not hasattr(estimator, name):
            raise TypeError(
                f"A ranking scorer asks for {name}, which {type(estimator).__name__} does not have."
            )
    ids = Ids(Column("items_", np.asarray(estimator.items_)))
    return Items(ids, np.asarray(getattr(estimator, "item_reach_", np.zeros(len(ids)))))


def make_ranking_scorer(
    metric: str | Sequence[str] = "ndcg", *, k: int = 10, filter_seen: bool = True
) -> Callable[..., Any]:
    """Make a scorer that asks whether a recommender foretells the rows it is given.

    Rows of one user and one time are one question: which items did this user meet then? Without
    times, all rows of a user are. All items are ranked, and the score is about the places of the
    question's own items, each of them counted once; then the mean over the questions is taken. An
    item that was not there in fit is a miss. Items that tie share the gain of their places.

    Parameters
    ----------
    metric : str or sequence of str, default="ndcg"
        What the places are worth: "ndcg", "recall", "hit_rate" or "mrr"; or what the lists hold
        that are recommended when the rows ask, hit or not: "coverage" or "novelty". See
        `sk_attention.metrics`. The scorer of several metrics returns a dictionary, and ranks once
        for all of them.
    k : int, default=10
        Places that count; all of them where there are fewer items.
    filter_seen : bool, default=True
        Whether to rank only items that are new to the user, besides those of the rows. Where users
        come back to the same items, pass False.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None, sample_weight=None)`` returns a float, or a dictionary. The
        weight of a question is the mean of its rows'; lists are not weighted. With ``y`` of 0 or
        less a row was turned down and is left out, if the recommender's ``task`` is "ranking"; to
        others ``y`` may be anything.

    Raises
    ------
    ValueError
        If a metric is unknown or k is below 1.

    See Also
    --------
    GlobalTemporalSplit : Splits to score on.
    evaluate : Scores with intervals, beside those of what is popular.

    Notes
    -----
    The scorer takes any estimator with the fitted attribute ``items_`` and a method
    ``recommend(users, k=k, filter_seen=filter_seen)`` that returns items (n_users, k), or those
    and their scores; one with ``target_ranks`` is asked for ranks and counts ties. "novelty" needs
    ``item_reach_`` too, the share of the users who met each item.

    Examples
    --------
    >>> from sklearn.model_selection import cross_validate
    >>> from sk_attention import AttentionRecommender
    >>> from sk_attention.datasets import make_interactions
    >>> from sk_attention.model_selection import GlobalTemporalSplit, make_ranking_scorer
    >>> X = make_interactions(n_users=50, n_items=40, n_interactions=15, random_state=0).data
    >>> model = AttentionRecommender(embedding_dim=8, max_epochs=3, random_state=0)
    >>> cv, scorer = GlobalTemporalSplit(2), make_ranking_scorer(["hit_rate", "coverage"], k=5)
    >>> scores = cross_validate(model, X, cv=cv, scoring=scorer)
    >>> scores["test_hit_rate"].shape, scores["test_coverage"].shape
    ((2,), (2,))
    """
    names = [metric] if isinstance(metric, str) else list(metric)
    check_metrics(names, k)
    return _RankingScorer(metric if isinstance(metric, str) else tuple(names), int(k), filter_seen)


def check_metrics(names: Sequence[Any], k: Any) -> None:
    """Refuse unknown metrics, and a k that is no number of places.

    Parameters
    ----------
    names : sequence of str
        Metrics.
    k : int
        Places.

    Raises
    ------
    ValueError
        If a metric is unknown, there is none, or k is below 1.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        found = repr(unknown[0]) if unknown else "none"
        raise ValueError(f"metric must be one of {sorted(METRICS)}, got {found}.")
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}.")
