"""A small, fast recommender and interactions to try it on."""

from typing import Any

import numpy as np
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


def partners(n_users: int = 300, n_items: int = 80, n_interactions: int = 14) -> Any:
    """Users who often take the partner of one of their last six items, whichever.

    Returns user and item, in order, and for each user's last row how many rows ago the item lies
    whose partner it is; 0 where it is none's.
    """
    rng = np.random.default_rng(0)
    partner, everybody = rng.permutation(n_items), np.arange(n_users)
    items = rng.integers(n_items, size=(n_users, n_interactions))
    for step in range(6, n_interactions):
        lag = rng.integers(1, 7, size=n_users)
        follows = rng.random(n_users) < 0.8
        items[follows, step] = partner[items[everybody, step - lag]][follows]
    table = pd.DataFrame({"user": everybody.repeat(n_interactions), "item": items.ravel()})
    return table, np.where(follows, lag, 0)


def assert_same_model(model: Any, expected: Any, rtol: float = 0.0, k: int = 5) -> None:
    """Both recommend the same to all users of fit, with the same scores."""
    items, scores = model.recommend(k=k)
    expected_items, expected_scores = expected.recommend(k=k)
    assert_array_equal(items, expected_items)
    assert_allclose(scores, expected_scores, rtol=rtol)
