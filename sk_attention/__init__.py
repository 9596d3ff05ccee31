"""Attention networks that behave like scikit-learn estimators."""

from .multi_task import (
    MultiTaskAttentionClassifier,
    MultiTaskAttentionEstimator,
    MultiTaskAttentionRegressor,
)
from .popular import PopularRecommender
from .recommender import AttentionRecommender

__version__ = "0.1.0"

__all__ = [
    "AttentionRecommender",
    "MultiTaskAttentionClassifier",
    "MultiTaskAttentionEstimator",
    "MultiTaskAttentionRegressor",
    "PopularRecommender",
    "__version__",
]
