"""Losses that draw items, and catalogues and users of very many."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch.testing import assert_close

from sk_attention import AttentionRecommender, _retrieval
from sk_attention.data.histories import Windows, build_histories, training_windows
from sk_attention.datasets import make_interactions
from sk_attention.model_selection import LeaveLastOut
from sk_attention.nn.ranking import next_item_cross_entropy
from sk_attention.nn.recommender import HistoryNetwork
from sk_attention.training import plan
from tests._recommenders import assert_same_model, interactions, recommender

X = interactions()
SAMPLED = ["sampled_softmax", "gbce"]
over_sampled = pytest.mark.parametrize("loss", SAMPLED)


def sampled(loss, **parameters):
    return recommender(loss=loss, n_negatives=8, **parameters)


# ---- sampled losses ----------------------------------------------------------------------------


@over_sampled
def test_a_model_of_a_sampled_loss_is_as_repeatable_as_any(loss):
    own = sampled(loss).fit(X)
    global_state = torch.get_rng_state()
    assert_same_model(sampled(loss).fit(X), own)
    assert torch.equal(torch.get_rng_state(), global_state)
    assert_same_model(pickle.loads(pickle.dumps(own)), own)
    assert_same_model(sampled(loss).fit(X.sample(frac=1.0, random_state=1)), own)
    assert not np.array_equal(
        sampled(loss, random_state=1).fit(X).recommend(k=5)[1], own.recommend(k=5)[1]
    )


@over_sampled
@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": torch.optim.RAdam},
        {"weight_decay": 0.1, "max_grad_norm": None},
        {"precision": "float64"},
        {"precision": "bf16"},
        {"timestamp": None},
    ],
    ids=str,
)
def test_sampled_losses_train_with_every_choice(loss, parameters):
    own = sampled(loss, early_stopping=False, max_epochs=10, **parameters).fit(X)
    assert own.loss_curve_[-1] < own.loss_curve_[0]
    assert np.isfinite(own.recommend(k=3)[1]).all()


@over_sampled
@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"user": [1], "item": ["a"], "timestamp": [0]}),
        pd.DataFrame({"user": [1] * 5, "item": ["a"] * 5, "timestamp": [3] * 5}),
        pd.DataFrame({"user": range(30), "item": ["a", "b", "c"] * 10, "timestamp": range(30)}),
        pd.concat([X, X, X]),
    ],
    ids=["one row", "one item", "one-item users", "each row thrice"],
)
def test_odd_tables_are_learned_by_sampled_losses_too(loss, table):
    own = sampled(loss).fit(table)
    assert np.isfinite(own.recommend(k=1, filter_seen=False)[1]).all()
    assert 0.0 <= own.score(table) <= 1.0


class Stop(Callback):
    """Interrupts after the first step, and keeps what the table was then."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 1:
            tables.append(net.module_.embedding.detach().clone())
            raise KeyboardInterrupt


tables: list[torch.Tensor] = []


@over_sampled
def test_rows_of_items_that_no_step_met_stay_as_they_were_drawn(loss):
    """Weights of items that are neither in a batch nor drawn: no step touches them."""
    many = pd.DataFrame({"user_id": np.arange(900) // 3, "item_id": np.arange(900)})
    own = recommender(
        loss=loss,
        n_negatives=2,
        batch_size=8,
        max_epochs=1,
        early_stopping=False,
        callbacks=[Stop()],
    )
    with pytest.raises(KeyboardInterrupt):
        own.fit(many)
    seed = torch.Generator().manual_seed(own._seed)
    start = HistoryNetwork("self", torch.ones(900), 8, 2, 1, 0.2, 8, None, seed)
    changed = (tables.pop() != start.embedding).any(dim=1)
    assert 8 <= changed.sum() <= 8 * 3 + 2 + 2  # three events a window, drawn ones, the start


def test_auto_ranks_all_items_of_a_small_catalogue_and_draws_from_a_large_one(monkeypatch):
    assert_same_model(recommender().fit(X), recommender(loss="cross_entropy").fit(X))
    monkeypatch.setattr(plan, "MAX_ITEMS_TO_RANK", 10)
    expected = recommender(loss="sampled_softmax").fit(X)
    assert_same_model(recommender().fit(X), expected)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"loss": "bce"}, "'loss' parameter of AttentionRecommender"),
        ({"n_negatives": 0}, "'n_negatives' parameter of AttentionRecommender"),
    ],
)
def test_bad_parameters_are_refused(parameters, match):
    with pytest.raises(ValueError, match=match):
        recommender(**parameters).fit(X)


@pytest.mark.slow
def test_sampled_losses_learn_what_the_full_one_learns():
    planted = make_interactions(
        n_users=300, n_items=60, n_interactions=30, n_groups=6, lag=2, random_state=0
    )
    data = planted.data.drop(columns="session_id")
    ((train, test),) = LeaveLastOut().split(data)

    def score(loss):
        own = AttentionRecommender(
            embedding_dim=32,
            n_layers=1,
            max_history=10,
            dropout=0.1,
            max_epochs=25,
            refit=False,
            loss=loss,
            n_negatives=16,
            random_state=0,
        )
        return own.fit(data.iloc[train]).score(data.iloc[test])

    full = score("cross_entropy")
    assert score("sampled_softmax") > 0.9 * full
    assert score("gbce") > 0.9 * full


