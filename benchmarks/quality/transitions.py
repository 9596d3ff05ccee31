"""What does it add to a ranking that items follow each other, and is it more than either alone?

One fit of `AttentionRecommender` at its defaults, without the last training on all rows, asked on
the rows to choose by, as `benchmarks.quality.recommender --part validation` asks: as it is, with
`transition_weight_` 0, and beside sequential rules alone. `--users` takes so many users of a set.

    python -m benchmarks.quality.transitions --sets retail wikipedia --users 3000
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks._common import Record, parser, report, set_threads
from benchmarks.quality import _recommender_data
from benchmarks.quality._recommender_models import SequentialRules
from sk_attention import AttentionRecommender
from sk_attention.metrics import ndcg_at_k


def of_some_users(X, n_users):
    """Return the rows of so many users, drawn by chance."""
    users = np.random.default_rng(0).permutation(X["user_id"].unique())[:n_users]
    return X[X["user_id"].isin(users)].reset_index(drop=True)


def compared(name, protocol, seed, n_users):
    """Return NDCG@10 of attention, of the rules, and of both, and the error of the gain."""
    X = of_some_users(_recommender_data.interactions(name), n_users)
    train, asked = _recommender_data.question_of(X, protocol, "validation")
    start = time.process_time()
    model = AttentionRecommender(refit=False, random_state=seed).fit(train)
    seconds = time.process_time() - start
    weight, model.transition_weight_ = model.transition_weight_, 0.0
    seen = {"filter_seen": name not in _recommender_data.REPEATS}
    alone = ndcg_at_k(*model.target_ranks(asked, **seen), average=None)
    model.transition_weight_ = weight
    both = ndcg_at_k(*model.target_ranks(asked, **seen), average=None)
    rules = SequentialRules()
    rules.fit(train)
    record: Record = {"set": name, "protocol": protocol, "seed": seed, "asked": len(asked)}
    record["attention"] = f"{alone.mean():.4f}"
    record["rules"] = f"{ndcg_at_k(*rules.target_ranks(asked, **seen)):.4f}"
    record["both"] = f"{both.mean():.4f}"
    record["gain"] = f"{(both - alone).mean():.4f} ± {(both - alone).std() / len(both) ** 0.5:.4f}"
    record["weight"] = f"{weight:.2f}"
    return record | {"passes": model.n_iter_, "CPU s": f"{seconds:.0f}"}


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--sets", nargs="+", default=["retail"], choices=_recommender_data.SETS)
    options.add_argument("--protocol", default="leave_one_out", choices=_recommender_data.PROTOCOLS)
    options.add_argument("--users", type=int, default=6000)
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name in chosen.sets:
        for seed in chosen.seeds:
            records.append(compared(name, chosen.protocol, seed, chosen.users))
            print(records[-1], flush=True)
    report("What follows what", records, chosen)


if __name__ == "__main__":
    main()
