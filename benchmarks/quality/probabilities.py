"""Does the temperature make the probabilities of rankings more reliable? Planted data.

Recommenders as they come out of `fit` on histories of `make_interactions`; each user's last
interaction is asked for. With the temperature found in `fit` and without: the log loss of the item
that came, and the expected calibration error of the most probable item, in ten bins of equal size.

    python -m benchmarks.quality.probabilities --seeds 0 1 2
"""

from __future__ import annotations

import numpy as np

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import AttentionRecommender
from sk_attention.datasets import make_interactions
from sk_attention.model_selection import LeaveLastOut


def calibration_error(told: np.ndarray, right: np.ndarray, n_bins: int = 10) -> float:
    """Return the mean distance of what was told from how often it was so."""
    bins = np.array_split(np.argsort(told), n_bins)
    return float(sum(len(b) * abs(told[b].mean() - right[b].mean()) for b in bins) / len(told))


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--kinds", nargs="+", default=["self"])
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--users", type=int, default=500)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for kind in chosen.kinds:
        for seed in chosen.seeds:
            X = make_interactions(n_users=chosen.users, random_state=seed).data
            ((train, test),) = LeaveLastOut().split(X)
            model = AttentionRecommender(
                attention=kind, embedding_dim=32, n_layers=1, n_iter_no_change=20, random_state=seed
            ).fit(X.iloc[train])
            asked, n_items = X.iloc[test], len(model.items_)
            every = asked.loc[asked.index.repeat(n_items)].assign(
                item_id=np.tile(model.items_, len(asked))
            )
            came = model.items_ == asked["item_id"].to_numpy()[:, None]
            known = came.any(axis=1)
            record: Record = {"attention": kind, "seed": seed, "passes": model.n_iter_}
            record["temperature"] = f"{model.temperature_:.3f}"
            scores = model.decision_function(every).reshape(-1, n_items)[known]
            came = came[known]
            for name, temperature in (("without", 1.0), ("with", model.temperature_)):
                shares = np.exp(scores / temperature - (scores / temperature).max(1, keepdims=True))
                shares /= shares.sum(axis=1, keepdims=True)
                first = shares.argmax(axis=1)
                right = came[np.arange(len(first)), first]
                record[f"log loss, {name}"] = f"{-np.log(shares[came]).mean():.4f}"
                record[f"error of the first item, {name}"] = (
                    f"{calibration_error(shares.max(axis=1), right):.3f}"
                )
            records.append(record)
            print(record, flush=True)
    report("Probabilities of rankings", records, chosen)


if __name__ == "__main__":
    main()
