"""What do losses that draw items cost in quality, against the cross entropy over all items?

The last item of each user of SASRec's Video file is to be foretold, among all items that are new to
the user; `--users` takes some of them. The models differ in their loss alone, and train as many
passes as held-out interactions say, `--epochs` at the most.

    SK_ATTENTION_DATA=../shared/data python -m benchmarks.quality.sampled_losses --users 5000
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks._common import Record, parser, report, set_threads
from benchmarks.quality._recommender_data import interactions
from sk_attention import AttentionRecommender
from sk_attention.metrics import bootstrap_interval, hit_rate_at_k, ndcg_at_k
from sk_attention.model_selection import LeaveLastOut

LOSSES = ["sampled_softmax", "gbce", "cross_entropy"]


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--users", type=int, default=31_013)
    options.add_argument("--epochs", type=int, default=100)
    options.add_argument("--losses", nargs="+", default=LOSSES, choices=LOSSES)
    options.add_argument("--negatives", type=int, default=256)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    X = interactions("video")
    users = np.random.default_rng(chosen.seed).permutation(X["user_id"].unique())
    X = X[X["user_id"].isin(users[: chosen.users])]
    train, test = (X.iloc[rows] for rows in next(iter(LeaveLastOut().split(X))))
    records: list[Record] = []
    for loss in chosen.losses:
        model = AttentionRecommender(
            loss=loss,
            n_negatives=chosen.negatives,
            max_epochs=chosen.epochs,
            refit=False,
            random_state=chosen.seed,
        )
        start = time.process_time()
        model.fit(train)
        seconds = time.process_time() - start
        ranks = model.target_ranks(test)
        ndcg = ndcg_at_k(*ranks, average=None)
        low, high = bootstrap_interval(ndcg, groups=test["user_id"], random_state=0)
        records.append(
            {
                "loss": loss,
                "items": len(model.items_),
                "interactions": len(train),
                "NDCG@10": round(float(np.mean(ndcg)), 4),
                "95 %": f"{low:.4f} to {high:.4f}",
                "hit rate@10": round(hit_rate_at_k(*ranks), 4),
                "best pass": int(model.validation_scores_.argmax()) + 1,
                "passes": model.n_iter_,
                "fit CPU s": round(seconds, 1),
            }
        )
        print(records[-1], flush=True)
    report("Losses that draw items", records, chosen)


if __name__ == "__main__":
    main()
