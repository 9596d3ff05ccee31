import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer

from sk_attention.data.numeric import N_KNOTS, BinEncoder, NormalScoreEncoder, normal_scores

NUMBERS = hnp.arrays(
    np.float64,
    st.integers(1, 30),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, np.nan]),
)


def weights_like(numbers, seed=0):
    return np.random.default_rng(seed).integers(1, 4, len(numbers)).astype(float)


def scores(numbers, weight=None, query=None):
    weight = np.ones(len(numbers)) if weight is None else weight
    query = numbers if query is None else np.asarray(query, dtype=float)
    encoder = NormalScoreEncoder().fit([numbers], weight)
    codes = encoder.transform([query], len(query), np.float64)
    return np.where(codes["missing"], np.nan, codes["value"])[:, 0]


def encode(numbers, n_bins, query=None, weight=None):
    """Edges, bins and fractions of one column."""
    weight = np.ones(len(numbers)) if weight is None else weight
    query = numbers if query is None else np.asarray(query, dtype=float)
    encoder = BinEncoder(n_bins).fit([numbers], weight)
    codes = encoder.transform([query], len(query), np.float64)
    return encoder.edges_[0], codes["bin"][:, 0], codes["fraction"][:, 0]


@given(NUMBERS)
def test_scores_equal_a_loop_over_the_formula(numbers):
    weight = weights_like(numbers)
    there = ~np.isnan(numbers)
    total = weight[there].sum()
    for x, score in zip(numbers, scores(numbers, weight), strict=True):
        if np.isnan(x):
            assert np.isnan(score)
            continue
        below = sum(w for v, w in zip(numbers, weight, strict=True) if v < x)
        equal = sum(w for v, w in zip(numbers, weight, strict=True) if v == x)
        assert_allclose(score, norm.ppf((below + equal / 2) / total), atol=1e-12)


@given(NUMBERS, hnp.arrays(np.float64, 20, elements=st.floats(-2e6, 2e6, allow_subnormal=False)))
def test_scores_never_fall_and_stay_in_the_range_of_training(numbers, query):
    assume(not np.isnan(numbers).all())
    own = scores(numbers)
    found = scores(numbers, query=np.sort(query))
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= np.nanmin(own) - 1e-12
    assert found.max() <= np.nanmax(own) + 1e-12


@given(NUMBERS)
def test_a_weight_of_two_equals_a_row_given_twice(numbers):
    weight = weights_like(numbers)
    again = np.repeat(numbers, weight.astype(int))
    for n_bins in (1, 3, 48):
        one = BinEncoder(n_bins).fit([numbers], weight)
        other = BinEncoder(n_bins).fit([again], np.ones(len(again)))
        assert_array_equal(one.edges_, other.edges_)
        assert_array_equal(one.knots_[0], other.knots_[0])


def test_a_weight_of_two_equals_a_row_given_twice_beyond_the_number_of_knots():
    numbers = np.random.default_rng(0).normal(size=1000)
    weight = weights_like(numbers)
    again = np.repeat(numbers, weight.astype(int))
    assert_array_equal(normal_scores(numbers, weight), normal_scores(again, np.ones(len(again))))


@given(NUMBERS, st.randoms(use_true_random=False))
def test_scores_do_not_depend_on_the_order_of_the_rows(numbers, random):
    order = np.array(random.sample(range(len(numbers)), len(numbers)))
    weight = weights_like(numbers)
    assert_array_equal(normal_scores(numbers, weight), normal_scores(numbers[order], weight[order]))


def test_scores_are_those_of_a_normal_quantile_transform():
    numbers = np.random.default_rng(0).lognormal(sigma=2.0, size=5000)
    transformer = QuantileTransformer(n_quantiles=5000, output_distribution="normal")
    expected = transformer.fit_transform(numbers[:, None])[:, 0]
    inner = np.abs(expected) < 2.5
    assert_allclose(scores(numbers)[inner], expected[inner], atol=0.05)


def test_scores_of_many_values_are_standard_normal():
    own = scores(np.random.default_rng(0).exponential(size=20_000))
    assert abs(own.mean()) < 0.01
    assert abs(own.std() - 1.0) < 0.02


@pytest.mark.parametrize("outlier", [1e3, 1e300])
def test_outliers_land_near_the_centre_and_leave_the_others_alone(outlier):
    numbers = np.random.default_rng(0).normal(size=200)
    spoilt = numbers.copy()
    spoilt[numbers.argmax()] = outlier
    assert_allclose(scores(spoilt), scores(numbers))
    assert scores(spoilt).max() < 4.0


@given(st.floats(-1e6, 1e6), st.integers(1, 5))
def test_a_constant_column_is_zero(value, n_rows):
    numbers = np.full(n_rows, value)
    assert_array_equal(scores(numbers), np.zeros(n_rows))
    assert_array_equal(scores(numbers, query=[value + 1, value - 1]), [0.0, 0.0])


