"""Recommenders that are compiled, or fitted on a GPU, are those of the CPU."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sk_attention.datasets import make_interactions
from sk_attention.model_selection import LeaveLastOut
from tests._recommenders import ATTENTIONS, assert_same_model, interactions, recommender

X = interactions()
UNEVEN = X.drop(X.index[np.random.default_rng(0).random(len(X)) < 0.3])  # histories of all lengths
LABEL = (UNEVEN["item_id"] + UNEVEN["user_id"]) % 3 == 0
ONE_PASS = {"max_epochs": 1, "batch_size": 8, "early_stopping": False, "precision": "float64"}
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
NEEDS_COMPILER = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="no compiler"
)


def compiled_parts(model):
    return [part for part in model.net_.module_.modules() if part._compiled_call_impl is not None]


@pytest.mark.slow
@pytest.mark.timeout(600)
@NEEDS_COMPILER
# torch.compile hides this warning of its own, but not from filters that make it an error
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    ("task", "parameters"),
    [
        ("ranking", {"attention": "double", "loss": "sampled_softmax", "n_negatives": 8}),
        ("classification", {"attention": "cross"}),
    ],
)
def test_compiled_recommender_is_the_same_recommender(task, parameters):
    y = None if task == "ranking" else LABEL
    parameters = {"task": task, "dropout": 0.0, **ONE_PASS, **parameters}
    plain = recommender(**parameters).fit(UNEVEN, y)
    own = recommender(compile=True, **parameters).fit(UNEVEN, y)
    assert compiled_parts(own) and not compiled_parts(plain)
    close = {"rtol": 1e-7, "atol": 1e-9}
    assert_allclose(own.loss_curve_, plain.loss_curve_, **close)
    loaded = pickle.loads(pickle.dumps(own))
    assert not compiled_parts(loaded)
    assert_allclose(loaded.predict_proba(UNEVEN), plain.predict_proba(UNEVEN), **close)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("task", ["ranking", "regression"])
def test_what_reads_histories_is_compiled_in_every_training(task, attention, monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda part, **options: compiled.append((part, options))
    )
    own = recommender(task=task, attention=attention, compile=True, **ONE_PASS).fit(X, X["item_id"])
    network = own.net_.module_
    parts = [getattr(network, name, None) for name in ("encoder", "reader", "reading", "towers")]
    expected = [(part, {"dynamic": True}) for part in parts if part is not None]
    assert compiled == expected
    own.partial_fit(X[:20], X["item_id"][:20])
    assert len(compiled) == 2 * len(expected)


def test_fields_are_compiled_too(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda part: compiled.append(part))
    fields = np.random.default_rng(0).normal(size=(30, 3))
    own = recommender(compile=True).fit(fields, fields[:, 0])
    assert compiled == [own._fields.net_.module_]


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_gpu_learns_and_reads_as_a_cpu_does(attention):
    """But for what is drawn: which events are hidden, and which items are compared."""
    gpu, cpu = (
        recommender(attention=attention, device=device, dropout=0.0, **ONE_PASS).fit(X)
        for device in ("cuda", "cpu")
    )
    assert next(gpu.net_.module_.parameters()).is_cuda
    assert_allclose(gpu.loss_curve_, cpu.loss_curve_, rtol=0.05)
    gpu.net_.module_.load_state_dict(cpu.net_.module_.state_dict())
    gpu._look_back()  # of the same weights
    assert_same_model(gpu, cpu, rtol=1e-6)


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("loss", ["cross_entropy", "sampled_softmax"])
def test_fit_on_a_gpu_recommends_like_one_on_the_cpu(loss):
    planted = make_interactions(200, 40, 20, n_groups=4, lag=2, random_state=0)
    table = planted.data.drop(columns="session_id")
    ((train, test),) = LeaveLastOut().split(table)
    sizes = {"loss": loss, "max_epochs": 15, "learning_rate": 0.01, "embedding_dim": 16}
    gpu, cpu = (
        recommender(device=device, **sizes).fit(table.iloc[train]) for device in ("cuda", "cpu")
    )
    scores = gpu.score(table.iloc[test]), cpu.score(table.iloc[test])
    assert min(scores) > 0.5  # 0.36 of what is popular
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
    loaded = pickle.loads(pickle.dumps(gpu))
    assert_same_model(loaded, gpu)


@pytest.mark.gpu
@NEEDS_GPU
def test_a_pickle_of_a_gpu_answers_on_a_cpu(tmp_path):
    own = recommender(device="cuda").fit(X)
    path = tmp_path / "own.pkl"
    path.write_bytes(pickle.dumps(own))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        loaded = pickle.loads(path.read_bytes())
    assert not next(loaded.net_.module_.parameters()).is_cuda
    assert_allclose(loaded.recommend(k=5)[1], own.recommend(k=5)[1], rtol=1e-4, atol=1e-4)
    assert loaded.partial_fit(X[-20:]).n_iter_ == own.n_iter_ + 1
