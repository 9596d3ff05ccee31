"""How many passes until a recommender leaves the plateau that training on planted data begins with?

All kinds of attention first learn what is popular, and find what follows from what later. Histories
of `make_interactions` with so many users; nothing stops the training. Told are the first pass whose
held-out NDCG@10 is above `--above`, and what it is after the last.

    python -m benchmarks.quality.plateau --seeds 0 1
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions

KINDS = ("self", "cross", "double", "hierarchical")


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--kinds", nargs="+", choices=KINDS, default=["self", "hierarchical"])
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--users", type=int, default=400)
    options.add_argument("--passes", type=int, default=16)
    options.add_argument("--above", type=float, default=0.15)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for kind in chosen.kinds:
        for seed in chosen.seeds:
            X = make_interactions(
                n_users=chosen.users, n_items=100, n_interactions=20, random_state=seed
            ).data
            start = time.process_time()
            model = AttentionRecommender(
                attention=kind,
                refit=False,
                max_epochs=chosen.passes,
                n_iter_no_change=chosen.passes,
                precision="float32",
                random_state=seed,
            ).fit(X)
            found = np.flatnonzero(model.validation_scores_ > chosen.above)
            record: Record = {"attention": kind, "seed": seed}
            record["left in pass"] = int(found[0]) + 1 if len(found) else "not yet"
            record |= {"NDCG@10 at the end": f"{model.validation_scores_[-1]:.3f}"}
            record["CPU s"] = f"{time.process_time() - start:.0f}"
            print(record, flush=True)
            records.append(record)
    report("Passes until something is learned", records, chosen)


if __name__ == "__main__":
    main()
