"""The temperature of a softmax: by hand, and against another way to find it."""

import math

import pytest
import torch
from scipy.optimize import minimize, minimize_scalar
from torch.nn import functional as F

from sk_attention.nn.calibration import (
    LARGEST,
    LARGEST_CHANGE,
    best_temperature,
    best_temperature_and_weight,
)


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


@pytest.mark.parametrize("true", [(1.7, 0.8), (0.6, 0.05), (1.0, 3.0)], ids=str)
def test_temperature_and_weight_are_those_of_another_search(true, monkeypatch):
    rng = torch.Generator().manual_seed(0)
    scores, gains = torch.randn(300, 40, generator=rng) * 3, torch.rand(300, 40, generator=rng) * 4
    shares = torch.softmax((scores + true[1] * gains) / true[0], 1)
    target = shares.multinomial(1, generator=rng)[:, 0]
    weight = torch.rand(300, generator=rng)

    def loss(point):
        sums = point[0] * scores.double() + point[1] * gains.double()
        return float((F.cross_entropy(sums, target, reduction="none") * weight).sum())

    inverse, added = minimize(loss, [1.0, 0.1], bounds=[(0.01, 20), (0, None)]).x
    found = best_temperature_and_weight(scores, gains, target, weight)
    assert found == pytest.approx((1 / inverse, added / inverse), rel=2e-3)
    monkeypatch.setattr("sk_attention.nn.calibration.SCORES_AT_A_TIME", 7 * 40)
    assert best_temperature_and_weight(scores, gains, target, weight) == pytest.approx(found)
    tripled = best_temperature_and_weight(3 * scores, gains, target, weight)
    assert tripled == pytest.approx((3 * found[0], 3 * found[1]), rel=1e-3)


def test_gains_that_mislead_weigh_nothing_and_those_that_tell_all_leave_something_to_scores():
    scores = torch.tensor([[math.log(9.0), 0.0]]).repeat(4, 1)
    target, weight = torch.tensor([0, 0, 0, 1]), torch.ones(4)
    misleading = F.one_hot(1 - target, 2).float()
    temperature, added = best_temperature_and_weight(scores, misleading, target, weight)
    assert (temperature, added) == (pytest.approx(2.0, rel=1e-3), 0.0)
    telling = F.one_hot(target, 2).float()
    temperature, added = best_temperature_and_weight(scores, telling, target, weight)
    assert 2.0 / LARGEST_CHANGE <= temperature <= 2.0 * LARGEST_CHANGE * 1.001
    assert 5.0 < added / temperature < math.inf
    nothing = torch.zeros(4, 2)
    temperature, added = best_temperature_and_weight(scores, nothing, target, weight)
    assert (temperature, added) == (pytest.approx(2.0, rel=1e-3), 0.0)
