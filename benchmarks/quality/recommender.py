"""How good are recommendations beside what is popular, on real and on planted interactions?

- retail: purchases of 800 customers that come with the package; people buy the same again.
- movielens: ml-latest-small; a rating of any height is an interaction.
- planted: `make_interactions`, 500 users, each one's last; beside it the true probabilities.
- video, wikipedia: the files of SASRec, without times; the rows are in order.

`--protocol temporal` trains on the first 90 % by time and asks for each user's first interaction
after that; `leave_one_out` asks for each user's last, and knows the future of the others. All items
are ranked, ties share their places, unknown items are misses. Intervals are bootstraps over users.
`--validation` splits the rows to train on once more in the same way, to choose by.

    SK_ATTENTION_DATA=../shared/data python -m benchmarks.quality.recommender --sets retail
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import fetch_movielens, load_online_retail, make_interactions
from sk_attention.metrics import bootstrap_interval, hit_rate_at_k, ndcg_at_k, target_ranks
from sk_attention.model_selection import GlobalTemporalSplit, LeaveLastOut

ROOT = Path(os.environ.get("SK_ATTENTION_DATA", "../shared/data")) / "recsys"
REPEATS = {"retail": True, "planted": False, "movielens": False, "video": False, "wikipedia": True}
KINDS = ["self", "cross", "double", "hierarchical"]
FILES = {"video": "sasrec_amazon_video/Video.txt", "wikipedia": "sasrec_wikipedia/wikipedia.txt"}


def interactions(name: str) -> pd.DataFrame:
    """Return user_id, item_id and, where it is known, timestamp."""
    if name == "retail":
        return load_online_retail().data[["user_id", "item_id", "timestamp"]]
    if name == "planted":
        return make_interactions(random_state=0).data[["user_id", "item_id", "timestamp"]]
    if name == "movielens":
        data = fetch_movielens(ROOT / "ml-latest-small").data
        return data[["user_id", "item_id", "timestamp"]]
    return pd.read_csv(ROOT / FILES[name], sep=r"\s+", names=["user_id", "item_id"], header=None)


def models(name: str, seed: int, attention: list[str], refit: bool | str) -> dict[str, Any]:
    """Return the models to compare, else at their defaults."""
    chosen: dict[str, Any] = {
        f"sk_attention, {kind}": AttentionRecommender(
            attention=kind, refit=refit, random_state=seed
        )
        for kind in attention
    }
    chosen["popular"] = PopularRecommender()
    if name == "planted":
        chosen["true probabilities"] = TruePlanted()
    elif name not in FILES:
        chosen["popular lately"] = PopularRecommender(half_life=0.1)
    return chosen


class TruePlanted:
    """Ranks by the probabilities that `make_interactions` drew from."""

    def fit(self, X: pd.DataFrame) -> None:
        self.planted = make_interactions(random_state=0)

    def target_ranks(self, X: pd.DataFrame, *, filter_seen: bool) -> Any:
        """Rank without more ado: what a user has had has probability 0."""
        return target_ranks(self.planted.probabilities(X.index), X["item_id"].to_numpy())


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--sets", nargs="+", default=list(REPEATS), choices=list(REPEATS))
    options.add_argument(
        "--protocol", default="temporal", choices=["temporal", "leave_one_out"], help="which rows"
    )
    options.add_argument("--users", type=int, help="only so many users, the first by id")
    options.add_argument("--no-refit", action="store_true", help="half the time: refit=False")
    options.add_argument("--validation", action="store_true", help="never look at the test rows")
    options.add_argument("--attention", nargs="+", default=["self"], choices=KINDS)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name in chosen.sets:
        X = interactions(name)
        if chosen.users is not None:
            X = X[X["user_id"].isin(np.unique(X["user_id"])[: chosen.users])]
        temporal = chosen.protocol == "temporal" and name not in {*FILES, "planted"}
        split = GlobalTemporalSplit(1, targets="first") if temporal else LeaveLastOut()
        train, test = (X.iloc[rows] for rows in next(iter(split.split(X))))
        if chosen.validation:
            train, test = (train.iloc[rows] for rows in next(iter(split.split(train))))
        refit = False if chosen.no_refit else "auto"
        for model_name, model in models(name, chosen.seed, chosen.attention, refit).items():
            start = time.process_time()
            model.fit(train)
            seconds = time.process_time() - start
            ranks = model.target_ranks(test, filter_seen=not REPEATS[name])
            ndcg = ndcg_at_k(*ranks, average=None)
            low, high = bootstrap_interval(ndcg, groups=test["user_id"], random_state=0)
            records.append(
                {
                    "set": name,
                    "protocol": "temporal" if temporal else "leave one out",
                    "rows": "validation" if chosen.validation else "test",
                    "seed": chosen.seed,
                    "model": model_name,
                    "asked": len(test),
                    "unknown items": int((~test["item_id"].isin(train["item_id"])).sum()),
                    "NDCG@10": round(float(np.mean(ndcg)), 4),
                    "95 %": f"{low:.4f} to {high:.4f}",
                    "hit rate@10": round(hit_rate_at_k(*ranks), 4),
                    "fit CPU s": round(seconds, 1),
                    "passes": getattr(model, "n_iter_", ""),
                }
            )
            print(records[-1], flush=True)
    report("Recommendations", records, chosen)


if __name__ == "__main__":
    main()
