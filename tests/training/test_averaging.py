import pytest
import torch
from torch.testing import assert_close

from sk_attention.training.averaging import WeightAverage


def module(value=1.0):
    own = torch.nn.Linear(1, 1, bias=False)
    own.weight.data.fill_(value)
    return own


def step(own, average, value, steps_per_pass):
    with average.training_weights():
        own.weight.data.fill_(value)
        average.update(steps_per_pass)


def test_average_follows_its_recursion():
    own = module(0.0)
    average = WeightAverage(own)
    expected = 0.0
    for n_steps, value in enumerate([1.0, -2.0, 5.0, 0.5], start=1):
        step(own, average, value, steps_per_pass=3)
        decay = min(1 - 1 / 3, (1 + n_steps) / (10 + n_steps))
        expected = decay * expected + (1 - decay) * value
        assert own.weight.item() == pytest.approx(expected)


def test_a_pass_of_one_step_is_not_averaged():
    own = module()
    average = WeightAverage(own)
    step(own, average, 7.0, steps_per_pass=1)
    assert own.weight.item() == 7.0


def test_training_goes_on_with_its_own_weights_even_after_an_error():
    own = module(0.0)
    average = WeightAverage(own)
    step(own, average, 8.0, steps_per_pass=10)
    held = own.weight.detach().clone()
    with pytest.raises(RuntimeError), average.training_weights():
        assert own.weight.item() == 8.0
        raise RuntimeError
    assert_close(own.weight.detach(), held)
