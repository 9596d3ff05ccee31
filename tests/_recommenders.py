"""A small, fast recommender and interactions to try it on."""

from typing import Any

import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions

ATTENTIONS = ("self", "cross", "double", "hierarchical")

# Sizes at which a fit takes a fraction of a second.
SMALL = {
    "embedding_dim": 8,
    "n_layers": 1,
    "max_history": 8,
    "max_epochs": 3,
    "random_state": 0,
}


def recommender(**parameters: Any) -> AttentionRecommender:
    """Recommender that trains quickly."""
    return AttentionRecommender(**{**SMALL, **parameters})


def interactions(**parameters: Any) -> pd.DataFrame:
    """Columns user_id, item_id and timestamp, in the order of time."""
    sizes = {"n_users": 40, "n_items": 30, "n_interactions": 12, "n_groups": 5, "random_state": 0}
    return make_interactions(**{**sizes, **parameters}).data.drop(columns="session_id")


def assert_same_model(model: Any, expected: Any, rtol: float = 0.0, k: int = 5) -> None:
    """Both recommend the same to all users of fit, with the same scores."""
    items, scores = model.recommend(k=k)
    expected_items, expected_scores = expected.recommend(k=k)
    assert_array_equal(items, expected_items)
    assert_allclose(scores, expected_scores, rtol=rtol)
