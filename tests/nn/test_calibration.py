"""The temperature of a softmax: by hand, and against another way to find it."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from sk_attention.nn.calibration import LARGEST, best_temperature


def test_of_two_items_the_temperature_makes_the_odds_those_that_came_true():
    scores = torch.tensor([[math.log(9.0), 0.0]]).repeat(4, 1)
    target = torch.tensor([0, 0, 0, 1])  # odds of 3 where 9 were said
    assert best_temperature(scores, target, torch.ones(4)) == pytest.approx(2.0, rel=1e-4)
    weight = torch.tensor([1.0, 1.0, 1.0, 3.0])  # odds of 1: nothing is known
    assert best_temperature(scores, target, weight) == pytest.approx(LARGEST, rel=1e-3)


def test_the_temperature_is_that_of_another_search():
    rng = torch.Generator().manual_seed(0)
    scores = torch.randn(200, 30, generator=rng) * 4
    target = torch.softmax(scores / 1.7, 1).multinomial(1, generator=rng)[:, 0]
    weight = torch.rand(200, generator=rng)

    def loss(temperature):
        losses = F.cross_entropy(scores / temperature, target, reduction="none")
        return float((losses * weight).sum())

    expected = minimize_scalar(loss, bounds=(0.5, 5), method="bounded", options={"xatol": 1e-6}).x
    assert best_temperature(scores, target, weight) == pytest.approx(expected, rel=1e-3)


def test_what_is_never_wrong_is_as_sure_as_may_be():
    scores = torch.tensor([[0.2, 0.1, 0.0]])
    one = torch.ones(1)
    assert best_temperature(scores, torch.tensor([0]), one) == pytest.approx(1 / LARGEST, rel=1e-3)
    assert best_temperature(torch.zeros(1, 3), torch.tensor([0]), one) > 0  # nothing to choose
