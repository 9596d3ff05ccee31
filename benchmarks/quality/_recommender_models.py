"""The recommenders that are compared, each at its own defaults.

`REGISTRY` maps a name to a function of (seed, n_threads) that returns a fresh model with `fit(X)`
and `target_ranks(X, filter_seen=)`, as the estimators of sk_attention have them, where X has the
columns user_id, item_id and perhaps timestamp. Peers are imported where they are built, so that
those that are not installed are not missed.
"""

from functools import partial

import numpy as np
import scipy.sparse as sp

from benchmarks._common import version_of
from benchmarks.quality import _recommender_peers as peers
from benchmarks.quality._recommender_peers import Peer
from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import target_ranks


class SequentialRules(Peer):
    """What followed the last items most often, a step away or a few.

    Item j scores sum_l C[x_l, j] / (l sum_j C[x_l, j]), with x_l the item l steps ago and C[i, j]
    the sum of 1 / m over all times that j came m steps after i; up to `reach` steps. Nothing of it
    has been tuned. After Ludewig and Jannach, "Evaluation of session-based recommendation
    algorithms", 2018, which looks at the last item alone.
    """

    def __init__(self, reach=10):
        self.reach = reach

    def learn(self, events):
        n_items = events.n_items
        followed = sp.csr_matrix((n_items, n_items))
        for step in range(1, self.reach + 1):
            same = np.flatnonzero(events.user[step:] == events.user[:-step])
            pair = events.item[same], events.item[same + step]
            weight = np.full(len(same), 1 / step)
            followed += sp.csr_matrix((weight, pair), shape=followed.shape)
        size = np.maximum(np.asarray(followed.sum(axis=1)).ravel(), 1e-12)
        self.rules = sp.diags_array(1 / size) @ followed
        self.events = events

    def scores(self, users):
        last = self.events.starts[users + 1, None] - 1 - np.arange(self.reach)
        there = last >= self.events.starts[users, None]
        query, lag = np.nonzero(there)
        shape = len(users), self.events.n_items
        read = sp.csr_matrix((1 / (lag + 1), (query, self.events.item[last[there]])), shape=shape)
        return (read @ self.rules).toarray()


class TruePlanted:
    """Ranks by the probabilities that `make_interactions` drew from."""

    def fit(self, X, y=None):
        self.planted = make_interactions(random_state=0)

    def target_ranks(self, X, *, filter_seen):
        """Rank without more ado: what a user has had has probability 0."""
        return target_ranks(self.planted.probabilities(X.index), X["item_id"].to_numpy())


REGISTRY = {
    "sk_attention": lambda seed, n_threads: AttentionRecommender(random_state=seed),
    "popular": lambda seed, n_threads: PopularRecommender(),
    "popular_lately": lambda seed, n_threads: PopularRecommender(half_life=0.1),
    "true_probabilities": lambda seed, n_threads: TruePlanted(),
    "sequential_rules": lambda seed, n_threads: SequentialRules(),
    "implicit_als": peers.implicit_als,
    "implicit_bpr": peers.implicit_bpr,
    "implicit_item_item": peers.implicit_item_item,
    "skrecsys_hstu": partial(peers.Skrecsys, "nn", "HSTU"),
    "skrecsys_mamba4rec": partial(peers.Skrecsys, "nn", "Mamba4Rec"),
    "skrecsys_bpr": partial(peers.Skrecsys, "recommendation", "BayesianPersonalizedRanking"),
    "skrecsys_ease": partial(peers.Skrecsys, "recommendation", "EASE"),
    "skrecsys_item_item": partial(peers.Skrecsys, "recommendation", "ItemKNNRecommender"),
    "cornac_fpmc": partial(peers.Cornac, "FPMC"),
    "cornac_gru4rec": partial(peers.Cornac, "GRU4Rec"),
    "cornac_sasrec": partial(peers.Cornac, "SASRec"),
    "rectools_sasrec": partial(peers.RecTools, "SASRecModel", {}),
    "rectools_sasrec_20": partial(peers.RecTools, "SASRecModel", {"epochs": 20}),
    "recbole_sasrec": partial(peers.RecBole, {}),
    "rectools_bert4rec": partial(peers.RecTools, "BERT4RecModel", {}),
}

# Those that a seed changes nothing of are run once.
SEEDLESS = (
    "popular",
    "popular_lately",
    "true_probabilities",
    "sequential_rules",
    "implicit_item_item",
    "skrecsys_ease",
    "skrecsys_item_item",
)

# Those that run without another package, one of them on planted data only.
OWN = ["sk_attention", "popular", "popular_lately", "sequential_rules", "true_probabilities"]

DISTRIBUTIONS = {name: name for name in ("implicit", "skrecsys", "cornac", "rectools", "recbole")}


def package_version(name):
    """Return name and version of the package that a model comes from; empty for our own."""
    package = DISTRIBUTIONS.get(name.partition("_")[0])
    return f"{package} {version_of(package)}" if package else ""


def fits(model, name, protocol, timed):
    """Return whether a model can be asked about a set at all."""
    if model == "true_probabilities":
        return name == "planted" and protocol == "leave_one_out"
    return model != "popular_lately" or name in timed
