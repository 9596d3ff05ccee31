"""The tables of interactions that recommenders are compared on, and what is asked of them.

- retail: purchases of 800 customers that come with the package; people buy the same again.
- movielens: ml-latest-small; a rating of any height is an interaction.
- planted: `make_interactions`, 500 users, whose true probabilities are known.
- video, wikipedia: files of SASRec's, without times; the rows are in order.
- ml_1m, beauty: what papers on next items report, "leave_one_out" only. They do not come with the
  others: ml-1m/ratings.dat of MovieLens 1M, and sasrec_beauty/Beauty.txt, one event a line as
  SASRec has it or one user a line as S3-Rec has it, go into the folder "recsys".
- rings: a check that models are asked rightly. Items lie in rings of 20, and a user walks 12 steps
  along one. Whoever sees who is like whom has a hit rate of 1, whoever sees the order NDCG 1 too.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sk_attention.datasets import fetch_movielens, load_online_retail, make_interactions
from sk_attention.model_selection import GlobalTemporalSplit, LeaveLastOut

ROOT = Path(os.environ.get("SK_ATTENTION_DATA", "../shared/data")).resolve() / "recsys"
FILES = {
    "movielens": "ml-latest-small",
    "video": "sasrec_amazon_video/Video.txt",
    "wikipedia": "sasrec_wikipedia/wikipedia.txt",
    "ml_1m": "ml-1m/ratings.dat",
    "beauty": "sasrec_beauty/Beauty.txt",
}
SETS = ("retail", "movielens", "wikipedia", "video", "planted", "rings")
BY_NAME_ONLY = ("ml_1m", "beauty")
PROTOCOLS = ("temporal", "leave_one_out")

# Where what has been had may come again, nothing is left out of the ranking.
REPEATS = ("retail", "wikipedia")

# Sets with times that can be cut at a moment.
TIMED = ("retail", "movielens")


class Question(NamedTuple):
    """Interactions to learn from, and those to be foretold, one per user."""

    train: pd.DataFrame
    asked: pd.DataFrame


def rings(n_users=600, n_rings=10, length=20, n_steps=12):
    """Return walks along rings of items, each begun at any of them."""
    rng = np.random.default_rng(0)
    names = rng.permutation(n_rings * length)
    ring, begin = rng.integers(n_rings, size=n_users), rng.integers(length, size=n_users)
    place = (begin[:, None] + np.arange(n_steps)) % length
    item = names[ring[:, None] * length + place]
    user = np.arange(n_users).repeat(n_steps)
    return pd.DataFrame({"user_id": user, "item_id": item.ravel()})


def path_of(name):
    """Return the file of a set, or the folder; None where it needs none."""
    if name not in FILES:
        return None
    path = ROOT / FILES[name]
    if not path.exists():
        raise FileNotFoundError(f"{name}: there is no {path}; SK_ATTENTION_DATA names the folder.")
    return path


def interactions(name):
    """Return user_id, item_id and, where it is known, timestamp."""
    columns, path = ["user_id", "item_id", "timestamp"], path_of(name)
    if name == "retail":
        return load_online_retail().data[columns]
    if name == "planted":
        return make_interactions(random_state=0).data[columns]
    if name == "rings":
        return rings()
    if name == "movielens":
        return fetch_movielens(path).data[columns]
    if name == "ml_1m":
        # fields are parted by two colons: every other column is empty
        return pd.read_csv(path, sep=":", header=None)[[0, 2, 6]].set_axis(columns, axis=1)
    return histories(path)


def histories(path):
    """Return user_id and item_id of a file in order: an event a line, or a user with all items."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    n_items = [len(line) - 1 for line in lines]
    user = np.repeat([int(line[0]) for line in lines], n_items)
    item = [int(item) for line in lines for item in line[1:]]
    return pd.DataFrame({"user_id": user, "item_id": item})


def question(name, protocol, part):
    """Return what a model may see, and what it is asked.

    "temporal" cuts at 90 % of the interactions by time, and asks for each user's first one after
    that; "leave_one_out" asks for each user's last. "validation" does the same once more with what
    is left to train on, and never looks at what "test" asks.
    """
    return question_of(interactions(name), protocol, part)


def question_of(X, protocol, part):
    """Return the `question` of a table."""
    for _ in range(1 if part == "test" else 2):
        temporal = protocol == "temporal"
        split = GlobalTemporalSplit(1, targets="first") if temporal else LeaveLastOut()
        train, asked = next(iter(split.split(X)))
        X, rows = X.iloc[train], X.iloc[asked]
    return Question(X, rows)
