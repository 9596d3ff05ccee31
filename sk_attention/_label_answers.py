"""What is answered where the label of an interaction is foretold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score

from ._retrieval import row_slices
from .data.targets import ClassEncoder


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
        outputs = self._outcomes(X)
        labels: NDArray[Any]
        if self.classes:
            labels = self.encoder.inverse_transform(outputs.argmax(axis=1)[:, None])[0]
        else:
            labels = self.encoder.inverse_transform(outputs)[:, 0]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return np.exp(self._outcomes(X))

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return log odds of the second of two classes, else log probabilities."""
        outputs = self._outcomes(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return accuracy or R^2."""
        measure = accuracy_score if self.classes else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def _outcomes(self, X: Any) -> NDArray[np.float64]:
        """Return log probabilities (n_samples, n_classes), or standardised numbers."""
        net, asked = self.model.net_, self.model._rows(X)

        def ensemble(inputs: Any) -> torch.Tensor:
            outputs: torch.Tensor = net.criterion_.ensemble(net.module_(inputs))
            return outputs[:, 0, 0]

        parts = []
        for rows in row_slices(len(asked.users)):
            batches = self.model._queries(asked.take(rows)).batches(
                net.module_.rows_at_a_time(), net.device
            )
            parts.append(net.forward_batches(ensemble, batches).astype(np.float64))
        outputs: NDArray[np.float64] = np.concatenate(parts)
        if not self.classes:
            return outputs
        return outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
