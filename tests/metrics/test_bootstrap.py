import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm

from sk_attention.metrics import bootstrap_interval


def test_interval_of_many_values_is_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(size=2000)
    expected = norm.interval(0.9, values.mean(), values.std() / np.sqrt(2000))
    assert bootstrap_interval(values, confidence=0.9, random_state=0) == pytest.approx(
        expected, abs=0.005
    )


def test_interval_equals_that_of_scipy_up_to_chance():
    values = np.random.default_rng(1).exponential(size=30)
    options = {"n_resamples": 20_000, "method": "percentile", "random_state": 2}
    theirs = bootstrap((values,), np.mean, **options).confidence_interval
    ours = bootstrap_interval(values, n_resamples=20_000, random_state=2)
    assert ours == pytest.approx(tuple(theirs), abs=0.02)


@given(
    values=st.lists(st.floats(-1, 1), min_size=1, max_size=20),
    confidence=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_interval_lies_within_the_values_and_grows_with_confidence(values, confidence, seed):
    options = {"n_resamples": 50, "random_state": seed}
    low, high = bootstrap_interval(values, confidence=confidence, **options)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    wider = bootstrap_interval(values, confidence=(1 + confidence) / 2, **options)
    assert wider[0] <= low <= high <= wider[1]


def test_one_value_per_group_is_the_same_as_no_groups():
    values = np.linspace(0, 1, 12)
    assert bootstrap_interval(values, groups=np.arange(12), random_state=0) == pytest.approx(
        bootstrap_interval(values, random_state=0)
    )


def test_repeating_what_a_user_did_makes_the_mean_no_surer():
    values = np.random.default_rng(0).random(12)
    users = [f"user {number:02}" for number in range(12)]
    alone = bootstrap_interval(values, random_state=0)
    repeated = bootstrap_interval(np.repeat(values, 9), groups=np.repeat(users, 9), random_state=0)
    assert repeated == pytest.approx(alone)
    low, high = bootstrap_interval(np.repeat(values, 9), random_state=0)
    assert high - low < 0.5 * (alone[1] - alone[0])


def test_large_groups_weigh_more():
    low, high = bootstrap_interval([0, 1, 1, 1], groups=[0, 1, 1, 1], random_state=0)
    assert (low, high) == (0, 1)
    values, groups = [0] * 50 + [1] * 150, np.r_[np.arange(50), np.repeat(np.arange(50, 100), 3)]
    low, high = bootstrap_interval(values, groups=groups, random_state=0)
    assert low < 0.75 < high


def test_random_state_repeats_the_interval_and_the_global_generator_is_left_alone():
    values = np.random.default_rng(0).random(30)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert bootstrap_interval(values, random_state=3) == bootstrap_interval(values, random_state=3)
    assert bootstrap_interval(values) != bootstrap_interval(values)
    generator = np.random.RandomState(0)
    assert bootstrap_interval(values, random_state=generator) != bootstrap_interval(
        values, random_state=generator
    )
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_bad_values_are_an_error():
    with pytest.raises(ValueError, match=r"at least one query, got \(0,\)"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match=r"values must have the shape .*, got \(1, 1\)"):
        bootstrap_interval([[1.0]])
    with pytest.raises(ValueError, match="values must be finite"):
        bootstrap_interval([1.0, np.nan])


def test_bad_options_of_the_interval_are_an_error():
    with pytest.raises(ValueError, match=r"groups must have .* \(2,\); got the shape \(1,\)"):
        bootstrap_interval([0, 1], groups=[0])
    for confidence in (0, 1, 95, "high"):
        with pytest.raises(ValueError, match=f"confidence must be .* got {confidence!r}"):
            bootstrap_interval([0, 1], confidence=confidence)
    for n_resamples in (0, 1.5):
        with pytest.raises(ValueError, match=f"n_resamples must be .* got {n_resamples!r}"):
            bootstrap_interval([0, 1], n_resamples=n_resamples)
    with pytest.raises(ValueError, match="'seed' cannot be used to seed"):
        bootstrap_interval([0, 1], random_state="seed")