def test_a_column_of_missing_values_reads_anything_as_zero():
    numbers = np.full(3, np.nan)
    assert_array_equal(scores(numbers, query=[-5.0, 5.0, np.nan]), [0.0, 0.0, np.nan])
    edges, bins, fractions = encode(numbers, 4, query=[-5.0, 5.0, np.nan])
    assert_array_equal(bins, [0, 0, len(edges) - 1])
    assert_array_equal(fractions, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("tiny", [1e-12, 1e-18, 1e-300])
def test_scores_stay_finite_beside_tiny_weights(tiny):
    own = scores(np.array([0.0, 1.0, 2.0]), np.array([tiny, 1.0, tiny]))
    assert np.isfinite(own).all()
    assert (np.diff(own) > 0).all()
    assert_allclose(own[1], 0.0, atol=1e-9)


def test_score_tensors_hold_zero_where_a_number_is_missing():
    encoder = NormalScoreEncoder().fit([np.array([1.0, 2.0]), np.array([5.0, 5.0])], np.ones(2))
    codes = encoder.transform([np.array([2.0, np.nan]), np.array([9.0, 5.0])], 2, np.float32)
    assert codes["value"].dtype == np.float32
    assert_allclose(codes["value"], [[norm.ppf(0.75), 0.0], [0.0, 0.0]], rtol=1e-6)
    assert_array_equal(codes["missing"], [[False, False], [True, False]])
    assert encoder.n_columns_ == 2


@given(NUMBERS, st.integers(1, 12))
def test_bins_and_fractions_give_the_score_back(numbers, n_bins):
    edges, bins, fractions = encode(numbers, n_bins)
    missing = np.isnan(numbers)
    assert (bins[missing] == len(edges) - 1).all()
    assert (fractions[missing] == 0.0).all()
    there = bins[~missing]
    assert ((fractions >= 0.0) & (fractions <= 1.0)).all()
    width = np.diff(edges)
    actual = edges[there] + fractions[~missing] * width[there]
    assert_allclose(actual, scores(numbers)[~missing], atol=1e-12)


@given(NUMBERS, st.integers(1, 12), st.floats(0.1, 1e6))
def test_numbers_outside_the_training_range_clamp_to_its_ends(numbers, n_bins, beyond):
    assume(not np.isnan(numbers).all())
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    edges, bins, fractions = encode(numbers, n_bins, [low - beyond, low, high, high + beyond])
    assert (bins[0], fractions[0]) == (bins[1], fractions[1])
    assert (bins[2], fractions[2]) == (bins[3], fractions[3])
    assert_allclose(edges[bins[0]] + fractions[0] * np.diff(edges)[bins[0]], edges[0])
    assert_allclose(edges[bins[3]] + fractions[3] * np.diff(edges)[bins[3]], edges[-1])


@pytest.mark.parametrize("n_bins", [2, 8, 48])
@pytest.mark.parametrize("seed", range(3))
def test_bins_hold_equal_weight(n_bins, seed):
    rng = np.random.default_rng(seed)
    numbers, weight = rng.lognormal(size=4000), rng.exponential(size=4000) + 0.1
    _, bins, _ = encode(numbers, n_bins, weight=weight)
    share = np.bincount(bins, weights=weight, minlength=n_bins) / weight.sum()
    assert len(share) == n_bins
    assert_allclose(share, 1 / n_bins, atol=1.5 / N_KNOTS)


def test_few_values_get_an_edge_each():
    edges, bins, fractions = encode(np.array([0.0, 5.0, 5.0, 7.0]), 48)
    assert len(edges) == 3
    assert_allclose(edges, norm.ppf([1 / 8, 4 / 8, 7 / 8]), atol=1e-12)
    assert_array_equal(bins, [0, 1, 1, 1])
    assert_allclose(fractions, [0.0, 0.0, 0.0, 1.0])


def test_a_column_with_fewer_bins_repeats_its_last_edge():
    many, few = np.arange(9.0), np.repeat([0.0, 1.0, 2.0], 3)
    encoder = BinEncoder(6).fit([many, few], np.ones(9))
    assert encoder.edges_.shape == (2, 7)
    assert_array_equal(encoder.edges_[1, 2:], np.full(5, encoder.edges_[1, 2]))
    codes = encoder.transform([np.array([np.nan, 8.0]), np.array([np.nan, 2.0])], 2, np.float32)
    assert_array_equal(codes["bin"], [[6, 6], [5, 1]])
    assert_array_equal(codes["fraction"], [[0.0, 0.0], [1.0, 1.0]])
    assert (codes["bin"].dtype, codes["fraction"].dtype) == (np.int16, np.float32)


@given(NUMBERS, st.integers(1, 12))
def test_edges_never_fall(numbers, n_bins):
    edges, _, _ = encode(numbers, n_bins)
    assert len(edges) <= n_bins + 1 or len(edges) == 2
    assert (np.diff(edges) >= 0).all()


def test_many_values_keep_both_ends_as_knots():
    numbers = np.random.default_rng(0).normal(size=3000)
    knots, own = normal_scores(numbers, np.ones(3000))
    assert len(knots) <= N_KNOTS
    assert (knots[0], knots[-1]) == (numbers.min(), numbers.max())
    assert (np.diff(knots) > 0).all()
    assert (np.diff(own) > 0).all()


def test_codes_of_a_row_do_not_depend_on_the_other_rows():
    rng = np.random.default_rng(0)
    encoder = BinEncoder(8).fit([rng.normal(size=100)], np.ones(100))
    query = rng.normal(size=7)
    together = encoder.transform([query], 7, np.float64)
    for row in range(7):
        alone = encoder.transform([query[row : row + 1]], 1, np.float64)
        assert alone["bin"][0, 0] == together["bin"][row, 0]
        assert alone["fraction"][0, 0] == together["fraction"][row, 0]
