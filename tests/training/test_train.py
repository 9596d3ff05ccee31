import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    PrintLog,
    ProgressBar,
)
from torch.nn import functional as F

from sk_attention.data.batches import Rows
from sk_attention.training.plan import Plan
from sk_attention.training.train import history_values, train, training_callbacks
from tests.training._toy import make_net, make_rows, same, weights


def held_out_rows(n_tasks=1):
    return make_rows(30, n_tasks, seed=1)


def train_with(callback, n_epochs=6, patience=None, **parameters):
    """A net trained with one callback, or a copy of it, and that copy."""
    net = make_net(callbacks=training_callbacks([callback], patience), **parameters)
    train(net, [(make_rows(), held_out_rows())], Plan(16, n_epochs), seed=0)
    (own,) = (one for _, one in net.callbacks_ if type(one) is type(callback))
    return net, own


@pytest.mark.parametrize("n_tasks", [1, 3])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_training_equals_a_bare_loop_of_torch(n_tasks, kind):
    net, rows = make_net(n_tasks, optimizer=kind, weight_decay=0.1), make_rows(50, n_tasks)
    module = copy.deepcopy(net.module_)
    train(net, [(rows, None)], Plan(16, 4), seed=3)

    optimizer = kind(
        [
            {"params": [module.weight], "weight_decay": 0.1},
            {"params": [module.query], "weight_decay": 0.0},
        ],
        lr=0.05,
    )
    generator, curve = torch.Generator().manual_seed(3), []
    average, n_steps = copy.deepcopy(module.state_dict()), 0
    target = rows.target.view(50, n_tasks)
    for _ in range(4):
        total = 0.0
        for chosen in torch.randperm(50, generator=generator).split(16):
            optimizer.zero_grad()
            out = module({"x": rows.inputs["x"][chosen]})
            loss = 0.0
            for task in range(n_tasks):
                for member in range(2):
                    own = F.cross_entropy(
                        out[:, task, member], target[chosen, task], reduction="none"
                    )
                    weighted = own * rows.inputs["weight"][chosen, task]
                    loss = loss + weighted.mean() / (2 * n_tasks)
            loss.backward()
            optimizer.step()
            n_steps += 1
            decay = min(1 - 1 / 4, (1 + n_steps) / (10 + n_steps))  # 4 steps a pass
            for name, tensor in module.state_dict().items():
                average[name] = decay * average[name] + (1 - decay) * tensor
            total += loss.item() * len(chosen) / 50
        curve.append(total)
    assert_allclose(net.history[:, "train_loss"], curve, rtol=1e-4)
    for name, tensor in average.items():
        torch.testing.assert_close(net.module_.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_seed_decides_the_training():
    def end(seed):
        net = make_net(dropout=0.3)
        train(net, [(make_rows(), None)], Plan(16, 3), seed)
        return weights(net)

    before = torch.get_rng_state()
    first = end(1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert same(end(1), first)
    assert not same(end(2), first)


def test_training_goes_on_where_it_ended():
    net = make_net()
    for n_passes in (3, 5):
        train(net, [(make_rows(), None)], Plan(50, n_passes), seed=0)
    whole = make_net()
    train(whole, [(make_rows(), None)], Plan(50, 8), seed=0)
    assert len(net.history) == 8
    assert same(weights(net), weights(whole))


def test_early_stopping_restores_the_best_weights():
    best = {}

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "valid_loss_best"]:
                best.update(weights(net), epoch=len(net.history))

    rows, other = make_rows(), held_out_rows()
    other.target = 1 - other.target  # what is learned makes the held-out loss worse
    callbacks = training_callbacks(None, patience=3)
    net = make_net(callbacks=[("keep", Keep()), *callbacks])
    train(net, [(rows, other)], Plan(16, 50), seed=0)
    assert len(net.history) == best.pop("epoch") + 3
    assert same(best, weights(net))


def test_a_second_training_repeats_the_best_passes_on_all_rows():
    net = make_net(callbacks=training_callbacks(None, patience=3))
    train(
        net,
        [(make_rows(), held_out_rows())],
        Plan(16, 6),
        seed=0,
        all_rows=lambda: make_rows(80, seed=2),
    )
    losses = [epoch["valid_loss"] for epoch in net.history if "valid_loss" in epoch]
    best = 1 + np.argmin(losses)
    assert len(net.history) == len(losses) + best
    assert best > 1
    alone = make_net()
    train(alone, [(make_rows(80, seed=2), None)], Plan(16, best), seed=0)
    assert same(weights(net), weights(alone))


def test_the_number_of_passes_is_the_median_over_the_splits():
    def best_of(held_out):
        net = make_net(callbacks=training_callbacks(None, patience=3))
        train(net, [(make_rows(), held_out)], Plan(16, 30), seed=0)
        return 1 + np.argmin(net.history[:, "valid_loss"])

    other = held_out_rows()
    other.target = 1 - other.target
    held_out = [held_out_rows(), other, make_rows(30, seed=4)]
    best = int(np.median([best_of(own) for own in held_out]))
    net = make_net(callbacks=training_callbacks(None, patience=3))
    splits = [(make_rows(), own) for own in held_out]
    train(net, splits, Plan(16, 30), seed=0, all_rows=lambda: make_rows(80, seed=2))
    alone = make_net()
    train(alone, [(make_rows(80, seed=2), None)], Plan(16, best), seed=0)
    assert same(weights(net), weights(alone))
    assert sum("valid_loss" not in epoch for epoch in net.history) == best


def test_the_last_training_is_averaged_even_if_it_is_a_single_pass():
    rows, other = make_rows(), held_out_rows()
    other.target = 1 - other.target  # the first pass is the best
    net = make_net(callbacks=training_callbacks(None, patience=3))
    train(net, [(rows, other)], Plan(16, 50), seed=0, all_rows=make_rows)
    assert sum("valid_loss" not in epoch for epoch in net.history) == 1
    plain = make_net()
    train(plain, [(rows, None)], Plan(16, 1), seed=0)
    assert not same(weights(net), weights(plain))


def test_a_callback_that_fails_at_the_start_leaves_nothing_behind():
    class Fail(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            raise RuntimeError("no")

    net = make_net(callbacks=[Fail()], dropout=0.5)
    with pytest.raises(RuntimeError, match="no"):
        train(net, [(make_rows(), None)], Plan(16, 3), seed=0)
    assert net.average_ is None
    assert net.module_.dropout.generator is None


def test_an_interrupt_of_the_second_training_leaves_the_first():
    class Interrupt(Callback):
        def on_batch_begin(self, net, batch, training, **kwargs):
            if training and len(batch[1]) == 32:
                raise KeyboardInterrupt

    def end(all_rows):
        net = make_net(callbacks=[Interrupt(), *training_callbacks(None, patience=3)])
        train(net, [(make_rows(31), held_out_rows())], Plan(32, 9), 0, all_rows)
        return net

    first = end(None)
    net = make_net(callbacks=[Interrupt(), *training_callbacks(None, patience=3)])
    with pytest.raises(KeyboardInterrupt):
        train(net, [(make_rows(31), held_out_rows())], Plan(32, 9), 0, lambda: make_rows(80))
    assert same(weights(net), weights(first))
    assert len(net.history) == len(first.history)


def test_patience_of_none_never_stops():
    assert training_callbacks(None, None) == []


def test_early_stopping_rests_without_held_out_rows(capsys):
    net = make_net(callbacks=training_callbacks(None, patience=1))
    train(net, [(make_rows(), None)], Plan(16, 5), seed=0)
    assert len(net.history) == 5
    train(net, [(make_rows(), held_out_rows())], Plan(16, 2), seed=0)
    assert capsys.readouterr().out == ""


def test_the_users_callbacks_are_copied():
    class Count(Callback):
        n_calls = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_calls += 1

    callback = Count()
    _, own = train_with(callback)
    assert own is not callback
    assert (own.n_calls, callback.n_calls) == (6, 0)


@pytest.mark.parametrize("on_train", [False, True])
def test_epoch_scoring_counts_right_answers(on_train):
    net, _ = train_with(EpochScoring("accuracy", name="right", on_train=on_train), lr=0.0)
    rows = make_rows() if on_train else held_out_rows()
    expected = accuracy_score(rows.target.numpy(), net.predict(rows))
    assert 0.0 < expected < 1.0
    assert_allclose(net.history[:, "right"], expected)


def test_learning_rate_follows_a_schedule():
    net, _ = train_with(LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1))
    rates = [group["lr"] for group in net.optimizer_.param_groups]
    assert_allclose(rates, 0.05 * 0.1**3)
    assert_allclose(net.history[:, "event_lr"], [0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005])


def test_learning_rate_may_follow_the_held_out_loss():
    policy = torch.optim.lr_scheduler.ReduceLROnPlateau
    net, _ = train_with(LRScheduler(policy, monitor="valid_loss", patience=0), lr=5.0, n_epochs=20)
    assert net.optimizer_.param_groups[0]["lr"] < 5.0


def test_checkpoints_hold_the_best_weights(tmp_path):
    net, _ = train_with(Checkpoint(dirname=tmp_path / "best"))
    saved = make_net(seed=7)
    saved.load_params(f_params=tmp_path / "best" / "params.pt")
    losses = net.history[:, "valid_loss"]
    again = make_net()
    train(again, [(make_rows(), held_out_rows())], Plan(16, int(np.argmin(losses)) + 1), seed=0)
    assert same(weights(saved), weights(again))


def test_checkpoints_may_hold_every_pass(tmp_path):
    name = "pass_{last_epoch[epoch]}.pt"
    train_with(Checkpoint(monitor=None, f_params=name, dirname=tmp_path), n_epochs=3)
    assert {f"pass_{n}.pt" for n in (1, 2, 3)} <= {path.name for path in tmp_path.iterdir()}


def test_the_users_early_stopping_stops():
    net, _ = train_with(EarlyStopping(patience=2, threshold=10.0, sink=lambda *_: None), 50)
    assert len(net.history) == 3


def test_progress_and_log_are_shown(capfd):
    train_with(ProgressBar())
    assert "/9 [" in capfd.readouterr().err  # 4 batches to train on, 5 held out
    lines = []
    train_with(PrintLog(sink=lines.append))
    assert "train_loss" in lines[0]
    assert "valid_loss" in lines[0]
    assert len(lines) == 2 + 6


class Interrupt(Callback):
    """Ctrl-C in the middle of a pass."""

    ended = 0

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == 3:
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        self.ended += 1


@pytest.mark.parametrize("patience", [None, 10])
def test_an_interrupt_is_raised_again_after_the_training_has_ended(patience):
    net = make_net(callbacks=training_callbacks([Interrupt()], patience))
    with pytest.raises(KeyboardInterrupt):
        train(net, [(make_rows(), held_out_rows())], Plan(16, 9), seed=0)
    (own,) = (one for _, one in net.callbacks_ if isinstance(one, Interrupt))
    assert own.ended == 1
    assert np.isfinite(net.ensemble_outputs(make_rows())).all()


def test_an_interrupt_keeps_the_best_weights():
    net = make_net(callbacks=training_callbacks([Interrupt()], 10))
    with pytest.raises(KeyboardInterrupt):
        train(net, [(make_rows(), held_out_rows())], Plan(16, 9), seed=0)
    two_passes = make_net()
    train(two_passes, [(make_rows(), held_out_rows())], Plan(16, 2), seed=0)
    assert two_passes.history[-1, "valid_loss_best"]
    assert same(weights(net), weights(two_passes))


def test_a_callback_that_stops_ends_training_without_an_interrupt():
    class Stop(Callback):
        ended = 0

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 4:
                raise KeyboardInterrupt

        def on_train_end(self, net, **kwargs):
            self.ended += 1

    net, own = train_with(Stop(), n_epochs=50)
    assert len(net.history) == 4
    assert own.ended == 1


def poisoned():
    rows = make_rows()
    x = rows.inputs["x"].clone()
    x[7] = torch.nan
    return Rows({**rows.inputs, "x": x}, rows.target)


@pytest.mark.parametrize("where", ["train", "valid"])
def test_a_loss_that_is_not_finite_is_an_error_and_undone(where):
    net = make_net()
    train(net, [(make_rows(), held_out_rows())], Plan(16, 2), seed=0)
    before, passes = weights(net), list(net.history)
    rows = [poisoned(), held_out_rows()] if where == "train" else [make_rows(), poisoned()]
    with pytest.raises(
        ValueError,
        match=r"The loss became nan in pass 3 over the rows\. Try a smaller learning_rate, a "
        r"max_grad_norm of 1\.0, or precision='float32'\.",
    ):
        train(net, [rows], Plan(16, 4), seed=0)
    assert same(weights(net), before)
    assert list(net.history) == passes


def test_training_goes_on_after_a_loss_that_was_not_finite():
    net = make_net()
    with pytest.raises(ValueError, match="The loss became nan"):
        train(net, [(poisoned(), None)], Plan(16, 4), seed=0)
    train(net, [(make_rows(), None)], Plan(16, 4), seed=0)
    assert np.isfinite(net.history[:, "train_loss"]).all()
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]


