"""Recommending with an index: what it finds is scored exactly, and what it misses is little."""

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from sk_attention import _index, _retrieval
from sk_attention._index import CellIndex
from sk_attention._retrieval import Catalogue, Excluded, Follows, Known, Unmet
from sk_attention.data.transitions import Transitions
from tests._histories import histories
from tests._recommenders import assert_same_model, interactions, recommender

X = interactions()
N_ITEMS = 20_000


def test_absence_of_faiss_is_told_before_training(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    own = recommender(index="faiss")
    with pytest.raises(ImportError, match=r"index='faiss' .* install sk-attention\[ann\]"):
        own.fit(X)
    with pytest.raises(NotFittedError):
        own.recommend()


def test_another_index_is_refused():
    with pytest.raises(ValueError, match="'index' parameter of AttentionRecommender"):
        recommender(index="annoy").fit(X)


# ---- with faiss --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vectors():
    """Items in groups, as learned ones are, and histories that look for them."""
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((300, 16))
    items = centers[rng.integers(300, size=N_ITEMS)] + 0.7 * rng.standard_normal((N_ITEMS, 16))
    hidden = centers[rng.integers(300, size=200)] + 0.7 * rng.standard_normal((200, 16))
    bias = rng.standard_normal(N_ITEMS)
    return [part.astype(np.float32) for part in (items, bias, hidden)]


@pytest.fixture(scope="module")
def catalogues(vectors):
    items, bias, _ = vectors
    return Catalogue(items, bias, CellIndex(items, bias)), Catalogue(items, bias)


def excluded(share=0.0, n_seen=5, n_queries=200, seed=0):
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(n_queries), n_seen)
    item = rng.integers(N_ITEMS, size=len(query))
    return Excluded(rng.random(N_ITEMS) < share, query, item)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9], ids=["all", "blocked", "few"])
def test_most_of_the_best_are_found_and_scored_exactly(catalogues, vectors, share):
    indexed, exact = catalogues
    hidden, left_out = vectors[2], excluded(share)
    found, scores = indexed.best(Known(hidden), 10, left_out)
    expected, _ = exact.best(Known(hidden), 10, left_out)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(found, expected, strict=True)]
    assert np.mean(shared) > (0.95 if share < 0.5 else 0.999)  # few are scored without it
    assert (np.diff(scores) <= 0).all()
    everything = exact.scores(Known(hidden))
    assert_allclose(scores, np.take_along_axis(everything, found, axis=1), rtol=1e-4, atol=1e-5)
    assert not left_out.everywhere[found].any()
    assert not left_out.contains(found).any()


def test_what_a_user_has_had_is_left_out_however_likely(catalogues, vectors):
    indexed, exact = catalogues
    best = exact.best(Known(vectors[2]), 30, excluded(n_seen=0))[0]
    seen = Excluded(np.zeros(N_ITEMS, dtype=bool), np.repeat(np.arange(200), 30), best.ravel())
    found, scores = indexed.best(Known(vectors[2]), 10, seen)
    assert not seen.contains(found).any()
    expected = exact.best(Known(vectors[2]), 10, seen)
    assert np.isfinite(scores).all()
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(found, expected[0], strict=True)]
    assert np.mean(shared) > 0.95


def test_users_for_whom_too_little_is_found_are_compared_with_all(catalogues, vectors, monkeypatch):
    indexed, exact = catalogues
    monkeypatch.setattr(_index, "CELLS_PROBED", 1)
    left_out = excluded(n_queries=50)
    expected = exact.best(Known(vectors[2][:50]), 2_000, left_out)
    found = indexed.best(Known(vectors[2][:50]), 2_000, left_out)  # no cell holds as many
    assert_array_equal(found[0], expected[0])
    assert_allclose(found[1], expected[1], rtol=1e-5)


