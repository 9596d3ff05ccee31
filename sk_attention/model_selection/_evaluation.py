"""How good recommenders are, how sure that is, and whether they are better than what is popular."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sk_attention._dislikes import liked_rows, reads_relevance
from sk_attention._interactions import Ids, context_codes
from sk_attention._random import draw_seed
from sk_attention.data.columns import Column, take_rows
from sk_attention.metrics import bootstrap_interval, coverage_at_k, novelty_at_k
from sk_attention.popular import PopularRecommender

from ._evaluation_table import Evaluation
from ._rankings import (
    LIST_METRICS,
    METRICS,
    RANK_METRICS,
    Asking,
    Items,
    Rankings,
    columns_of,
    last_step,
    unwrapped,
)
from ._scoring import check_metrics
from ._splitters import GlobalTemporalSplit

# The half-life of what is popular lately.
LATELY = 0.1


def evaluate(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    cv: Any = None,
    k: int = 10,
    metrics: Sequence[str] = METRICS,
    filter_seen: bool = True,
    baselines: bool = True,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = None,
) -> Evaluation:
    """Judge recommenders on rows that they have not seen, beside what is popular.

    Each split fits clones on its training rows and asks them about its test rows: rows of one user
    and one time are one question (see `make_ranking_scorer`). The questions of all splits are put
    together; figures are means over the questions, and intervals are bootstraps over the users.
    All recommenders are asked the same questions, so that differences are taken question by
    question.

    Parameters
    ----------
    estimator : object or dict
        A recommender, a pipeline or a search that ends in one; or several, by name. Not fitted, or
        fitted anew.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Interactions, in any order.
    y : array-like of shape (n_samples,), default=None
        Handed to ``fit``. To recommenders whose ``task`` is "ranking" it is the relevance of rows:
        none of 0 or less is asked about. To others it may be anything, and the baselines do not
        read it.
    cv : int, splitter or iterable of (train, test), default=None
        None trains on the first 90 % of the rows by time and asks for the rest: a
        `GlobalTemporalSplit` of one split. A table cut already is ``cv=[(train, test)]``, with the
        positions of the rows.
    k : int, default=10
        Places that count; all of them where there are fewer items.
    metrics : sequence of str, default=('ndcg', 'recall', 'hit_rate', 'mrr', 'coverage', 'novelty')
        Which scores.
    filter_seen : bool, default=True
        Whether to rank only items that are new to the user, besides those of the rows. Where users
        come back to the same items, pass False.
    baselines : bool, default=True
        Whether to judge what is popular too, and where times are known what is popular lately.
    confidence : float, default=0.95
        Probability that an interval should hold the true mean.
    n_resamples : int, default=1000
        Resamples of each bootstrap.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap. None draws differently each time.

    Returns
    -------
    evaluation : Evaluation
        A list of dictionaries that prints as a table; ``pandas.DataFrame(evaluation)`` and
        ``polars.DataFrame(evaluation)`` make data frames of it. An entry is one metric of one
        recommender for one group of questions:

        - ``recommender``, ``metric``: names.
        - ``group``: "all", all questions; "warm", those that remain where targets are left out that
          were not met in training; "new users", those of users without a training row.
        - ``score``, ``low``, ``high``: the mean and its interval. Coverage and novelty, which are
          of lists and not of targets, are given for "all" alone, without an interval.
        - ``baseline``, ``difference``, ``difference_low``, ``difference_high``: the better of the
          baselines in this metric and group, and how much better than it the recommender is; None
          and NaN for the baselines themselves, and without any.
        - ``n_questions``, ``n_users``: of the group.

    Raises
    ------
    ValueError
        If a metric is unknown, k is below 1, X lacks a column, or recommenders take rows of ``y``
        for different things; and whatever ``fit`` raises.

    Warns
    -----
    LeakageWarning
        If a split trains on what users did later than what they are asked about.

    See Also
    --------
    make_ranking_scorer : The same scores for `cross_validate` and `GridSearchCV`.

    Examples
    --------
    >>> from sk_attention import AttentionRecommender
    >>> from sk_attention.datasets import make_interactions
    >>> from sk_attention.model_selection import evaluate
    >>> X = make_interactions(n_users=50, n_items=40, n_interactions=15, random_state=0).data
    >>> model = AttentionRecommender(embedding_dim=8, max_epochs=3, random_state=0)
    >>> found = evaluate(model, X, metrics=["ndcg"], random_state=0)
    >>> [entry["recommender"] for entry in found if entry["group"] == "all"]
    ['AttentionRecommender', 'popular', 'popular lately']
    """
    check_metrics(metrics, k)
    seed = draw_seed(random_state)
    bootstrap_interval([0.0], confidence=confidence, n_resamples=n_resamples)  # refused before fit
    given = dict(estimator) if isinstance(estimator, Mapping) else _named(estimator)
    first = next(iter(given.values()), None)
    if first is None:
        raise ValueError(
            "estimator must be a recommender, or a dict of at least one, got an empty one."
        )
    cv = _temporal(first, X) if cv is None else check_cv(cv)
    liked = _liked_by_all(given, X, y)
    of_baselines = y if any(reads_relevance(last_step(own)) for own in given.values()) else None
    judge = _Judge(X, liked, int(k), tuple(metrics), filter_seen, _contexts(given, X))
    against: dict[str, Any] = {}
    for train, test in list(cv.split(X, y)):
        for name, recommender in given.items():
            judge.ask(name, recommender, y, train, test)
        if baselines:
            against = against or _baselines(first, judge.timed)
            for name, recommender in against.items():
                judge.ask(name, recommender, of_baselines, train, test)
    options = {"confidence": confidence, "n_resamples": n_resamples, "random_state": seed}
    return Evaluation(judge.records(list(against), options), float(confidence))


def _liked_by_all(given: Mapping[str, Any], X: Any, y: Any) -> NDArray[np.bool_]:
    """Return the rows that are to be foretold, by what all recommenders take ``y`` for."""
    liked = {name: liked_rows(last_step(own), y, _num_samples(X)) for name, own in given.items()}
    asked_all = [name for name, rows in liked.items() if rows.all()]
    asked_some = [name for name in liked if name not in asked_all]
    if asked_all and asked_some:
        raise ValueError(
            "estimator must hold recommenders that take y alike: rows of 0 or less were turned "
            f"down, and are not asked about, to {asked_some}, whose task is 'ranking', but not to "
            f"{asked_all}. Evaluate them apart."
        )
    return liked[next(iter(given))]


def _contexts(given: Mapping[str, Any], X: Any) -> list[NDArray[np.int64]]:
    """Return codes of the columns that one of the recommenders reads as its context.

    Where they differ, all of them are asked apart, so that their answers can be compared.
    """
    named: set[Any] = set()
    for recommender in given.values():
        own = getattr(last_step(recommender), "context", None)
        named.update(() if own is None else own)
    columns = enumerate(columns_of(next(iter(given.values())), X) if named else [])
    return [context_codes(own) for place, own in columns if named & {place, own.name}]


def _named(estimator: Any) -> dict[str, Any]:
    return {type(last_step(estimator)).__name__: estimator}


def _with_end(estimator: Any, end: Any) -> Any:
    """Return the pipeline, out of its search, with another recommender at its end."""
    if isinstance(estimator, Pipeline):
        *steps, (name, last) = estimator.steps
        return Pipeline([*steps, (name, _with_end(last, end))])
    return _with_end(estimator.estimator, end) if hasattr(estimator, "estimator") else end


def _role_parameters(estimator: Any, roles: Sequence[str]) -> dict[str, Any]:
    end = last_step(estimator)
    return {role: getattr(end, role, "auto") for role in roles}


def _temporal(estimator: Any, X: Any) -> GlobalTemporalSplit:
    """Return the split in time of X, whose columns steps of a pipeline may rename."""
    names = {column.name for column in columns_of(estimator, X)}
    roles = _role_parameters(estimator, ["user", "timestamp"])
    for role, value in roles.items():
        roles[role] = "auto" if isinstance(value, str) and value not in names else value
    return GlobalTemporalSplit(1, **roles)


def _baselines(estimator: Any, timed: bool) -> dict[str, Any]:
    """Return what is popular, and what is so lately, behind the steps of the estimator."""
    roles = _role_parameters(estimator, ["user", "item", "timestamp"])
    found = {"popular": PopularRecommender(**roles)}
    if timed:
        found["popular lately"] = PopularRecommender(**roles, half_life=LATELY)
    return {name: _with_end(estimator, recommender) for name, recommender in found.items()}


@dataclass(frozen=True)
class _Gains:
    """Scores of the questions of a group, in the order of their first rows."""

    rows: NDArray[np.intp]
    users: NDArray[np.intp]
    scores: dict[str, NDArray[np.float64]]

    @staticmethod
    def joined(parts: Sequence[_Gains]) -> _Gains:
        """Put the questions of all splits together."""
        return _Gains(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.users for part in parts]),
            {
                name: np.concatenate([part.scores[name] for part in parts])
                for name in parts[0].scores
            },
        )


class _Judge:
    """Fits recommenders, asks them, and keeps what their answers are worth."""

    def __init__(
        self,
        X: Any,
        liked: NDArray[np.bool_],
        k: int,
        metrics: tuple[str, ...],
        filter_seen: bool,
        contexts: Sequence[NDArray[np.int64]],
    ) -> None:
        self.X, self.k, self.metrics, self.filter_seen = X, k, metrics, filter_seen
        self.liked, self.contexts = liked, contexts
        self.timed = False
        self.gains: dict[str, dict[str, list[_Gains]]] = {}
        self.lists: dict[str, dict[str, list[float]]] = {}

    def ask(
        self, name: str, recommender: Any, y: Any, train: NDArray[np.intp], test: NDArray[np.intp]
    ) -> None:
        """Fit a clone on some rows, and keep its scores of others."""
        train, test = np.arange(_num_samples(self.X))[train], np.arange(_num_samples(self.X))[test]
        y = None if y is None else _safe_indexing(y, train)
        fitted = clone(recommender).fit(_safe_indexing(self.X, train), y)
        train, test = train[self.liked[train]], test[self.liked[test]]
        if not len(test):
            raise ValueError("cv has a split without a test row of a y above 0 to be foretold.")
        apart = [Column("context", codes[test]) for codes in self.contexts]
        asking = Asking(fitted, _safe_indexing(self.X, test), self.filter_seen, apart)
        self.timed = self.timed or asking.roles.timestamp is not None
        columns = columns_of(asking.estimator, unwrapped(fitted, self.X)[1])
        user, item = (columns[position] for position in asking.roles.who_and_what)
        users = Ids(user).codes(user)
        known = np.zeros(len(users), dtype=bool)
        known[train] = True
        items = _items(take_rows([item], known)[0], users[known])
        k = min(self.k, len(items))
        if set(self.metrics) & set(RANK_METRICS):
            rankings = asking.rankings(items, k)
            asked = test[rankings.rows]
            groups = {
                "all": np.ones(len(asked), dtype=bool),
                "warm": items.ids.codes(item)[asked] > 0,
                "new users": ~np.isin(users, users[known])[asked],
            }
            for group, chosen in groups.items():
                gains = self._gains(rankings, chosen, asked, users, k)
                self.gains.setdefault(name, {}).setdefault(group, []).append(gains)
        if set(self.metrics) & set(LIST_METRICS):
            lists = asking.lists(items, k)
            of_lists = self.lists.setdefault(name, {"coverage": [], "novelty": []})
            of_lists["coverage"].append(coverage_at_k(lists, len(items)))
            of_lists["novelty"].append(novelty_at_k(lists, items.reach))

    def _gains(
        self,
        rankings: Rankings,
        chosen: NDArray[np.bool_],
        asked: NDArray[np.intp],
        users: NDArray[np.intp],
        k: int,
    ) -> _Gains:
        """Score the questions that these targets ask."""
        some, rows = rankings.take(chosen), asked[chosen]
        first = rows[np.unique(some.queries, return_index=True)[1]]
        order = np.argsort(first)
        scores = {
            metric: some.score(metric, k, average=None)[order]
            for metric in self.metrics
            if metric in RANK_METRICS
        }
        return _Gains(first[order], users[first[order]], scores)

    def records(self, baselines: list[str], options: dict[str, Any]) -> list[dict[str, Any]]:
        """Return an entry for each recommender, metric and group."""
        gains = {
            name: {group: _Gains.joined(parts) for group, parts in groups.items()}
            for name, groups in self.gains.items()
        }
        records = []
        for metric in self.metrics:
            if metric in LIST_METRICS:
                for name, scores in self.lists.items():
                    mean = float(np.mean(scores[metric]))
                    records.append(_record(name, metric, "all", self.k, mean))
                continue
            for group in ("all", "warm", "new users"):
                of_group = {name: groups[group] for name, groups in gains.items()}
                records += self._compared(of_group, metric, group, baselines, options)
        return records

    def _compared(
        self,
        gains: dict[str, _Gains],
        metric: str,
        group: str,
        baselines: list[str],
        options: dict[str, Any],
    ) -> Iterator[dict[str, Any]]:
        """Yield the entries of a metric in a group, each beside the better of the baselines."""
        means = {name: own.scores[metric].mean() for name, own in gains.items() if len(own.rows)}
        best = max((name for name in baselines if name in means), key=means.__getitem__, default="")
        for name, mean in means.items():
            own = gains[name]
            low, high = bootstrap_interval(own.scores[metric], groups=own.users, **options)
            record = _record(name, metric, group, self.k, float(mean), low, high)
            record.update(n_questions=len(own.rows), n_users=len(np.unique(own.users)))
            if best and name not in baselines:
                if not np.array_equal(own.rows, gains[best].rows):
                    raise ValueError(
                        f"{name} and {best} are asked different questions: the steps before them "
                        "see different users, times or contexts."
                    )
                difference = own.scores[metric] - gains[best].scores[metric]
                low, high = bootstrap_interval(difference, groups=own.users, **options)
                record.update(
                    baseline=best,
                    difference=float(difference.mean()),
                    difference_low=low,
                    difference_high=high,
                )
            yield record


def _items(item: Column, users: NDArray[np.intp]) -> Items:
    """Return the items of training rows, and the share of the users who met each."""
    ids = Ids(item)
    pairs = np.unique(np.stack([ids.codes(item) - 1, users]), axis=1)
    reach = np.bincount(pairs[0], minlength=len(ids)) / len(np.unique(users))
    return Items(ids, reach)


def _record(
    name: str,
    metric: str,
    group: str,
    k: int,
    score: float,
    low: float = np.nan,
    high: float = np.nan,
) -> dict[str, Any]:
    return {
        "recommender": name,
        "metric": metric,
        "k": k,
        "group": group,
        "score": score,
        "low": low,
        "high": high,
        "baseline": None,
        "difference": np.nan,
        "difference_low": np.nan,
        "difference_high": np.nan,
        "n_questions": 0,
        "n_users": 0,
    }
