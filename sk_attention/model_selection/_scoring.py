"""Scorers of recommenders for `cross_validate` and `GridSearchCV`."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from sklearn.pipeline import Pipeline

from sk_attention.metrics import hit_rate_at_k, mrr_at_k, ndcg_at_k

METRICS: dict[str, Callable[..., Any]] = {
    "hit_rate": hit_rate_at_k,
    "mrr": mrr_at_k,
    "ndcg": ndcg_at_k,
}


class _RankingScorer:
    """Ranks all items for each row, and scores where the row's own item stands."""

    def __init__(self, metric: str, k: int, filter_seen: bool) -> None:
        self.metric, self.k, self.filter_seen = metric, k, filter_seen

    def __call__(self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        if isinstance(estimator, Pipeline):
            X, estimator = estimator[:-1].transform(X), estimator[-1]
        if not hasattr(estimator, "target_ranks"):
            raise TypeError(
                f"A ranking scorer asks for target_ranks, which {type(estimator).__name__} does "
                "not have: it is meant for recommenders."
            )
        n_above, n_tied = estimator.target_ranks(X, filter_seen=self.filter_seen)
        k = min(self.k, len(estimator.items_))
        return float(METRICS[self.metric](n_above, n_tied, k=k, sample_weight=sample_weight))

    def __repr__(self) -> str:
        """Return the call that makes this scorer."""
        return f"make_ranking_scorer({self.metric!r}, k={self.k}, filter_seen={self.filter_seen})"


def make_ranking_scorer(
    metric: str = "ndcg", *, k: int = 10, filter_seen: bool = True
) -> Callable[..., float]:
    """Make a scorer that asks whether a recommender foretells the rows it is given.

    Each row is a question of its own: which item did this user meet at that time? All items are
    ranked, and the score is about the place of the row's item. An item that was not there in fit
    is a miss. Items that tie share the gain of their places.

    Parameters
    ----------
    metric : {"ndcg", "hit_rate", "mrr"}, default="ndcg"
        What the place is worth, see `sk_attention.metrics`. With one item to a question recall is
        the hit rate.
    k : int, default=10
        Places that count; all of them where there are fewer items.
    filter_seen : bool, default=True
        Whether to rank only items that are new to the user, besides the row's own. Where users come
        back to the same items, pass False.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None, sample_weight=None)`` returns the mean over the rows of X.

    Raises
    ------
    ValueError
        If the metric is unknown or k is below 1.

    See Also
    --------
    GlobalTemporalSplit : Splits to score on.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sk_attention import AttentionRecommender
    >>> from sk_attention.datasets import make_interactions
    >>> from sk_attention.model_selection import GlobalTemporalSplit, make_ranking_scorer
    >>> X = make_interactions(n_users=50, n_items=40, n_interactions=15, random_state=0).data
    >>> model = AttentionRecommender(embedding_dim=8, max_epochs=3, random_state=0)
    >>> cv, scorer = GlobalTemporalSplit(2), make_ranking_scorer("hit_rate", k=5)
    >>> cross_val_score(model, X, cv=cv, scoring=scorer).shape
    (2,)
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {sorted(METRICS)}, got {metric!r}.")
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}.")
    return _RankingScorer(metric, int(k), filter_seen)