def test_users_of_very_long_histories_are_compared_with_all(catalogues, vectors, monkeypatch):
    indexed, exact = catalogues
    monkeypatch.setattr(_retrieval, "MAX_LEFT_OUT", 3)
    monkeypatch.setattr(_index, "CELLS_PROBED", 1)  # to find little
    for n_seen, equal in ((5, True), (3, False)):
        left_out = excluded(n_seen=n_seen)
        found = indexed.best(Known(vectors[2]), 10, left_out)[0]
        assert np.array_equal(found, exact.best(Known(vectors[2]), 10, left_out)[0]) == equal


@pytest.mark.parametrize("share", [0.0, 0.9], ids=["all", "few"])
def test_what_followed_the_latest_events_is_found_whatever_the_index_finds(
    catalogues, vectors, share
):
    """The last ten items of the table follow in turn, and chance makes none of them likely."""
    indexed, exact = catalogues
    chain = np.arange(N_ITEMS - 10, N_ITEMS) + 1
    transitions = Transitions(histories(np.zeros(10), chain), N_ITEMS)
    latest = np.repeat(chain[:2, None], 100, axis=0)
    follows = Follows(transitions, 30.0, latest)
    known, left_out = Known(vectors[2], follows), excluded(share)
    left_out.everywhere[-10:] = np.arange(10) == 5
    found, scores = indexed.best(known, 5, left_out)
    assert sorted(found[0]) == [N_ITEMS - 10 + lag for lag in (1, 2, 3, 4, 6)]
    assert_array_equal(found, exact.best(known, 5, left_out)[0])
    everything = exact.scores(known)
    assert_allclose(scores, np.take_along_axis(everything, found, axis=1), rtol=1e-4)
    assert_allclose(exact.pair_scores(known, found[:, 2]), scores[:, 2], rtol=1e-4)


def test_what_nobody_had_met_yet_loses_what_made_it_popular(catalogues, vectors):
    indexed, exact = catalogues
    rng = np.random.default_rng(0)
    since, excess = rng.uniform(size=N_ITEMS), np.full(N_ITEMS, 50, dtype=np.float32)
    unmet = Unmet(since, excess, np.where(np.arange(200) < 100, 0.5, np.inf))
    known, left_out = Known(vectors[2], unmet=unmet), excluded()
    found, scores = indexed.best(known, 10, left_out)
    assert (since[found[:100]] <= 0.5).all() and (since[found[100:]] > 0.5).any()
    assert_array_equal(found[:100], exact.best(known, 10, left_out)[0][:100])
    assert_allclose(exact.pair_scores(known, found[:, 3]), scores[:, 3], rtol=1e-4)


def test_slices_do_not_matter(catalogues, vectors, monkeypatch):
    indexed, _ = catalogues
    expected = indexed.best(Known(vectors[2]), 10, excluded())
    monkeypatch.setattr(_retrieval, "SCORES_AT_A_TIME", 7 * 115 * 16)
    found = indexed.best(Known(vectors[2]), 10, excluded())
    assert_array_equal(found[0], expected[0])


def test_an_index_is_built_alike_twice_and_kept_by_pickles(catalogues, vectors):
    items, bias, hidden = vectors
    allowed = np.ones(N_ITEMS, dtype=bool)
    expected = catalogues[0].index.search(hidden, 20, allowed)
    again = CellIndex(items, bias)
    kept = pickle.loads(pickle.dumps(catalogues[0].index))
    for index in (again, kept):
        assert_array_equal(index.search(hidden, 20, allowed), expected)


def test_a_recommender_with_an_index_recommends_the_same_where_items_are_few():
    pytest.importorskip("faiss")
    expected = recommender().fit(X)
    own = recommender(index="faiss").fit(X)
    assert_same_model(own, expected, rtol=1e-5)
    assert_same_model(pickle.loads(pickle.dumps(own)), own)
    for options in (
        {"candidates": [1, 5, 9]},
        {"blocked": [3, 4], "filter_seen": False},
        {"k": 40},
        {"histories": [[3, 7], []]},
    ):
        found, scores = own.recommend(**options)
        others, other_scores = expected.recommend(**options)
        assert_array_equal(found, others)
        assert_allclose(scores, other_scores, rtol=1e-5)
