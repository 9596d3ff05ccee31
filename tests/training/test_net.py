import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from sk_attention.data.batches import Rows
from sk_attention.training.net import StopTraining, log_callbacks
from sk_attention.training.plan import Plan
from sk_attention.training.train import train
from tests.training._toy import make_net, make_rows, same, weights


class StopAt(Callback):
    """Asks to stop at the end of a pass, as skorch's callbacks do."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def trained(n_epochs=5, held_out=True, rows=None, n_outputs=2, n_tasks=1, **parameters):
    net = make_net(n_tasks=n_tasks, n_outputs=n_outputs, **parameters)
    rows = rows or make_rows(n_tasks=n_tasks, n_outputs=n_outputs)
    val = make_rows(30, n_tasks, n_outputs, seed=1) if held_out else None
    train(net, [(rows, val)], Plan(16, n_epochs), seed=0)
    return net


def test_history_keeps_losses_of_a_single_task():
    (first, *_) = trained().history
    assert {"epoch", "dur", "train_loss", "valid_loss", "train_loss_best"} <= set(first)
    assert not [key for key in first if key.startswith("train_loss_y")]
    assert first["train_batch_count"] == 4


def test_history_keeps_the_losses_of_every_task():
    net = trained(n_tasks=2)
    for epoch in net.history:
        for prefix in ("train", "valid"):
            own = [epoch[f"{prefix}_loss_y{task}"] for task in range(2)]
            assert_allclose(np.mean(own), epoch[f"{prefix}_loss"], rtol=1e-6)


def test_history_without_held_out_rows_has_no_held_out_loss():
    assert all("valid_loss" not in epoch for epoch in trained(held_out=False).history)


def test_history_marks_the_best_losses():
    net = trained(10)
    best = np.inf
    for epoch in net.history:
        assert epoch["valid_loss_best"] == (epoch["valid_loss"] < best)
        best = min(best, epoch["valid_loss"])


def test_history_holds_no_batches():
    assert all(not any(epoch["batches"]) for epoch in trained().history)


def test_held_out_loss_is_that_of_the_ensemble():
    net = trained(1)
    rows = make_rows(30, seed=1)
    probability = np.exp(net.ensemble_outputs(rows)[:, 0])
    own = -np.log(probability[np.arange(30), rows.target])
    assert_allclose(net.history[-1, "valid_loss"], own.mean(), rtol=1e-5)


def test_the_loss_falls():
    losses = trained(20).history[:, "train_loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_ensemble_outputs_are_the_mean_over_members(n_tasks):
    net, rows = trained(n_tasks=n_tasks), make_rows(n_tasks=n_tasks)
    out = net.ensemble_outputs(rows)
    assert out.shape == (50, n_tasks, 2)
    with torch.no_grad():
        members = torch.softmax(net.module_(rows.inputs), -1).mean(2)
    assert_allclose(np.exp(out), members, rtol=1e-5)


def test_rows_are_evaluated_alike_in_any_batch(monkeypatch):
    net, rows = trained(), make_rows()
    expected = net.ensemble_outputs(rows)
    for size in (1, 50, 1000):
        monkeypatch.setattr(net.module_, "rows_at_a_time", lambda size=size: size)
        assert_allclose(net.ensemble_outputs(rows), expected, atol=1e-6)


@pytest.mark.parametrize("n_tasks", [1, 2])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_predict_serves_the_scores_of_callbacks(n_tasks, n_outputs):
    net = trained(n_tasks=n_tasks, n_outputs=n_outputs)
    rows = make_rows(n_tasks=n_tasks, n_outputs=n_outputs)
    outputs = net.ensemble_outputs(rows)
    expected = outputs.argmax(-1) if n_outputs > 1 else outputs[..., 0]
    predicted = net.predict(rows)
    assert predicted.shape == ((50,) if n_tasks == 1 else (50, 2))
    assert_allclose(predicted.reshape(50, n_tasks), expected, rtol=1e-6)


def test_mean_attention_is_the_weighted_mean():
    net, rows = trained(n_tasks=2), make_rows(20)
    weight = torch.arange(20.0)
    mean = net.mean_attention(Rows({**rows.inputs, "weight": weight}))
    each = net.module_.read(rows.inputs).weights.detach().numpy()
    assert mean.dtype == np.float64
    assert_allclose(mean, np.average(each, axis=0, weights=weight), rtol=1e-5)
    assert_allclose(mean.sum(-1), 1.0)


def test_evaluation_turns_dropout_off():
    net, rows = trained(dropout=0.5), make_rows()
    net.module_.train()
    assert_array_equal(net.ensemble_outputs(rows), net.ensemble_outputs(rows))


def test_bf16_trains_and_predicts_on_a_cpu():
    exact = trained(20)
    rough = trained(20, train_bf16=True, predict_bf16=True)
    assert not same(weights(exact), weights(rough))
    assert {parameter.dtype for parameter in rough.module_.parameters()} == {torch.float32}
    outputs = rough.ensemble_outputs(make_rows())
    assert outputs.dtype == np.float32
    assert_allclose(np.exp(outputs), np.exp(exact.ensemble_outputs(make_rows())), atol=0.05)


def test_bf16_in_training_alone_predicts_in_float32():
    net = trained(train_bf16=True)
    outputs = net.ensemble_outputs(make_rows())
    net.train_bf16 = False
    assert_array_equal(net.ensemble_outputs(make_rows()), outputs)
    net.predict_bf16 = True
    assert (net.ensemble_outputs(make_rows()) != outputs).any()


def test_results_in_bf16_come_as_float32():
    net = trained(predict_bf16=True)
    out = net.forward_rows(lambda inputs: inputs["x"].bfloat16(), make_rows())
    assert out.dtype == np.float32


def test_gradients_are_clipped_to_the_norm():
    norms = []
    for limit in (None, 1e-3):
        net = make_net(max_grad_norm=limit)
        net.train_step_single(make_rows()[:16])
        norms.append(
            sum(p.grad.square().sum() for p in net.module_.parameters() if p.grad is not None)
            ** 0.5
        )
    assert norms[0] > 0.01
    assert_allclose(norms[1], 1e-3, rtol=1e-3)


@pytest.mark.parametrize("copied", [lambda net: pickle.loads(pickle.dumps(net)), copy.deepcopy])
def test_a_copy_predicts_the_same_and_trains_on(copied):
    net = trained()
    own = copied(net)
    assert_array_equal(own.ensemble_outputs(make_rows()), net.ensemble_outputs(make_rows()))
    assert own.history[:, "train_loss"] == net.history[:, "train_loss"]
    own.initialize_callbacks()
    train(own, [(make_rows(), None)], Plan(16, 2), seed=5)
    assert len(own.history) == 7
    assert len(net.history) == 5
    assert not same(weights(own), weights(net))


def test_a_pickle_leaves_behind_what_only_training_needs():
    net = trained(callbacks=[("kept_out", StopAt(99))])
    own = pickle.loads(pickle.dumps(net))
    assert not hasattr(own, "optimizer_")
    assert own.callbacks_ == []
    assert own.callbacks is None
    assert len(pickle.dumps(net)) < 20_000
    # and takes nothing away from the net
    assert hasattr(net, "optimizer_")
    assert net.callbacks_


def test_a_pickle_holds_the_weights_once():
    net = make_net(n_members=100)
    n_bytes = sum(p.numel() * 4 for p in net.module_.parameters())
    big = make_net(n_members=2000)
    more = sum(p.numel() * 4 for p in big.module_.parameters()) - n_bytes
    assert len(pickle.dumps(big)) - len(pickle.dumps(net)) < 1.1 * more


def test_moving_a_net_to_a_device_keeps_its_results():
    net = trained()
    expected = net.ensemble_outputs(make_rows())
    net.move_to(torch.device("cpu"))
    assert net.device == "cpu"
    assert_array_equal(net.ensemble_outputs(make_rows()), expected)


def test_a_callback_that_stops_is_told_from_an_interrupt():
    net = make_net(callbacks=[("stop", StopAt(1))])
    net.notify("on_epoch_begin")
    with pytest.raises(StopTraining):
        net.notify("on_epoch_end")


@pytest.mark.parametrize(
    ("verbose", "names"),
    [(0, []), (False, []), (1, ["progress_bar"]), (2, ["progress_bar", "print_log"])],
)
def test_verbosity_decides_what_is_shown(verbose, names):
    assert [name for name, _ in log_callbacks(verbose)] == names


def test_a_silent_net_prints_nothing(capfd):
    trained()
    assert capfd.readouterr() == ("", "")


def test_verbose_shows_a_bar_and_a_line_per_pass(capfd):
    trained(3, verbose=2)
    out, err = capfd.readouterr()
    assert "train_loss" in out
    assert len(out.splitlines()) >= 5
    assert "/9 [" in err  # 4 batches to train on, 5 held out
