"""Scores over several tasks of which some labels are missing, and scores of rankings."""

from sk_attention.metrics._bootstrap import bootstrap_interval
from sk_attention.metrics._mixed import multi_task_jaccard_score, multi_task_score
from sk_attention.metrics._multi_task import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_log_loss,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)
from sk_attention.metrics._ranking import (
    hit_rate_at_k,
    mrr_at_k,
    ndcg_at_k,
    recall_at_k,
    target_ranks,
)
from sk_attention.metrics._recommended import coverage_at_k, novelty_at_k
from sk_attention.metrics._scorer import make_multi_task_scorer

__all__ = [
    "bootstrap_interval",
    "coverage_at_k",
    "hit_rate_at_k",
    "make_multi_task_scorer",
    "mrr_at_k",
    "multi_task_accuracy_score",
    "multi_task_balanced_accuracy_score",
    "multi_task_jaccard_score",
    "multi_task_log_loss",
    "multi_task_r2_score",
    "multi_task_roc_auc_score",
    "multi_task_score",
    "ndcg_at_k",
    "novelty_at_k",
    "recall_at_k",
    "target_ranks",
]
