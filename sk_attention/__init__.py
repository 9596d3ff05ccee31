"""Attention networks that behave like scikit-learn estimators."""

from .multi_task import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor

__version__ = "0.1.0"

__all__ = ["MultiTaskAttentionClassifier", "MultiTaskAttentionRegressor", "__version__"]
