"""Splitters, scorers and evaluation of recommenders."""

from sk_attention._warnings import LeakageWarning
from sk_attention.model_selection._evaluation import evaluate
from sk_attention.model_selection._scoring import make_ranking_scorer
from sk_attention.model_selection._splitters import (
    GlobalTemporalSplit,
    LeaveLastOut,
    UserGroupKFold,
)

__all__ = [
    "GlobalTemporalSplit",
    "LeakageWarning",
    "LeaveLastOut",
    "UserGroupKFold",
    "evaluate",
    "make_ranking_scorer",
]
