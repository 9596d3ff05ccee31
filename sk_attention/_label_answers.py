"""What is answered where the label of an interaction is foretold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score

from ._asking import Asked
from ._best_items import best_items
from ._retrieval import Excluded, query_slices, row_slices
from .data.queries import Queries
from .data.targets import ClassEncoder

# Items that users are asked about at once, and users times items.
CANDIDATES_AT_A_TIME = 2**12
PAIRS_AT_A_TIME = 2**13


class LabelAnswers:
    """Labels of interactions, and how likely they are.

    Parameters
    ----------
    model : object
        A recommender that was fitted to foretell labels.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.encoder = model._label_encoder
        self.classes = isinstance(self.encoder, ClassEncoder)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of each row."""
        return self._labels(self.model._rows(X))

    def _labels(self, asked: Asked) -> NDArray[Any]:
        outputs = self._outcomes(asked)
        labels: NDArray[Any]
        if self.classes:
            labels = self.encoder.inverse_transform(outputs.argmax(axis=1)[:, None])[0]
        else:
            labels = self.encoder.inverse_transform(outputs)[:, 0]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return np.exp(self._outcomes(self.model._rows(X)))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return log odds of the second of two classes, else log probabilities."""
        outputs = self._outcomes(self.model._rows(X))
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return accuracy or R^2; warn of rows that have leaked."""
        measure = accuracy_score if self.classes else r2_score
        asked = self.model._rows(X)
        self.model._own_events(asked)
        return float(measure(y, self._labels(asked), sample_weight=sample_weight))

    def best(
        self, queries: Queries, k: int, left_out: Excluded
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k items of the best labels for each query, as `best_items` does."""
        worth = self._worth()
        n_items = len(left_out.everywhere)
        few = np.flatnonzero(~left_out.everywhere)
        best = np.full((len(queries), k), -1)
        found = np.full(best.shape, -np.inf, dtype=np.float32)
        for rows in query_slices(len(queries), n_items):
            scores = np.full((rows.stop - rows.start, n_items), -np.inf, dtype=np.float32)
            for start in range(0, len(few), CANDIDATES_AT_A_TIME):
                some = few[start : start + CANDIDATES_AT_A_TIME]
                outputs = self._candidate_outputs(queries.take(rows), some + 1)
                scores[:, some] = worth(outputs.reshape(-1, outputs.shape[-1])).reshape(
                    len(scores), -1
                )
            left_out.apply(scores, rows)
            best[rows], found[rows] = best_items(scores, k)
        return best, found

    def _worth(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Return what turns outputs (n, n_outputs) into what items are recommended by (n,)."""
        if not self.classes:
            return lambda outputs: self.encoder.inverse_transform(outputs)[:, 0]
        labels = self.encoder.classes_[0]
        if len(labels) <= 2:
            return lambda outputs: np.exp(outputs[:, -1])
        if labels.dtype.kind not in "iuf":
            raise ValueError(
                "recommend ranks items by their label, but nobody knows which of the classes "
                f"{labels.tolist()[:20]} is wanted most. Fit with numbers for classes, whose mean "
                "is then ranked by, or with two classes, of which the second is wanted."
            )
        return lambda outputs: np.exp(outputs) @ labels.astype(np.float64)

    def _candidate_outputs(self, queries: Queries, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what `_outcomes` does for each query and item (n_queries, n_codes, n_outputs)."""
        net = self.model.net_

        def ensemble(inputs: Any) -> torch.Tensor:
            outputs = net.module_.candidate_outputs(inputs)  # N K M C
            joined: torch.Tensor = net.criterion_.ensemble(outputs)[:, :, 0]
            return joined

        size = max(PAIRS_AT_A_TIME // len(codes), 1)
        candidates = np.tile(codes, (len(queries), 1))
        batches = queries.batches(size, net.device, candidates)
        return self._normal(net.forward_batches(ensemble, batches))

    def _outcomes(self, asked: Asked) -> NDArray[np.float64]:
        """Return log probabilities (n_samples, n_classes), or standardised numbers."""
        net = self.model.net_

        def ensemble(inputs: Any) -> torch.Tensor:
            outputs: torch.Tensor = net.criterion_.ensemble(net.module_(inputs))
            return outputs[:, 0, 0]

        parts = []
        for rows in row_slices(len(asked.users)):
            batches = self.model._queries(asked.take(rows)).batches(
                net.module_.rows_at_a_time(), net.device
            )
            parts.append(net.forward_batches(ensemble, batches))
        return self._normal(np.concatenate(parts))

    def _normal(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return outputs (..., n_outputs) in double precision; probabilities sum to 1."""
        outputs = outputs.astype(np.float64)
        if not self.classes:
            return outputs
        normal: NDArray[np.float64] = outputs - np.logaddexp.reduce(outputs, axis=-1, keepdims=True)
        return normal
