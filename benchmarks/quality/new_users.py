"""What should a user get of whom nothing is known: what users do first, or what is popular?

The network has learned the first: its start token answers as users began. The second is counted,
with weights that halve over a share of the interactions, or without (`inf`). `both` adds to the
start token's scores how much more popular an item is lately than it was.

- temporal: six blocks of a tenth of the rows each; users who appear in one for the first time.
- user folds: users held out of all times; each row is asked for without any history.

*first* is each such user's first interaction, *all* the mean over the user's interactions of the
block, all of them asked for without a history. NDCG@10 over all items, the mean over users.

    SK_ATTENTION_DATA=../shared/data python -m benchmarks.quality.new_users --sets retail
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._common import Record, parser, report, set_threads
from benchmarks.quality._recommender_data import TIMED, interactions
from sk_attention import AttentionRecommender
from sk_attention.data.queries import build_queries
from sk_attention.metrics import bootstrap_interval, ndcg_at_k, target_ranks
from sk_attention.model_selection import GlobalTemporalSplit, UserGroupKFold

HALF_LIVES = (0.02, 0.05, 0.1, 0.2, np.inf)


def start_scores(model: AttentionRecommender) -> np.ndarray:
    """Return what the start token alone scores all items (n_items,)."""
    module, nobody = model.net_.module_, np.array([-1])
    queries = build_queries(
        model._histories,
        nobody,
        np.array([model._now]),
        None,
        model.max_history,
        len(model.items_) + 1,
    )
    hidden = model.net_.forward_batches(module.hidden, queries.batches(1, model.net_.device))
    vectors = module.embedding[1 : module.n_items + 1].detach().cpu().numpy()
    scores: np.ndarray = hidden[0] @ vectors.T + module.item_bias.detach().cpu().numpy()
    return scores


def popularity(X: pd.DataFrame, items: np.ndarray, half_life: float) -> np.ndarray:
    """Return the share of each item, where interactions count less the older they are."""
    moments = X["timestamp"].to_numpy()
    age = 1.0 - np.searchsorted(np.sort(moments), moments, side="right") / len(X)
    counts = np.bincount(
        np.searchsorted(items, X["item_id"]), 0.5 ** (age / half_life), minlength=len(items)
    )
    share: np.ndarray = counts / counts.sum()
    return share


def answers(model: AttentionRecommender, X: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the scores of all items, by each way to answer."""
    start, ever = start_scores(model), popularity(X, model.items_, np.inf)
    yield "start token", start
    for half_life in HALF_LIVES:
        yield f"popular, half-life {half_life}", popularity(X, model.items_, half_life)
    lately = popularity(X, model.items_, 0.1)
    yield "both", start + np.log(lately + 1e-9) - np.log(ever)


def splits(X: pd.DataFrame, protocol: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield training rows, and rows of users that are not among them."""
    splitter = GlobalTemporalSplit(6) if protocol == "temporal" else UserGroupKFold(5)
    for train, test in list(splitter.split(X))[: 6 if protocol == "temporal" else 2]:
        known, asked = X.iloc[train], X.iloc[test]
        yield known, asked[~asked["user_id"].isin(known["user_id"])]


def gains(scores: np.ndarray, items: np.ndarray, asked: pd.DataFrame) -> pd.DataFrame:
    """Return the user's NDCG for the first and for all interactions."""
    codes = pd.Index(items).get_indexer(asked["item_id"])
    rows = np.broadcast_to(scores, (len(asked), len(scores)))
    gain = pd.Series(ndcg_at_k(*target_ranks(rows, codes), average=None))
    by_user = gain.groupby(asked["user_id"].to_numpy())
    return pd.DataFrame({"first": by_user.first(), "all": by_user.mean()})


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--sets", nargs="+", default=["retail", "movielens"], choices=list(TIMED))
    options.add_argument("--protocols", nargs="+", default=["temporal", "user folds"])
    options.add_argument("--passes", type=int, default=30, help="at the most (default: 30)")
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name in chosen.sets:
        X = interactions(name)
        for protocol in chosen.protocols:
            found: dict[str, list[pd.DataFrame]] = {}
            for known, asked in splits(X, protocol):
                model: Any = AttentionRecommender(
                    random_state=chosen.seed,
                    refit=False,
                    n_iter_no_change=4,
                    max_epochs=chosen.passes,
                ).fit(known)
                for way, scores in answers(model, known):
                    found.setdefault(way, []).append(gains(scores, model.items_, asked))
                print(name, protocol, len(known), model.n_iter_, flush=True)
            for way, parts in found.items():
                record: Record = {"set": name, "protocol": protocol, "answer": way}
                together = pd.concat(parts)
                for column in together:
                    low, high = bootstrap_interval(together[column], random_state=0)
                    record[str(column)] = f"{together[column].mean():.4f} [{low:.3f}, {high:.3f}]"
                records.append({**record, "users": len(together)})
                print(records[-1], [round(part["all"].mean(), 4) for part in parts], flush=True)
    report("Users without a history", records, chosen)


if __name__ == "__main__":
    main()
