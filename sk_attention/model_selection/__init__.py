"""Splitters and scorers for recommenders."""

from sk_attention.model_selection._scoring import make_ranking_scorer
from sk_attention.model_selection._splitters import (
    GlobalTemporalSplit,
    LeaveLastOut,
    UserGroupKFold,
)

__all__ = ["GlobalTemporalSplit", "LeaveLastOut", "UserGroupKFold", "make_ranking_scorer"]
