"""What is answered where items are ranked: scores of all of them, for a history."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._asking import Asked
from ._best_items import best_items, list_anew, rank_anew
from ._dislikes import only_liked
from ._inputs import read_columns
from ._interactions import find_context, questions
from ._retrieval import Excluded, Known, query_slices, row_slices
from .data.queries import Queries
from .metrics import ndcg_at_k, target_ranks


class RankingAnswers:
    """Scores of items: products of a history's vector with theirs, and what they read themselves.

    Parameters
    ----------
    model : object
        A recommender that was fitted to rank items.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each row's item."""
        return self.decision_function(X)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the score of each row's item."""
        asked = self.model._rows(X)
        scores = np.zeros(len(asked.users))
        for rows in row_slices(len(asked.users)):
            queries = self.model._queries(asked.take(rows))
            scores[rows] = self.pair_scores(queries, asked.items[rows] - 1)
        return scores

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the share of each row's item in a softmax over all items."""
        model, asked = self.model, self.model._rows(X)
        probabilities = np.zeros(len(asked.users))
        for rows in row_slices(len(asked.users)):
            queries = model._queries(asked.take(rows))
            log_shares = self._log_shares(queries, asked.items[rows] - 1)
            probabilities[rows] = np.exp(log_shares)
        return probabilities

    def score(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return NDCG@10 of what is liked; rows of one user, time and context are one question."""
        model = self.model
        X, sample_weight = only_liked(model, X, y, sample_weight)
        columns = read_columns(model, X, reset=False)
        context = find_context(model, columns, model._roles)
        query, distinct = questions(columns, model._roles, context)
        n_above, n_tied = model.target_ranks(X, queries=query)
        weight = None if sample_weight is None else np.asarray(sample_weight)[distinct]
        return float(
            ndcg_at_k(
                n_above[distinct],
                n_tied[distinct],
                k=min(10, len(model.items_)),
                queries=query[distinct],
                sample_weight=weight,
            )
        )

    def ranks(
        self,
        asked: Asked,
        query: NDArray[np.intp],
        targets: NDArray[np.int64],
        filter_seen: bool,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rank targets among all items; ``query``, ascending, says who asks for each."""
        model = self.model
        seen = model._seen(model._histories, asked.users, asked.at, filter_seen)
        known = targets >= 0
        left_out = Excluded(np.zeros(len(model.items_), dtype=bool), *seen)
        left_out = left_out.but_for(query[known], targets[known])
        above, tied = np.zeros((2, len(targets)), dtype=np.intp)
        for span, scores in self._ranking(model._queries(asked), left_out):
            first, last = np.searchsorted(query, [span.start, span.stop])
            mask = left_out.mask(span)
            for some in query_slices(last - first, len(model._catalogue)):
                rows = slice(first + some.start, first + some.stop)
                own = query[rows] - span.start
                above[rows], tied[rows] = target_ranks(scores[own], targets[rows], mask[own])
        return above, tied

    def best(
        self, queries: Queries, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best items of each query and their scores, as `best_items` does."""
        model, n_reading = self.model, self.model._n_reading
        if n_reading < len(model.items_):
            known = model._known(queries)
            best, scores = model._catalogue.best(known, max(k, n_reading), left_out)
            if n_reading:
                read = partial(model._read_scores, queries)
                best, scores = list_anew(best, scores, n_reading, read)
            return best[:, :k], scores[:, :k]
        best = np.full((len(queries), k), -1)
        found = np.full(best.shape, -np.inf, dtype=np.float32)
        for rows, scores in self._ranking(queries, left_out):
            best[rows], found[rows] = best_items(scores, k)
        return best, found

    def pair_scores(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of one item each, for an unknown one (-1) the lowest of all."""
        model = self.model
        known = model._known(queries)
        scores: NDArray[np.float32] = model._catalogue.pair_scores(known, np.maximum(items, 0))
        scores += model._read_scores(queries, items[:, None])[:, 0]
        unknown = np.flatnonzero(items < 0)
        for rows in query_slices(len(unknown), len(model._catalogue)):
            some = unknown[rows]
            scores[some] = self._all_scores(queries.take(some), known.take(some)).min(axis=1)
        return scores

    def _log_shares(self, queries: Queries, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log probabilities of one item each, an unknown one (-1) being the lowest."""
        model, known = self.model, self.model._known(queries)
        temperature = np.where(model._without_history(queries), 1.0, model.temperature_)
        log_shares = np.zeros(len(queries))
        for rows in query_slices(len(queries), len(model._catalogue)):
            scores = self._all_scores(queries.take(rows), known.take(rows))
            scores /= temperature[rows, None].astype(scores.dtype)
            own = np.take_along_axis(scores, np.maximum(items[rows, None], 0), axis=1)[:, 0]
            own = np.where(items[rows] < 0, scores.min(axis=1), own)
            log_shares[rows] = own - torch.as_tensor(scores).logsumexp(1).numpy()
        return log_shares

    def _all_scores(self, queries: Queries, known: Known) -> NDArray[np.float32]:
        """Return the scores of all items (n_queries, n_items); it is for a slice of queries."""
        scores: NDArray[np.float32] = self.model._catalogue.scores(known)
        if self.model._n_reading:
            scores += self.model._read_scores(queries, None)
        return scores

    def _ranking(
        self, queries: Queries, left_out: Excluded
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield slices of the queries, and the scores of all items by which these are ranked."""
        model = self.model
        known = model._known(queries)
        for rows in query_slices(len(queries), len(model._catalogue)):
            scores = model._catalogue.scores(known.take(rows))
            left_out.apply(scores, rows)
            if model._n_reading:
                read = partial(model._read_scores, queries.take(rows))
                scores = rank_anew(scores, model._n_reading, read)
            yield rows, scores
