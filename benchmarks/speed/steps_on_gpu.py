"""What does a pass over the rows take on a GPU, told step by step, replayed, and compiled?

Fits of numbers at the defaults, without a second training on all rows:

- "told": a callback that does nothing watches, so that Python tells the GPU each operation.
- "replayed": as a fit does by itself on a GPU, the steps are recorded once as a CUDA graph.
- "compiled": `compile=True`, which takes long to begin.
- "CPU": one thread.

    python -m benchmarks.speed.steps_on_gpu --rows 2000 --ways CPU told replayed
"""

from __future__ import annotations

import time

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks._common import Record, parser, random_table, report, set_threads
from sk_attention import MultiTaskAttentionClassifier


class Watch(Callback):
    """Does nothing; where callbacks may look into steps, these are told."""


WAYS = {
    "CPU": {"device": "cpu"},
    "told": {"device": "cuda", "callbacks": [Watch()]},
    "replayed": {"device": "cuda"},
    "compiled": {"device": "cuda", "compile": True},
}


def measured(n_rows: int, way: str, options) -> Record:
    X, y = random_table(n_rows, options.columns, options.tasks, options.seed)
    model = MultiTaskAttentionClassifier(
        max_epochs=options.passes,
        early_stopping=False,
        refit=False,
        random_state=options.seed,
        **WAYS[way],
    )
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    of_pass = model.net_.history[:, "dur"]
    batch_size = model.net_.batch_size
    typical = float(np.median(of_pass[1:]))
    return {
        "rows": n_rows,
        "rows of a step": batch_size,
        "way": way,
        "first pass s": round(of_pass[0], 3),
        "pass s": round(typical, 4),
        "ms a step": round(1e3 * typical / -(-n_rows // batch_size), 3),
        "whole fit s": round(seconds, 2),
        "train loss": round(model.loss_curve_[-1], 4),
    }


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    options.add_argument("--columns", type=int, default=20)
    options.add_argument("--tasks", type=int, default=1)
    options.add_argument("--passes", type=int, default=4)
    options.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    chosen = options.parse_args()
    set_threads(chosen.threads or 1)
    if torch.cuda.is_available():
        measured(500, "told", chosen)  # what a process does once
    records = []
    for n_rows in chosen.rows:
        for way in chosen.ways:
            records.append(measured(n_rows, way, chosen))
            print(records[-1], flush=True)
    report("A pass over the rows", records, chosen)


if __name__ == "__main__":
    main()
