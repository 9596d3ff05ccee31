"""What decides a fit, what a fit leaves alone, and what a pickle holds."""

import copy
import pickle
import shutil

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal

from tests._estimators import (
    KINDS,
    assert_same_outputs,
    classifier,
    data_for,
    one_pass,
    outputs,
    over_kinds,
    small,
)

# ---- what decides ------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2}, {"numeric_embedding": "periodic"}])
@over_kinds
def test_random_state_decides_alone(kind, parameters):
    X, y = data_for(kind, 550)  # several batches and a hold-out
    parameters = {"max_epochs": 2, "embedding_dim": 4, **parameters}
    torch.manual_seed(1)
    first = small(kind, **parameters).fit(X, y)
    torch.manual_seed(2)
    assert_same_outputs(small(kind, **parameters).fit(X, y), first, X)
    other = small(kind, random_state=1, **parameters).fit(X, y)
    assert (outputs(other, X) != outputs(first, X)).any()


@over_kinds
def test_random_state_may_be_a_generator_or_none(kind):
    X, y = data_for(kind)
    one, other = (
        one_pass(small(kind, random_state=np.random.RandomState(3)), X, y) for _ in range(2)
    )
    assert_same_outputs(one, other, X)
    state = np.random.RandomState(3)
    drawn = [outputs(one_pass(small(kind, random_state=state), X, y), X) for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()
    fresh = [outputs(one_pass(small(kind, random_state=None), X, y), X) for _ in range(2)]
    assert (fresh[0] != fresh[1]).any()


@pytest.mark.parametrize("numeric_embedding", ["piecewise", "periodic"])
def test_equal_fits_in_threads_are_identical(numeric_embedding):
    X, y = data_for(KINDS[0])
    model = classifier(
        dropout=0.2, batch_size=32, max_epochs=20, numeric_embedding=numeric_embedding
    )

    def fit(_):
        return outputs(copy.deepcopy(model).fit(X, y), X)

    expected = fit(None)
    for found in Parallel(n_jobs=4, backend="threading")(delayed(fit)(i) for i in range(4)):
        assert_array_equal(found, expected)


# ---- what is left alone ------------------------------------------------------------------------


@pytest.mark.parametrize("random_state", [0, None])
@over_kinds
def test_global_state_is_left_as_found(kind, random_state):
    X, y = data_for(kind, 550)
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    threads, dtype, grad = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    random = {"dropout": 0.2, "numeric_embedding": "periodic", "categorical_features": [3]}
    parameters = {**random, "random_state": random_state}
    model = small(kind, max_epochs=2, **parameters).fit(X, y)
    model.partial_fit(X, y).transform(X)
    assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == dtype
    assert torch.is_grad_enabled() == grad


@over_kinds
def test_data_are_left_as_found(kind):
    X, y = data_for(kind)
    weight = np.ones(60)
    before = [array.copy() for array in (X, y, weight)]
    model = small(kind).fit(X, y, sample_weight=weight, X_val=X, y_val=y)
    model.partial_fit(X, y, sample_weight=weight).score(X, y, sample_weight=weight)
    for array, copied in zip((X, y, weight), before, strict=True):
        assert_array_equal(array, copied)


@over_kinds
def test_nothing_is_written_to_disk(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = data_for(kind)
    small(kind, early_stopping=True).fit(X, y).predict(X)
    assert not list(tmp_path.iterdir())


@over_kinds
def test_predicting_changes_nothing(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, dropout=0.5), X, y)
    before = pickle.dumps(model)
    expected = outputs(model, X)
    model.predict(X)
    model.attend(X[:3])
    model.transform(X)
    assert_array_equal(outputs(model, X), expected)
    assert pickle.dumps(model) == before


# ---- precision and device ----------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
@over_kinds
def test_any_precision_learns(kind, precision):
    X, y = data_for(kind)
    model = small(kind, precision=precision, learning_rate=0.01).fit(X, y)
    dtype = torch.float64 if precision == "float64" else torch.float32
    assert {parameter.dtype for parameter in model.net_.module_.parameters()} == {dtype}
    assert model.score(X, y) > 0.8
    assert outputs(model, X).dtype == np.float64
    assert model.attend(X).dtype == model.transform(X).dtype == np.float64
    reference = small(kind, precision="float64", learning_rate=0.01).fit(X, y)
    if precision == "float32":
        assert_same_outputs(model, reference, X, rtol=0.02, atol=0.02)


def test_automatic_precision_is_float64_for_few_rows_alone():
    few = classifier().fit(*data_for(KINDS[0], 60))
    many = classifier(max_epochs=1).fit(*data_for(KINDS[0], 600))
    for model, dtype in [(few, torch.float64), (many, torch.float32)]:
        assert next(model.net_.module_.parameters()).dtype == dtype


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")], ids=["str", "device"])
@over_kinds
def test_device_may_be_named(kind, device):
    X, y = data_for(kind)
    model = one_pass(small(kind, device=device), X, y)
    assert_same_outputs(model, one_pass(small(kind), X, y), X)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@over_kinds
def test_fit_on_a_gpu_predicts_like_one_on_the_cpu(kind):
    X, y = data_for(kind)
    gpu, cpu = (small(kind, device=device).fit(X, y) for device in ("cuda", "cpu"))
    assert_same_outputs(gpu, cpu, X, rtol=1e-4, atol=1e-4)
    assert_same_outputs(pickle.loads(pickle.dumps(gpu)), gpu, X, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no compiler")
@over_kinds
def test_compiled_network_is_the_same_network(kind):
    X, y = data_for(kind)
    exact = {"precision": "float64"}
    model = one_pass(small(kind, compile=True, **exact), X, y)
    assert_same_outputs(model, one_pass(small(kind, **exact), X, y), X, rtol=1e-7, atol=1e-9)
    assert_same_outputs(pickle.loads(pickle.dumps(model)), model, X, rtol=1e-7, atol=1e-9)


# ---- pickles -----------------------------------------------------------------------------------


@over_kinds
def test_pickle_of_the_default_is_small(kind):
    X, y = data_for(kind, 600, 20)
    model = kind(max_epochs=1, random_state=0).fit(X, y)
    assert len(pickle.dumps(model)) < 2**20


@over_kinds
def test_pickle_holds_no_rows_and_no_optimiser(kind):
    X, y = data_for(kind, 900)
    once = {"n_bins": 4, "max_epochs": 2, "refit": False}  # the same number of passes
    models = [small(kind, **once).fit(X[:n], y[:n]) for n in (600, 900)]
    few, many = (len(pickle.dumps(model)) for model in models)
    assert many == pytest.approx(few, rel=0.02)
    model = small(kind, warm_start=True).fit(X[:60], y[:60])
    content = pickle.dumps(model)
    grown = pickle.dumps(model.fit(X[:60], y[:60]))
    # 100 more passes add their losses and durations, but no moments and no batches
    assert len(grown) - len(content) < 100 * 200
    assert not hasattr(pickle.loads(content).net_, "optimizer_")


@over_kinds
def test_pickled_estimator_learns_on(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind, warm_start=True), X, y)
    loaded = pickle.loads(pickle.dumps(model))
    loaded.partial_fit(X, y)
    assert loaded.n_iter_ == 2
    assert loaded.fit(X, y).n_iter_ == 2 + model.fit(X, y).n_iter_ - 1
    assert loaded.loss_curve_[-1] < loaded.loss_curve_[0]
    # the moments of the optimiser start anew: close, not equal
    assert_allclose(outputs(loaded, X), outputs(model, X), atol=0.5)
