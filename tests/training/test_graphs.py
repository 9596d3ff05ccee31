"""Training steps that a GPU replays: the same model as told operation by operation."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from sk_attention import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor
from sk_attention.datasets import make_planted_tasks

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

# a pass over nine tenths of 650 rows: nine batches of 64, and a smaller one
SMALL = {"batch_size": 64, "max_epochs": 4, "refit": False, "random_state": 0, "device": "cuda"}


class Watch(Callback):
    """Looks into steps, so that they must be told."""


@pytest.fixture
def replays(monkeypatch):
    """Count the steps that are replayed."""
    counted = []
    replay = torch.cuda.CUDAGraph.replay

    def counting(graph):
        counted.append(graph)
        replay(graph)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", counting)
    return counted


def table(n_rows=650):
    planted = make_planted_tasks(n_rows, random_state=0)
    return planted.data.astype(np.float32), planted.target


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("attention", ["cross", "double"])
def test_replayed_steps_train_the_same_network(attention, precision, replays):
    X, y = table()
    own = {**SMALL, "attention": attention, "precision": precision}
    replayed = MultiTaskAttentionClassifier(**own).fit(X, y)
    assert len(replays) > 20
    told = MultiTaskAttentionClassifier(callbacks=[Watch()], **own).fit(X, y)
    assert_allclose(replayed.loss_curve_, told.loss_curve_, rtol=2e-2)
    ours, theirs = (np.stack(model.predict_proba(X)) for model in (replayed, told))
    assert_allclose(ours, theirs, atol=3e-2)


def test_numbers_and_repeated_trainings_are_replayed(replays):
    X, y = table()
    own = {**SMALL, "refit": True}
    first, again = (MultiTaskAttentionRegressor(**own).fit(X, y) for _ in range(2))
    assert replays
    assert_allclose(first.predict(X), again.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "parameters",
    [{"callbacks": [Watch()]}, {"attention_normalization": "sparsemax"}, {"optimizer": "sgd"}],
    ids=["callbacks", "values", "optimizer"],
)
def test_other_steps_are_told(parameters, replays):
    X, y = table()
    MultiTaskAttentionClassifier(**SMALL, **parameters).fit(X, y)
    assert not replays
