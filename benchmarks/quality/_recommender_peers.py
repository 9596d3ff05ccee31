"""Other packages behind one interface: events in, scores of all items out.

A peer is given what happened before the cut, in order of time, and scores all items for users of
whom it knows something; users it cannot answer get what is popular. Ranks, ties and what is left
out are counted for all alike by `sk_attention.metrics.target_ranks`.
"""

import random
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks._recbole import sasrec_data
from sk_attention.metrics import target_ranks

SCORES_AT_A_TIME = 2**22


@dataclass(frozen=True)
class Events:
    """Codes of users and items, user by user, each user's in order of time."""

    user: np.ndarray
    item: np.ndarray
    n_users: int
    n_items: int

    @cached_property
    def starts(self):
        """Return where each user's events begin (n_users + 1,)."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1))

    @property
    def counts(self):
        """Return how often each user met each item (n_users, n_items), sparse."""
        ones = np.ones(len(self.user), dtype=np.float32)
        shape = self.n_users, self.n_items
        return sp.csr_matrix((ones, (self.user, self.item)), shape=shape)  # sums what repeats

    def history(self, user):
        """Return the items of one user."""
        first, last = self.starts[user : user + 2]
        return self.item[first:last]


class Peer(ABC):
    """Turns ids into codes, and scores into ranks."""

    def fit(self, X, y=None):
        if "timestamp" in X:
            X = X.sort_values("timestamp", kind="stable")
        user, self.users = pd.factorize(X["user_id"], sort=True)
        item, self.items = pd.factorize(X["item_id"], sort=True)
        order = np.argsort(user, kind="stable")
        events = Events(user[order], item[order], len(self.users), len(self.items))
        self.seen = events.counts
        self.popularity = np.bincount(item, minlength=len(self.items)).astype(np.float64)
        self.learn(events)
        return self

    @abstractmethod
    def learn(self, events):
        """Fit to `Events`."""

    @abstractmethod
    def scores(self, users):
        """Return the scores (n_users, n_items) of known users; NaN rows for what is not known."""

    def target_ranks(self, X, *, filter_seen):
        users = pd.Index(self.users).get_indexer(X["user_id"])
        targets = pd.Index(self.items).get_indexer(X["item_id"])
        size = max(SCORES_AT_A_TIME // len(self.items), 1)
        counted = [
            self._ranks(users[start : start + size], targets[start : start + size], filter_seen)
            for start in range(0, len(X), size)
        ]
        return tuple(map(np.concatenate, zip(*counted, strict=True)))

    def _ranks(self, users, targets, filter_seen):
        known = np.flatnonzero(users >= 0)
        scores = np.tile(self.popularity, (len(users), 1))
        seen = np.zeros(scores.shape, dtype=bool)
        if len(known):
            own = np.asarray(self.scores(users[known]), dtype=np.float64)
            answered = ~np.isnan(own).any(axis=1)
            scores[known[answered]] = own[answered]
            seen[known] = self.seen[users[known]].toarray() > 0
        return target_ranks(scores, targets, seen if filter_seen else None)


def scattered(items, scores, n_items):
    """Return lists of items and scores as scores of all items; what is in no list comes last."""
    out = np.full((len(items), n_items), -np.inf)
    query, place = np.nonzero(np.asarray(items) >= 0)
    out[query, items[query, place]] = scores[query, place]
    return out


class Implicit(Peer):
    """A model of implicit, fitted to how often who met what."""

    def __init__(self, model):
        self.model = model

    def learn(self, events):
        self.counts = events.counts
        self.model.fit(self.counts, show_progress=False)

    def scores(self, users):
        n_items = self.counts.shape[1]
        found = self.model.recommend(
            users, self.counts[users], N=n_items, filter_already_liked_items=False
        )
        return scattered(*found, n_items)


def implicit_als(seed, n_threads):
    from implicit.als import AlternatingLeastSquares

    return Implicit(AlternatingLeastSquares(num_threads=n_threads, random_state=seed))


def implicit_bpr(seed, n_threads):
    from implicit.bpr import BayesianPersonalizedRanking

    return Implicit(BayesianPersonalizedRanking(num_threads=n_threads, random_state=seed))


def implicit_item_item(seed, n_threads):
    from implicit.nearest_neighbours import CosineRecommender

    return Implicit(CosineRecommender(num_threads=n_threads))


class Skrecsys(Peer):
    """An estimator of skrecsys; each user's rows are in order, as its sequential ones want them."""

    def __init__(self, module, name, seed, n_threads):
        self.module, self.name, self.seed, self.n_threads = module, name, seed, n_threads

    def learn(self, events):
        kind = getattr(import_module(f"skrecsys.{self.module}"), self.name)
        chosen = {"random_state": self.seed, "n_jobs": self.n_threads}
        taken = kind().get_params()
        self.model = kind(**{name: value for name, value in chosen.items() if name in taken})
        self.model.fit(np.column_stack([events.user, events.item]))
        self.n_items = events.n_items

    def scores(self, users):
        found = self.model.recommend(users, n_recommendations=self.n_items, exclude_seen=False)
        return scattered(*found, self.n_items)


