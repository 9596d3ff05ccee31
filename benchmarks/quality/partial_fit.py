"""How well are new items and new rows learned in single passes, beside a fit on all rows?

Planted histories, of which a tenth of the items is withheld from the first fit, on 70 % of the rows
by time; then two chunks of a tenth each. NDCG@10 over all items of the 400 rows after each chunk.

    python -m benchmarks.quality.partial_fit
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import AttentionRecommender, _history_training
from sk_attention.datasets import make_interactions
from sk_attention.metrics import ndcg_at_k

SIZES = {"embedding_dim": 32, "n_layers": 1, "max_history": 20, "dropout": 0.1, "max_epochs": 40}
PLACED = _history_training.place_items


def at_the_mean(net: Any, rows: Any, codes: torch.Tensor) -> None:
    """Begin new items as the mean of the others, in place of where they are expected."""
    module = net.module_
    known = torch.ones(module.n_items + 2, dtype=torch.bool)
    known[codes] = known[0] = known[-1] = False
    with torch.no_grad():
        module.embedding[codes] = module.embedding[known].mean(dim=0)
        module.item_bias[codes - 1] = module.item_bias[known[1:-1]].mean()


def learned(
    way: str, model: AttentionRecommender, chunk: pd.DataFrame, so_far: pd.DataFrame, seed: int
) -> AttentionRecommender:
    """Return the model that knows a chunk, too."""
    if way == "fitted anew":
        return AttentionRecommender(random_state=seed, **SIZES).fit(so_far)
    if way == "recorded only":
        return model.update_history(chunk)
    at_mean = way == "partial_fit, items at the mean"
    _history_training.place_items = at_the_mean if at_mean else PLACED
    return model.partial_fit(chunk)


def main() -> None:
    options = parser(__doc__, repeats=None)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    planted = make_interactions(300, 80, 25, n_groups=8, random_state=chosen.seed)
    X = planted.data[["user_id", "item_id", "timestamp"]]
    withheld = np.random.default_rng(chosen.seed).choice(80, 8, replace=False)
    cuts = [int(share * len(X)) for share in (0.7, 0.8, 0.9)]
    first = X.iloc[: cuts[0]]
    first = first[~first["item_id"].isin(withheld)]
    fitted = AttentionRecommender(random_state=chosen.seed, **SIZES).fit(first)
    ways = {
        "recorded only": 0.004,
        "partial_fit, items at the mean": 0.004,
        "partial_fit": 0.004,
        "partial_fit, a tenth of the learning rate": 0.0004,
        "fitted anew": 0.004,
    }
    records: list[Record] = []
    for way, learning_rate in ways.items():
        model = copy.deepcopy(fitted).set_params(learning_rate=learning_rate)
        for number, (start, stop) in enumerate(pairwise(cuts), start=1):
            model = learned(way, model, X.iloc[start:stop], X.iloc[:stop], chosen.seed)
            rows = X.iloc[stop : stop + 400]
            gain = ndcg_at_k(*model.target_ranks(rows), average=None)
            new = rows["item_id"].isin(withheld).to_numpy()
            records.append(
                {
                    "way": way,
                    "chunk": number,
                    "new items": round(float(gain[new].mean()), 4),
                    "all": round(float(gain.mean()), 4),
                }
            )
    report("Learning on", records, chosen)


if __name__ == "__main__":
    main()
