"""How much memory does `fit` take beyond X itself, and how long does a pass take?

Every shape runs in a fresh process. Memory is the process's peak during `fit` minus what it held
just before, with the libraries imported and X made; a failed allocation shows as an error. The
number of passes does not change the peak, so few are made (small tables make more: a fit has at
least 100 steps).

    python -m benchmarks.memory.wide_table --shapes 2000x100 2000x1000
"""

from __future__ import annotations

import argparse
import json
import time

from benchmarks._common import (
    MIB,
    Record,
    forget_peak,
    in_fresh_process,
    networks,
    parser,
    peak_bytes,
    random_table,
    report,
    resident_bytes,
    set_threads,
)

SHAPES = ["2000x100", "2000x1000", "2000x10000", "50000x20"]


def run_case(case: Record) -> Record:
    import torch

    from sk_attention import MultiTaskAttentionClassifier

    n_rows, n_columns = map(int, case["shape"].split("x"))
    X, y = random_table(n_rows, n_columns, case["tasks"], case["seed"], case["dtype"])
    model = MultiTaskAttentionClassifier(
        case["attention"],
        max_epochs=case["max_epochs"],
        precision=case["precision"],
        device=case["device"],
        random_state=case["seed"],
    )
    forget_peak()
    before = resident_bytes()
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    peak = peak_bytes() - before
    passes = model.net_.history[:, "dur"]
    record: Record = {
        "rows": n_rows,
        "columns": n_columns,
        "X MiB": round(X.nbytes / MIB, 1),
        "fit peak MiB": round(peak / MIB, 1),
        "fit s": round(seconds, 2),
        "passes": len(passes),
        "s per pass": round(sorted(passes)[len(passes) // 2], 3),
        "networks": len(networks(model)),
        "embedding_dim": networks(model)[0].reading.query.shape[1],
        "parameters": sum(parameter.numel() for parameter in model.net_.module_.parameters()),
    }
    if case["device"] != "cpu":
        record["GPU peak MiB"] = round(torch.cuda.max_memory_allocated() / MIB, 1)
    return record


def main() -> None:
    options = parser(__doc__, repeats=None, device=True)
    options.add_argument("--shapes", nargs="+", default=SHAPES, help="rows x columns, as 2000x100")
    options.add_argument("--max-epochs", type=int, default=2)
    options.add_argument("--tasks", type=int, default=1)
    options.add_argument("--attention", default="cross", choices=["cross", "self", "double"])
    options.add_argument("--precision", default="auto", choices=["auto", "float32", "bf16"])
    options.add_argument("--dtype", default="float64", choices=["float32", "float64"], help="of X")
    options.add_argument("--case", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    if chosen.case:
        print(json.dumps(run_case(json.loads(chosen.case))))
        return
    names = ("max_epochs", "tasks", "attention", "precision", "dtype", "device", "seed")
    shared = {name: getattr(chosen, name) for name in names}
    records = [
        in_fresh_process("benchmarks.memory.wide_table", {**shared, "shape": shape}, chosen.threads)
        for shape in chosen.shapes
    ]
    report("Peak memory of fit beyond X", records, chosen)


if __name__ == "__main__":
    main()