def test_a_learning_rate_that_is_too_large_is_an_error():
    net = make_net(n_outputs=1, optimizer=torch.optim.SGD, lr=1e6)
    with pytest.raises(ValueError, match=r"The loss became (inf|nan) in pass"):
        train(net, [(make_rows(n_outputs=1), None)], Plan(16, 50), seed=0)


def test_an_error_in_a_callback_is_undone_and_raised():
    class Fail(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("no disk")

    net = make_net(callbacks=[Fail()])
    before = weights(net)
    with pytest.raises(RuntimeError, match="no disk"):
        train(net, [(make_rows(), None)], Plan(16, 4), seed=0)
    assert same(weights(net), before)
    assert len(net.history) == 0


@pytest.mark.parametrize("fails", [False, True])
def test_generators_are_taken_away_after_training(fails):
    net = make_net(dropout=0.5)
    if fails:
        with pytest.raises(ValueError, match="The loss became"):
            train(net, [(poisoned(), None)], Plan(16, 1), seed=0)
    else:
        train(net, [(make_rows(), None)], Plan(16, 1), seed=0)
    assert net.module_.dropout.generator is None
    assert net.iterator_train__generator is None


def test_history_values_come_as_a_table():
    net = make_net(2)
    train(net, [(make_rows(n_tasks=2), None)], Plan(16, 1), seed=0)
    train(net, [(make_rows(n_tasks=2), held_out_rows(2))], Plan(16, 3), seed=0)
    assert history_values(net, ["train_loss"]).shape == (4, 1)
    table = history_values(net, ["valid_loss_y0", "valid_loss_y1"])
    assert table.shape == (3, 2)
    assert_allclose(table.mean(1), net.history[1:, "valid_loss"], rtol=1e-6)
    assert history_values(net, ["no_such_key", "train_loss"]).shape == (0, 2)
