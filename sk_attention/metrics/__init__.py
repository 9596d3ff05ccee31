"""Scores over several tasks of which some labels are missing."""

from sk_attention.metrics._multi_task import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_log_loss,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)
from sk_attention.metrics._scorer import make_multi_task_scorer

__all__ = [
    "make_multi_task_scorer",
    "multi_task_accuracy_score",
    "multi_task_balanced_accuracy_score",
    "multi_task_log_loss",
    "multi_task_r2_score",
    "multi_task_roc_auc_score",
]
