"""Estimators of several tasks; one room for each."""

from sk_attention.multi_task._classifier import MultiTaskAttentionClassifier
from sk_attention.multi_task._mixed import MultiTaskAttentionEstimator
from sk_attention.multi_task._regressor import MultiTaskAttentionRegressor

__all__ = [
    "MultiTaskAttentionClassifier",
    "MultiTaskAttentionEstimator",
    "MultiTaskAttentionRegressor",
]