# ---- weights -----------------------------------------------------------------------------------


def test_a_user_of_weight_two_is_two_users_alike_to_the_loss():
    """As targets. A row given twice is not that: it is one more event of its user's history."""
    rng = np.random.default_rng(0)
    users, items = np.repeat([0, 1, 2], 6), rng.integers(1, 9, size=18)
    twice = np.concatenate([users, np.full(6, 3)]), np.concatenate([items, items[users == 1]])
    seed = torch.Generator().manual_seed(0)
    network = HistoryNetwork("self", torch.ones(8), 8, 2, 1, 0.0, 6, None, seed)
    network = network.double().eval()  # nothing is hidden from it

    def gradients(users, items, weight):
        built = build_histories(users, items, None, weight, int(users.max()) + 1)
        cut = training_windows(built.starts[:-1], built.starts[1:], 6)
        windows = Windows(built, *cut, np.ones(len(built), dtype=bool), start=9)
        inputs, target = windows.take(torch.arange(windows.n_windows))
        loss = next_item_cross_entropy(network(inputs), target, inputs["weight"].double())
        parts = torch.autograd.grad(loss.sum(), list(network.parameters()))
        return loss, *parts

    weighted = gradients(users, items, np.where(users == 1, 2.0, 1.0))
    assert_close(weighted, gradients(*twice, np.ones(24)))
    assert not torch.allclose(weighted[0], gradients(users, items, np.ones(18))[0])


# ---- very many ---------------------------------------------------------------------------------


def test_users_are_asked_for_slice_by_slice_with_the_same_answers(monkeypatch):
    own = recommender().fit(X)
    answers = {
        "recommend": lambda: own.recommend(k=4),
        "histories": lambda: own.recommend(histories=[[3], [], [4, 5], [6] * 9] * 4, k=4),
        "ranks": lambda: own.target_ranks(X),
        "scores": lambda: own.decision_function(X),
        "attend": lambda: own.attend(X),
        "explain": lambda: own.explain(X.iloc[:50])["weights"],
    }
    expected = {name: answer() for name, answer in answers.items()}
    monkeypatch.setattr(_retrieval, "USERS_AT_A_TIME", 7)
    for name, answer in answers.items():
        for found, other in zip(answer(), expected[name], strict=True):
            if found.dtype.kind in "iO":
                assert_array_equal(found, other)
            else:
                assert_allclose(found, other, atol=1e-5)
    assert_allclose(
        recommender().fit(X).attention_weights_, own.attention_weights_, rtol=1e-5, atol=1e-7
    )


def test_only_a_slice_of_the_histories_is_held_at_once(monkeypatch):
    own = recommender().fit(X)
    monkeypatch.setattr(_retrieval, "USERS_AT_A_TIME", 7)
    sizes = []
    hidden = own._hidden
    monkeypatch.setattr(
        own, "_hidden", lambda queries: sizes.append(len(queries)) or hidden(queries)
    )
    own.recommend(np.tile(own.users_, 3), k=2)
    own.target_ranks(X)
    own.transform(X)
    assert max(sizes) == 7


MILLION = """
import resource
import numpy as np, pandas as pd
from sk_attention import AttentionRecommender

def fit(n_items):
    rng = np.random.default_rng(0)
    items = pd.DataFrame({"item_id": np.arange(n_items), "price": rng.normal(size=n_items)})
    table = pd.DataFrame({"user_id": np.arange(20_000) // 100, "item_id": np.arange(20_000)})
    own = AttentionRecommender(
        item_features=items, loss="sampled_softmax", max_epochs=1, early_stopping=False
    ).fit(table)
    assert own.net_.module_.embedding.shape == (n_items + 2, 64)

fit(20_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fit(1_000_000)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in the unit of Linux")
def test_a_million_described_items_are_learned_in_little_memory():
    """Of 248 MiB for their vectors: eight times that, and the moments and averages are in it."""
    done = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert int(done.stdout) < 2200


@pytest.mark.slow
def test_a_million_items_are_learned_and_recommended():
    rng = np.random.default_rng(0)
    n_items, n_users = 1_000_000, 50_000
    items = np.concatenate([rng.permutation(n_items), rng.integers(1000, size=n_items // 4)])
    table = np.column_stack([rng.integers(n_users, size=len(items)), items])
    own = AttentionRecommender(
        user=0,
        item=1,
        embedding_dim=4,
        n_heads=1,
        n_layers=1,
        dropout=0.0,
        max_history=16,
        n_negatives=32,
        batch_size=4096,
        max_epochs=1,
        early_stopping=True,
        refit=False,
        random_state=0,
    ).fit(table)
    assert len(own.items_) == n_items
    assert own.net_.tables == ("items.embedding", "item_bias")
    assert np.isfinite(own.loss_curve_).all()
    assert 0.0 <= own.validation_scores_[0] <= 1.0
    found, scores = own.recommend(own.users_[:20], k=10)
    assert found.shape == (20, 10)
    assert np.isfinite(scores).all()
    some, _ = own.recommend(own.users_[:3], k=2, candidates=[5, 999_999], filter_seen=False)
    assert sorted(some[0]) == [5, 999_999]
