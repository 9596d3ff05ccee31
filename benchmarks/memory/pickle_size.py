"""How large is a pickled estimator?

Fits at the default parameters, a tiny one in float64 included. The history grows with the passes,
so its share is listed; `--max-epochs` bounds the passes.

    python -m benchmarks.memory.pickle_size --max-epochs 3
"""

from __future__ import annotations

import pickle
import time
from typing import Any

from benchmarks._common import Record, parser, random_table, report, set_threads
from sk_attention import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor

FITS: list[tuple[str, type, int, int, int]] = [
    # estimator, rows, columns, tasks
    ("default", MultiTaskAttentionClassifier, 2_000, 20, 1),
    ("three tasks", MultiTaskAttentionClassifier, 2_000, 20, 3),
    ("regressor", MultiTaskAttentionRegressor, 2_000, 20, 1),
    ("tiny, float64", MultiTaskAttentionClassifier, 200, 20, 1),
    ("tiny, three tasks, float64", MultiTaskAttentionClassifier, 200, 20, 3),
    ("200 columns", MultiTaskAttentionClassifier, 2_000, 200, 1),
]


def size(value: Any) -> float:
    """Return the kilobytes (1000 bytes) of a pickle."""
    return round(len(pickle.dumps(value)) / 1e3, 1)


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--max-epochs", type=int, default=20)
    options.add_argument("--attention", default="cross", choices=["cross", "self", "double"])
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name, estimator, n_rows, n_columns, n_tasks in FITS:
        X, y = random_table(n_rows, n_columns, n_tasks, chosen.seed)
        model = estimator(
            chosen.attention, max_epochs=chosen.max_epochs, random_state=chosen.seed
        ).fit(X, y)
        start = time.perf_counter()
        pickle.loads(pickle.dumps(model))
        milliseconds = (time.perf_counter() - start) * 1e3
        records.append(
            {
                "fit": name,
                "rows": n_rows,
                "columns": n_columns,
                "passes": model.n_iter_,
                "pickle kB": size(model),
                "network kB": size(model.net_.module_.state_dict()),
                "history kB": size(model.net_.history),
                "codes of X kB": size(model._table_encoder),
                "dump and load ms": round(milliseconds, 1),
            }
        )
    report("Size of a pickle", records, chosen)


if __name__ == "__main__":
    main()
