"""What a weight of 2 is: an interaction that counts twice and happened once."""

import numpy as np
import pandas as pd
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.testing import assert_close

from sk_attention import PopularRecommender
from sk_attention._outcomes import OutcomeLoss
from sk_attention.nn.layers import CodeDropout
from tests._recommenders import assert_same_model, interactions, recommender

X = interactions().drop(columns="timestamp")
TWINS = X["user_id"] < 12

# All rows in each step, and nothing that goes by chance.
EXACT = {
    "dropout": 0.0,
    "batch_size": 1000,
    "early_stopping": False,
    "precision": "float64",
    "max_epochs": 3,
}


def test_weights_of_two_are_learned_as_twins_are(monkeypatch):
    """Users who did the same are two histories with the same targets."""
    monkeypatch.setattr(CodeDropout, "forward", lambda self, codes: codes)  # hides at random
    twins = X[TWINS].assign(user_id=lambda t: t["user_id"] + 1000)
    with_twins = recommender(**EXACT).fit(pd.concat([X, twins]))
    weighted = recommender(**EXACT).fit(X, sample_weight=np.where(TWINS, 2.0, 1.0))
    alike = recommender(**EXACT).fit(X)
    users = weighted.users_
    expected = with_twins.recommend(users, k=5)[1]
    assert_allclose(weighted.recommend(users, k=5)[1], expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(alike.recommend(users, k=5)[1], expected, rtol=1e-3)
    assert_allclose(weighted.loss_curve_, with_twins.loss_curve_, rtol=1e-6)


def test_relevance_is_a_weight_and_only_the_shares_of_weights_count():
    weight = np.where(TWINS, 2.0, 1.0)
    one = recommender(max_epochs=2).fit(X, sample_weight=weight)
    assert_same_model(recommender(max_epochs=2).fit(X, y=weight), one)
    assert_same_model(recommender(max_epochs=2).fit(X, sample_weight=3 * weight), one, rtol=1e-5)


def test_a_weight_of_two_happened_once_and_a_duplicated_row_twice():
    row = X.iloc[[-1]]
    weighted = recommender(max_epochs=1).fit(X, sample_weight=np.r_[np.ones(len(X) - 1), 2.0])
    doubled = recommender(max_epochs=1).fit(pd.concat([X, row]))
    user = int(row["user_id"].iloc[0])
    history = X["item_id"][X["user_id"] == user].tolist()
    asked = row.assign(item_id=0)
    assert weighted.explain(asked).history[0].tolist() == history[: -8 - 1 : -1]
    assert doubled.explain(asked).history[0].tolist() == [*history[-1:], *history[:-8:-1]]


def test_to_what_is_popular_both_are_the_same():
    weight = np.where(TWINS, 2.0, 1.0)
    weighted = PopularRecommender().fit(X, sample_weight=weight)
    doubled = PopularRecommender().fit(pd.concat([X, X[TWINS]]))
    assert_array_equal(weighted.popularity_, doubled.popularity_)


def test_a_label_of_weight_two_counts_as_two_labels_do():
    outputs = torch.randn(5, 1, 3, 2, generator=torch.Generator().manual_seed(0))
    target, weight = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0])
    loss = OutcomeLoss(True, 0.5)
    again = torch.tensor([0, 1, 1, 2, 3, 4])
    twice = loss(outputs[again], target[again], torch.ones(6))
    assert_close(loss(outputs, target, weight / weight.mean()), twice)
