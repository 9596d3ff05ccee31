"""What do the context of a moment and features of users tell of what comes next? Planted data.

- ``context``: an occasion tells the item 7 times of 10; the last item of each user is asked for.
- ``users``: each user has a home group of items; the first item of users nobody met is asked for.

Small networks, some passes, no early stopping by a refit. NDCG@10 over all items; *truth* is that
of the probabilities the data were drawn from.

    python -m benchmarks.quality.surroundings
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions
from sk_attention.metrics import ndcg_at_k, target_ranks

KINDS = ("self", "cross", "double", "hierarchical")
SIZES = {"n_users": 300, "n_items": 60, "n_interactions": 12, "n_groups": 6}
SMALL: dict[str, Any] = {
    "embedding_dim": 16,
    "n_layers": 1,
    "max_history": 8,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch_size": 16,
    "refit": False,
}
N_KNOWN = 240  # of the users; the others are new


def context(seed: int) -> tuple[Any, pd.DataFrame, pd.Series, pd.Series, dict[str, Any]]:
    """Return what was drawn, its rows, those to train on, those to ask, and what may be read."""
    drawn = make_interactions(**SIZES, context_effect=0.7, time_effect=0, random_state=seed)
    X = drawn.data.drop(columns="session_id")
    last = ~X.duplicated("user_id", keep="last")
    return drawn, X, ~last, last, {"context": ["occasion"]}


def users(seed: int) -> tuple[Any, pd.DataFrame, pd.Series, pd.Series, dict[str, Any]]:
    """Return the same of users with a home."""
    drawn = make_interactions(**SIZES, context_effect=0, time_effect=1.0, random_state=seed)
    X = drawn.data.drop(columns="session_id")
    new = X["user_id"] >= N_KNOWN
    homes = [f"h{group}" for group in drawn.home_groups]
    table = pd.DataFrame({"user_id": np.arange(SIZES["n_users"]), "home": homes})
    return drawn, X, ~new, new & ~X.duplicated("user_id"), {"user_features": table}


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--passes", type=int, default=10)
    options.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name, draw in {"context": context, "users": users}.items():
        drawn, X, known, asked, told = draw(chosen.seed)
        fit: dict[str, Any] = {**SMALL, "max_epochs": chosen.passes, "random_state": chosen.seed}
        untold = X.drop(columns="occasion", errors="ignore")
        model = AttentionRecommender(attention="self", **fit).fit(untold[known])
        record: Record = {"data": name, "without, self": f"{model.score(untold[asked]):.3f}"}
        for kind in chosen.kinds:
            model = AttentionRecommender(attention=kind, **fit, **told).fit(X[known])
            record[kind] = f"{model.score(X[asked]):.3f}"
        ranks = target_ranks(drawn.probabilities(asked), X["item_id"][asked].to_numpy())
        records.append({**record, "truth": f"{ndcg_at_k(*ranks, k=10):.3f}"})
        print(records[-1], flush=True)
    report("What is known beside the history", records, chosen)


if __name__ == "__main__":
    main()