class Cornac(Peer):
    """A next-item model of Cornac; a user's whole history is one session."""

    def __init__(self, name, seed, n_threads):
        self.name, self.seed = name, seed

    def learn(self, events):
        from cornac import models
        from cornac.data import SequentialDataset

        self.events = events
        steps = np.arange(len(events.user))
        rows = np.column_stack([events.user, events.user, events.item, steps])
        data = SequentialDataset.build(
            rows.tolist(),
            fmt="USIT",
            global_uid_map={code: code for code in range(events.n_users)},
            global_iid_map={code: code for code in range(events.n_items)},
            seed=self.seed,
        )
        self.model = getattr(models, self.name)(seed=self.seed)
        if self.name == "GRU4Rec":  # fails where there are fewer users than in a batch
            self.model.batch_size = min(self.model.batch_size, events.n_users // 2)
        self.model.fit(data)

    def scores(self, users):
        return np.stack(
            [self.model.score(user, self.events.history(user).tolist()) for user in users]
        )


class RecTools(Peer):
    """A transformer of RecTools, which needs numpy 1: see benchmarks/requirements-rectools.txt."""

    def __init__(self, name, parameters, seed, n_threads):
        self.name, self.parameters, self.seed = name, parameters, seed

    def learn(self, events):
        import torch
        from rectools import models
        from rectools.dataset import Dataset

        random.seed(self.seed)
        np.random.seed(self.seed)  # noqa: NPY002
        torch.manual_seed(self.seed)
        rows = {"user_id": events.user, "item_id": events.item, "weight": 1.0}
        step = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(events.user)), unit="s")
        self.data = Dataset.construct(pd.DataFrame({**rows, "datetime": step}))
        self.model = getattr(models, self.name)(**self.parameters)
        self.model.fit(self.data)
        self.n_items = events.n_items

    def scores(self, users):
        out = np.full((len(users), self.n_items), np.nan)
        found = self.model.recommend(
            users, self.data, k=self.n_items, filter_viewed=False, on_unsupported_targets="ignore"
        )
        place = pd.Index(users).get_indexer(found["user_id"])
        out[np.unique(place)] = -np.inf
        out[place, found["item_id"].to_numpy()] = found["score"].to_numpy()
        return out


class RecBole(Peer):
    """SASRec of RecBole, in an environment of its own: see benchmarks/requirements-recbole.txt.

    Each user's last event is what it stops by, as it is meant to; it answers by the whole history.
    """

    def __init__(self, parameters, seed, n_threads):
        self.parameters, self.seed = parameters, seed

    def learn(self, events):
        import torch
        from recbole.data import data_preparation
        from recbole.model.sequential_recommender import SASRec
        from recbole.trainer import Trainer
        from recbole.utils import init_seed

        class InMemory(Trainer):
            """Keeps the best weights here: its own files cannot be read by this torch."""

            def _save_checkpoint(self, epoch, verbose=True, **kwargs):
                self.best = {name: value.clone() for name, value in model.state_dict().items()}

        X = pd.DataFrame({"user_id": events.user, "item_id": events.item})
        with tempfile.TemporaryDirectory() as folder:
            settings = {"seed": self.seed, "use_gpu": torch.cuda.is_available(), **self.parameters}
            config, dataset = sasrec_data(X, folder, "valid_only", **settings)
            init_seed(self.seed, reproducibility=True)
            rows, validation, _ = data_preparation(config, dataset)
            model = SASRec(config, rows.dataset).to(config["device"])
            trainer = InMemory(config, model)
            trainer.fit(rows, validation, verbose=False)
        model.load_state_dict(trainer.best)
        self.model, self.events, self.device = model.eval(), events, config["device"]
        self.length = config["MAX_ITEM_LIST_LENGTH"]
        self.tokens = dataset.field2id_token["item_id"][1:].astype(np.int64)  # 0 is padding

    def scores(self, users):
        import torch

        code = np.zeros(self.events.n_items, dtype=np.int64)
        code[self.tokens] = np.arange(1, len(self.tokens) + 1)
        history = np.zeros((len(users), self.length), dtype=np.int64)
        n_events = np.zeros(len(users), dtype=np.int64)
        for row, user in enumerate(users):
            own = code[self.events.history(user)[-self.length :]]
            history[row, : len(own)], n_events[row] = own, len(own)
        asked = {self.model.ITEM_SEQ: history, self.model.ITEM_SEQ_LEN: n_events}
        with torch.inference_mode():
            tensors = {name: torch.as_tensor(a, device=self.device) for name, a in asked.items()}
            found = self.model.full_sort_predict(tensors).cpu().numpy()
        out = np.full((len(users), self.events.n_items), -np.inf)
        out[:, self.tokens] = found[:, 1:]
        return out
