"""How likely an item is to come next: the share of a softmax, and how well it is calibrated."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from sk_attention import AttentionRecommender, PopularRecommender, _retrieval
from sk_attention.datasets import make_interactions
from sk_attention.model_selection import LeaveLastOut
from tests._recommenders import ATTENTIONS, interactions, recommender

DATA = interactions()
((TRAIN, TEST),) = LeaveLastOut().split(DATA)
X, LATER = DATA.iloc[TRAIN], DATA.iloc[TEST]


@pytest.fixture(scope="module", params=ATTENTIONS)
def model(request):
    return recommender(attention=request.param).fit(X)


def for_all_items(model, rows):
    """Each row once for each item."""
    n_items = len(model.items_)
    return rows.loc[rows.index.repeat(n_items)].assign(item_id=np.tile(model.items_, len(rows)))


def test_probabilities_are_shares_of_the_scores_of_all_items(model):
    """A plain loop over rows and items."""
    rows = LATER.iloc[:2]
    for row in range(2):
        one = rows.iloc[[row]]
        scores = [model.decision_function(one.assign(item_id=item))[0] for item in model.items_]
        weights = np.exp(np.array(scores) / model.temperature_)
        expected = weights[model.items_ == one["item_id"].iloc[0]] / weights.sum()
        assert_allclose(model.predict_proba(one), expected, rtol=1e-4)


def test_those_of_all_items_sum_to_one_in_any_slices(model, monkeypatch):
    rows = for_all_items(model, LATER.iloc[:9])
    probabilities = model.predict_proba(rows)
    assert probabilities.shape == (len(rows),) and probabilities.dtype == np.float64
    assert_allclose(probabilities.reshape(9, -1).sum(axis=1), 1.0, rtol=1e-5)
    monkeypatch.setattr(_retrieval, "SCORES_AT_A_TIME", 7 * len(model.items_))
    monkeypatch.setattr(_retrieval, "USERS_AT_A_TIME", 20)
    order = np.random.default_rng(0).permutation(len(rows))
    assert_allclose(model.predict_proba(rows.iloc[order]), probabilities[order], rtol=1e-4)


def test_strangers_go_by_what_is_popular_lately_and_unknown_items_by_the_least_likely(model):
    popular = PopularRecommender(half_life=0.1).fit(X)
    share = popular.popularity_ / popular.popularity_.sum()
    stranger = LATER.iloc[:1].assign(user_id=999, timestamp=X["timestamp"].max())
    rows = for_all_items(model, stranger)
    assert_allclose(model.predict_proba(rows), share, rtol=1e-5)
    assert model.predict_proba(rows[:1].assign(item_id=999)) == pytest.approx(share.min())


def test_a_row_of_fit_does_not_see_itself(model):
    knowing = copy.deepcopy(model).update_history(LATER)
    assert_allclose(knowing.predict_proba(LATER), model.predict_proba(LATER), rtol=1e-4)


def test_without_held_out_rows_the_temperature_is_one():
    assert recommender(early_stopping=False, max_epochs=1).fit(X).temperature_ == 1.0
    own = recommender().partial_fit(X)
    assert own.temperature_ == 1.0
    fitted = recommender(max_epochs=2).fit(X)
    assert copy.deepcopy(fitted).partial_fit(LATER).temperature_ == fitted.temperature_ != 1.0
    assert fitted.set_params(early_stopping=False).fit(X).temperature_ == 1.0


def test_where_no_item_is_ranked_there_is_no_probability_of_one():
    assert not hasattr(recommender(), "predict_proba")  # who knows what it will be fitted on
    rows = np.random.default_rng(0).normal(size=(20, 2))
    assert not hasattr(recommender(max_epochs=1).fit(rows, rows[:, 0]), "predict_proba")
    own = recommender(task="classification", max_epochs=1).fit(X, X["item_id"] % 2)
    assert not hasattr(own, "temperature_")


class Boast(Callback):
    """Makes all scores three times as large when the training ends."""

    def on_train_end(self, net, **kwargs):
        for weights in (*net.module_.encoder.norm.parameters(), net.module_.item_bias):
            weights.data *= 3.0


@pytest.fixture(scope="module")
def planted():
    made = make_interactions(n_users=250, n_items=30, n_interactions=10, n_groups=3, random_state=0)
    data = made.data.drop(columns="session_id")
    ((train, test),) = LeaveLastOut().split(data)
    parameters = {"embedding_dim": 16, "n_layers": 1, "max_history": 8, "max_epochs": 6}
    own = AttentionRecommender(**parameters, refit=False, random_state=0)
    boasting = AttentionRecommender(**parameters, callbacks=[Boast()], random_state=0)
    return own.fit(data.iloc[train]), boasting.fit(data.iloc[train]), data.iloc[test]


def calibration_error(model, rows, n_bins=8):
    """Mean distance of what was said of all items from how often it came true, bin by bin."""
    said = model.predict_proba(for_all_items(model, rows))
    true = (model.items_ == rows["item_id"].to_numpy()[:, None]).ravel()
    edges = np.quantile(said, np.linspace(0, 1, n_bins + 1)[1:-1])
    which = np.searchsorted(edges, said)
    n, total, hits = (np.bincount(which, weight) for weight in (np.ones(len(said)), said, true))
    return np.abs(total - hits).sum() / n.sum()


def test_the_temperature_takes_back_what_a_network_boasts(planted):
    own, boasting, rows = planted
    scores = own.decision_function(rows)
    assert_allclose(boasting.decision_function(rows), 3 * scores, rtol=1e-4, atol=1e-5)
    assert boasting.temperature_ == pytest.approx(3 * own.temperature_, rel=1e-3)
    assert_allclose(boasting.predict_proba(rows), own.predict_proba(rows), rtol=1e-3)


def test_probabilities_are_calibrated_on_what_came_later(planted):
    _, boasting, rows = planted
    plain = copy.copy(boasting)
    plain.temperature_ = 1.0
    with_it, without = (calibration_error(model, rows) for model in (boasting, plain))
    assert with_it < 0.008 < 0.02 < without  # an item's probability is 1 / 30 in the mean
