"""Training steps that a GPU replays: the same model as told operation by operation."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from sk_attention import (
    MultiTaskAttentionClassifier,
    MultiTaskAttentionEstimator,
    MultiTaskAttentionRegressor,
)
from sk_attention.datasets import make_planted_tasks
from sk_attention.training.graphs import WARM_UP, RecordedStep
from sk_attention.training.net import AttentionNet

# a pass over nine tenths of 650 rows: nine batches of 64, and a smaller one
SMALL = {"batch_size": 64, "max_epochs": 4, "refit": False, "random_state": 0}
ADAPTIVE = {"attention": "self", "attention_window": "adaptive"}


class Watch(Callback):
    """Looks into steps, so that they must be told."""


def table(n_rows=650):
    planted = make_planted_tasks(n_rows, random_state=0)
    return planted.data.astype(np.float32), planted.target


def steps_of_series(X):
    return X.reshape(len(X), 10, 2)


# ---- without a GPU -----------------------------------------------------------------------------


class Stand:
    """Stands for what torch.cuda has, and repeats what was done while it was recording."""

    recording = None

    def __init__(self, *args, **options):
        self.device = torch.device("cpu")

    def wait_stream(self, other):
        """Wait for nothing."""

    def register_generator_state(self, generator):
        """Take no note."""

    def replay(self):
        self.again()

    @classmethod
    @contextmanager
    def graph(cls, graph, **options):
        cls.recording = graph
        try:
            yield
        finally:
            cls.recording = None


@pytest.fixture
def stand(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", Stand)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Stand)
    monkeypatch.setattr(torch.cuda, "graph", Stand.graph)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", Stand)


class Sums:
    """A step that sums a batch, and counts how often it is told to."""

    def __init__(self, fails=False):
        self.n_told = 0
        self.fails = fails

    def __call__(self, batch):
        self.n_told += 1
        if Stand.recording is not None and self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        inputs, target = batch
        total = torch.zeros(())

        def do():
            total.copy_(inputs["x"].sum() + target.sum())

        if Stand.recording is None:
            do()
        else:
            Stand.recording.again = do
        return {"loss": total}


def recorded(step):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    renewed = []
    own = RecordedStep(step, optimizer, torch.Generator(), 4, lambda: renewed.append(True))
    return own, optimizer, renewed


def batches(lengths):
    rows = torch.arange(100.0)
    return [({"x": rows[i : i + n]}, rows[2 * i : 2 * i + n]) for i, n in enumerate(lengths)]


def test_full_steps_are_recorded_after_some_and_shorter_ones_told(stand):
    step = Sums()
    own, optimizer, renewed = recorded(step)
    lengths = [4, 2, *[4] * (WARM_UP + 3), 2]
    for inputs, target in batches(lengths):
        done = own((inputs, target))
        assert done.pop("loss") == inputs["x"].sum() + target.sum()
    # those before, two shorter ones (of which one came early), and the one that was recorded
    assert step.n_told == WARM_UP + 1 + 1
    assert not renewed
    assert [group["capturable"] for group in optimizer.param_groups] == [False]


def test_steps_that_cannot_be_recorded_are_told(stand):
    step = Sums(fails=True)
    own, optimizer, renewed = recorded(step)
    for inputs, target in batches([4] * 8):
        assert own((inputs, target))["loss"] == inputs["x"].sum() + target.sum()
    assert step.n_told == 8 + 1
    assert renewed == [True]
    assert [group["capturable"] for group in optimizer.param_groups] == [False]


class Waits(TorchDispatchMode):
    """Counts operations that bring a value from the device."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.n += function in (
            torch.ops.aten._local_scalar_dense.default,
            torch.ops.aten.nonzero.default,
        )
        return function(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    """Count what training steps wait for."""
    counted = Waits()
    step = AttentionNet.train_step_single

    def counting(net, batch, **fit_params):
        with counted:
            return step(net, batch, **fit_params)

    monkeypatch.setattr(AttentionNet, "train_step_single", counting)
    return counted


BRIEF = {"n_members": 2, "hidden_layer_sizes": 8, "max_epochs": 1, "random_state": 0}


@pytest.mark.parametrize(
    ("parameters", "steps"),
    [
        ({}, False),
        ({"attention": "double"}, False),
        ({"attention": "hierarchical", "fields": {"a": [0, 1], "b": [2, 3]}}, False),
        ({"attention": "self", "efficient": "inducing"}, False),
        ({"attention": "double", "efficient": "linear"}, False),
        ({"numeric_embedding": "periodic", "precision": "bf16"}, False),
        ({"explainable": True}, False),
        ({}, True),
        ({"attention": "double", "attention_window": 2}, True),
        ({"attention": "hierarchical"}, True),
        (ADAPTIVE, True),
        ({"attention_normalization": "sparsemax"}, False),
        ({"attention": "double", "attention_normalization": "entmax"}, False),
    ],
    ids=str,
)
def test_steady_steps_wait_for_no_value(parameters, steps, waits):
    X, y = table(600)
    X = steps_of_series(X) if steps else X
    model = MultiTaskAttentionClassifier(**BRIEF, **parameters).fit(X, y)
    assert model.net_.module_.like.is_steady == (waits.n == 0)


def test_steps_of_mixed_tasks_wait_for_no_value(waits):
    X, y = table(600)
    mixed = pd.DataFrame({"kind": y[:, 0].astype(str), "number": X[:, 0], "other": y[:, 1]})
    MultiTaskAttentionEstimator(**BRIEF).fit(X, mixed)
    assert waits.n == 0


# ---- on a GPU ----------------------------------------------------------------------------------


@pytest.fixture
def replays(monkeypatch):
    """Note the graphs that are replayed."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    noted = []
    replay = torch.cuda.CUDAGraph.replay

    def noting(graph):
        noted.append(graph)
        replay(graph)

    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", noting)
    return noted


@pytest.mark.gpu
@pytest.mark.parametrize(
    "parameters",
    [
        {"precision": "float32"},
        {"precision": "bf16"},
        {"attention": "double"},
        {"attention": "hierarchical"},
        {"explainable": True},
        {"max_grad_norm": None},
    ],
    ids=str,
)
def test_replayed_steps_train_the_same_network(parameters, replays):
    X, y = table()
    own = {**SMALL, **parameters, "device": "cuda"}
    replayed = MultiTaskAttentionClassifier(**own).fit(X, y)
    assert len(replays) > 20
    told = MultiTaskAttentionClassifier(callbacks=[Watch()], **own).fit(X, y)
    assert_allclose(replayed.loss_curve_, told.loss_curve_, rtol=2e-2)
    ours, theirs = (np.stack(model.predict_proba(X)) for model in (replayed, told))
    assert_allclose(ours, theirs, atol=3e-2)


@pytest.mark.gpu
def test_each_training_is_replayed_by_a_graph_of_its_own(replays):
    X, y = table()
    own = {**SMALL, "refit": True, "device": "cuda"}
    first, again = (MultiTaskAttentionRegressor(**own).fit(X, y) for _ in range(2))
    n_trainings = len(first.net_.module_.networks) + 1  # all of them, and one that went
    assert len({id(graph) for graph in replays}) <= 2 * n_trainings
    assert len(replays) > 2 * n_trainings
    assert_allclose(first.predict(X), again.predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("parameters", "steps"),
    [
        ({"callbacks": [Watch()]}, False),
        ({"attention_normalization": "sparsemax"}, False),
        ({"optimizer": "sgd"}, False),
        (ADAPTIVE, True),
    ],
    ids=["callbacks", "threshold", "optimizer", "span"],
)
def test_other_steps_are_told(parameters, steps, replays):
    X, y = table()
    X = steps_of_series(X) if steps else X
    MultiTaskAttentionClassifier(**SMALL, device="cuda", **parameters).fit(X, y)
    assert not replays
