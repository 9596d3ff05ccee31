"""What is answered where there are neither users nor items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._inputs import read_columns


class FieldAnswers:
    """What is answered about rows without users and items: what their own estimator says.

    Parameters
    ----------
    model : object
        A recommender that was fitted on such rows.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label or the relevance of each row."""
        foretold: NDArray[Any] = self._ask("predict", X)
        return foretold

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class."""
        probabilities: NDArray[np.float64] = self._ask("predict_proba", X)
        return probabilities

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the scores of the classes, or the relevance of each row."""
        classes = getattr(self.model, "task", "ranking") == "classification"
        scores: NDArray[np.float64] = self._ask("decision_function" if classes else "predict", X)
        return scores

    def score(self, X: Any, y: Any, sample_weight: Any) -> float:
        """Return accuracy or R^2."""
        return float(self._ask("score", X, y, sample_weight))

    def _ask(self, method: str, X: Any, *more: Any) -> Any:
        read_columns(self.model, X, reset=False)
        return getattr(self.model._fields, method)(X, *more)
