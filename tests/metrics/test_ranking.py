import warnings
from itertools import chain, groupby, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import ndcg_score

from sk_attention.metrics import (
    hit_rate_at_k,
    mrr_at_k,
    ndcg_at_k,
    recall_at_k,
    target_ranks,
)

METRICS = [ndcg_at_k, recall_at_k, hit_rate_at_k, mrr_at_k]
seeds = st.integers(0, 2**32 - 1)


def draw_queries(seed, n_queries=4, n_items=6, n_values=3):
    """Scores with ties, distinct targets of each query (some unknown), and items left out."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(n_values, size=(n_queries, n_items)).astype(float)
    targets = [
        rng.choice(np.arange(-1, n_items), size=rng.integers(1, 4), replace=False).tolist()
        for _ in range(n_queries)
    ]
    excluded = rng.random((n_queries, n_items)) < 0.3
    for query, own in enumerate(targets):
        excluded[query, [target for target in own if target >= 0]] = False
    return scores, targets, excluded


def flat(scores, targets, excluded=None):
    """Ranks of all targets, and the queries they belong to."""
    queries = np.repeat(np.arange(len(targets)), [len(own) for own in targets])
    left_out = None if excluded is None else excluded[queries]
    return *target_ranks(scores[queries], np.concatenate(targets), left_out), queries


def orders(scores, items):
    """All rankings of the items that the scores admit."""
    ranked = sorted(items, key=lambda item: -scores[item])
    ties = [list(tied) for _, tied in groupby(ranked, key=lambda item: scores[item])]
    return [list(chain(*order)) for order in product(*map(permutations, ties))]


def plain(metric, order, targets, k):
    """The metric of one ranking without ties, as its definition says it."""
    positions = [order.index(target) + 1 for target in targets if target in order]
    hits = [position for position in positions if position <= k]
    if metric is ndcg_at_k:
        ideal = sum(1 / np.log2(1 + place) for place in range(1, min(len(targets), k) + 1))
        return sum(1 / np.log2(1 + position) for position in hits) / ideal
    if metric is recall_at_k:
        return len(hits) / len(targets)
    if metric is hit_rate_at_k:
        return float(bool(hits))
    return max((1 / position for position in hits), default=0.0)


def test_hand_computed_ranks():
    scores = [[0.9, 0.5, 0.5, 0.1], [0.2, 0.2, 0.2, 0.2], [0.4, 0.3, 0.2, 0.1]]
    n_above, n_tied = target_ranks(scores, [1, 0, -1])
    assert_array_equal(n_above, [1, 0, 4])
    assert_array_equal(n_tied, [1, 3, 0])
    assert n_above.dtype == n_tied.dtype == np.intp


def test_excluded_items_do_not_rank_but_targets_do():
    scores = [[0.9, 0.5, 0.5, 0.1]] * 3
    excluded = [[True, True, False, False], [True] * 4, [False] * 4]
    n_above, n_tied = target_ranks(scores, [2, 3, 3], excluded)
    assert_array_equal(n_above, [0, 0, 3])
    assert_array_equal(n_tied, [0, 0, 0])


def test_unknown_target_is_a_miss_for_every_k_up_to_the_number_of_items():
    ranks = target_ranks([[np.inf, 0.0, -np.inf]], [-1])
    for metric, k in product(METRICS, (1, 2, 3)):
        assert metric(*ranks, k=k) == 0.0


def test_infinite_and_integer_scores_are_welcome():
    n_above, n_tied = target_ranks([[np.inf, 0.0, -np.inf, -np.inf]], [3])
    assert (n_above.item(), n_tied.item()) == (2, 1)
    n_above, n_tied = target_ranks(np.array([[3, 1, 2]], dtype=np.uint8), np.array([2], np.uint8))
    assert (n_above.item(), n_tied.item()) == (1, 0)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # positions 1 and 4 of 2 targets; positions 2 or 3 with equal chance
        (ndcg_at_k, [1 / (1 + 1 / np.log2(3)), 0.5 / np.log2(3) + 0.5 / np.log2(4)]),
        (recall_at_k, [0.5, 1.0]),
        (hit_rate_at_k, [1.0, 1.0]),
        (mrr_at_k, [1.0, 0.5 / 2 + 0.5 / 3]),
    ],
)
def test_hand_computed_scores(metric, expected):
    ranks = {"n_above": [0, 1, 3], "n_tied": [0, 1, 0], "queries": ["Ann", "Bob", "Ann"], "k": 3}
    assert_allclose(metric(**ranks, average=None), expected)
    assert metric(**ranks) == pytest.approx(np.mean(expected))


def test_tie_across_the_end_of_the_list_counts_in_part():
    assert recall_at_k([1], [3], k=2) == 0.25  # one of the four tied takes position 2
    assert ndcg_at_k([1], [3], k=2) == pytest.approx(0.25 / np.log2(3))
    assert mrr_at_k([1], [3], k=2) == 0.125


def test_first_of_several_targets_that_tie_is_exact():
    two_of_four = {"n_above": [0, 0], "n_tied": [3, 3], "queries": [0, 0]}
    assert hit_rate_at_k(**two_of_four, k=1) == pytest.approx(1 / 2)
    assert hit_rate_at_k(**two_of_four, k=2) == pytest.approx(5 / 6)
    assert mrr_at_k(**two_of_four, k=4) == pytest.approx(3 / 6 + 2 / 6 / 2 + 1 / 6 / 3)


@pytest.mark.parametrize("metric", METRICS)
@given(seed=seeds, k=st.integers(1, 6))
def test_score_is_the_mean_over_all_orders_of_the_tied(metric, seed, k):
    scores, targets, excluded = draw_queries(seed)
    n_above, n_tied, queries = flat(scores, targets, excluded)
    expected = [
        np.mean(
            [
                plain(metric, order, own, k)
                for order in orders(scores[query], np.flatnonzero(~excluded[query]))
            ]
        )
        for query, own in enumerate(targets)
    ]
    actual = metric(n_above, n_tied, k=k, queries=queries, average=None)
    assert_allclose(actual, expected, atol=1e-12)
    assert (actual >= 0).all()
    assert (actual <= 1 + 1e-12).all()


@pytest.mark.parametrize("metric", METRICS)
@given(seed=seeds)
def test_order_of_items_changes_nothing(metric, seed):
    scores, targets, excluded = draw_queries(seed)
    order = np.random.default_rng(seed).permutation(scores.shape[1])
    moved = [
        [-1 if target < 0 else int(np.argmax(order == target)) for target in own] for own in targets
    ]
    n_above, n_tied, queries = flat(scores, targets, excluded)
    assert_array_equal(
        flat(scores[:, order], moved, excluded[:, order]), (n_above, n_tied, queries)
    )
    assert 0 <= metric(n_above, n_tied, k=3, queries=queries) <= 1 + 1e-12


@given(n_items=st.integers(1, 40), k=st.integers(1, 40))
def test_constant_scores_are_worth_a_random_order(n_items, k):
    k = min(k, n_items)
    ranks = target_ranks(np.zeros((n_items, n_items)), np.arange(n_items))
    positions = np.arange(1, k + 1)
    for metric, gains in [
        (recall_at_k, np.ones(k)),
        (hit_rate_at_k, np.ones(k)),
        (ndcg_at_k, 1 / np.log2(1 + positions)),
        (mrr_at_k, 1 / positions),
    ]:
        assert_allclose(metric(*ranks, k=k, average=None), gains.sum() / n_items)


@given(seed=seeds, k=st.integers(1, 8), with_ties=st.booleans())
def test_ndcg_equals_scikit_learn(seed, k, with_ties):
    rng = np.random.default_rng(seed)
    scores = rng.integers(3, size=(5, 8)).astype(float) if with_ties else rng.normal(size=(5, 8))
    targets = [rng.choice(8, size=rng.integers(1, 5), replace=False) for _ in range(5)]
    relevance = np.zeros((5, 8))
    for query, own in enumerate(targets):
        relevance[query, own] = 1
    n_above, n_tied, queries = flat(scores, targets)
    weight = rng.uniform(0.1, 2, size=5)
    actual = ndcg_at_k(n_above, n_tied, k=k, queries=queries, sample_weight=weight[queries])
    assert actual == pytest.approx(ndcg_score(relevance, scores, k=k, sample_weight=weight))


@pytest.mark.parametrize("metric", METRICS)
def test_one_target_per_query_needs_no_queries(metric):
    n_above, n_tied = [0, 5, 2, 1], [0, 0, 4, 1]
    alone = metric(n_above, n_tied, k=4, average=None)
    assert_array_equal(metric(n_above, n_tied, k=4, queries=[7, 8, 9, 10], average=None), alone)
    sorted_by_label = metric(n_above, n_tied, k=4, queries=list("dcba"), average=None)
    assert_array_equal(sorted_by_label, alone[::-1])


def test_query_has_the_mean_weight_of_its_targets():
    ranks = {"n_above": [0, 9, 9], "n_tied": [0, 0, 0], "queries": [0, 0, 1], "k": 5}
    assert recall_at_k(**ranks, sample_weight=[1, 3, 2]) == pytest.approx(0.25)
    assert recall_at_k(**ranks, sample_weight=[0, 1, 1.5]) == pytest.approx(0.125)
    assert recall_at_k(**ranks, sample_weight=[1, 3, 0]) == 0.5


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("options", [{}, {"queries": []}])
def test_no_query_scores_nan_with_a_warning(metric, options):
    with pytest.warns(UndefinedMetricWarning, match="no query of positive weight") as caught:
        assert np.isnan(metric([], [], **options))
    assert caught[0].filename == __file__
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(metric([0], [0], sample_weight=[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metric([], [], average=None, **options).shape == (0,)


def test_no_query_has_no_ranks():
    n_above, n_tied = target_ranks(np.empty((0, 3)), [])
    assert n_above.shape == n_tied.shape == (0,)


def test_bad_scores_are_an_error():
    with pytest.raises(ValueError, match=r"\(n_queries, n_items\) .* the shape \(2,\)"):
        target_ranks([0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match=r"at least one item, got the shape \(1, 0\)"):
        target_ranks(np.empty((1, 0)), [-1])
    with pytest.raises(ValueError, match=r"scores must be numbers .* dtype <U1"):
        target_ranks([["a"]], [0])
    with pytest.raises(ValueError, match="scores must not contain NaN, found some in row 1"):
        target_ranks([[0.0, 1.0], [np.nan, 1.0]], [0, 1])


def test_bad_targets_are_an_error():
    with pytest.raises(ValueError, match=r"targets must be integers of shape \(1,\).* \(2,\)"):
        target_ranks([[0.0, 1.0]], [0, 1])
    with pytest.raises(ValueError, match=r"targets must be integers .* dtype float64"):
        target_ranks([[0.0, 1.0]], [1.0])
    for target in (-2, 2):
        with pytest.raises(ValueError, match=f"-1 or a column of scores, 0 to 1; got {target}"):
            target_ranks([[0.0, 1.0]], [target])


def test_bad_exclusions_are_an_error():
    with pytest.raises(ValueError, match=r"excluded must be booleans .* \(1, 2\); .* \(2,\)"):
        target_ranks([[0.0, 1.0]], [0], [True, False])
    with pytest.raises(ValueError, match=r"excluded must be booleans .* dtype int64"):
        target_ranks([[0.0, 1.0]], [0], [[1, 0]])


@pytest.mark.parametrize("metric", METRICS)
def test_bad_ranks_are_an_error(metric):
    with pytest.raises(ValueError, match="n_above has 2 targets but n_tied has 1"):
        metric([0, 1], [0])
    with pytest.raises(ValueError, match=r"n_above must be integers .* the shape \(1, 1\)"):
        metric([[0]], [0])
    with pytest.raises(ValueError, match=r"n_tied must be integers .* dtype float64"):
        metric([0], [0.5])
    with pytest.raises(ValueError, match="n_tied must not be negative, got -1"):
        metric([0], [-1])


@pytest.mark.parametrize("metric", METRICS)
def test_bad_options_of_scores_are_an_error(metric):
    for k in (0, 1.5, "all"):
        with pytest.raises(ValueError, match=f"k must be an integer of at least 1, got {k!r}"):
            metric([0], [0], k=k)
    with pytest.raises(ValueError, match=r"queries must have the shape \(2,\).* shape \(1,\)"):
        metric([0, 1], [0, 0], queries=[0])
    with pytest.raises(ValueError, match="average must be \"mean\" or None, got 'macro'"):
        metric([0], [0], average="macro")
    with pytest.raises(ValueError, match=r"sample_weight must have the shape \(1,\)"):
        metric([0], [0], sample_weight=[1, 2])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("label", ["Ann", 7])
def test_repeated_target_of_a_query_is_an_error(metric, label):
    queries = np.array([label, label, "z" if label == "Ann" else 9], dtype=object)
    with pytest.raises(ValueError, match=f"of query {label!r} take the same place, with 2 items"):
        metric([2, 2, 0], [0, 0, 0], queries=queries)
    assert metric([2, 2, 0], [1, 1, 0], queries=queries) > 0  # they tie
    assert metric([2, 2, 0], [0, 0, 0], queries=queries, k=2) > 0  # out of reach
