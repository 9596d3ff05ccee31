"""What does a sparse matrix cost, beside a dense table of a few columns, in time and memory?

A matrix of ``--rows`` x ``--columns`` that stores about ``--stored`` values a row, those of few
columns most of them, as counts of words do; and a dense table of as many rows and 200 columns. Both
have 20 classes and are learned by networks of the same sizes, pass by pass; a pass takes the
encoding of the rows and the look back at where the tasks looked. Seconds are the processor's;
memory is the peak of a process beyond what it held with the data made. Each case runs in a process
of its own.

    python -m benchmarks.speed.sparse_rows --threads 1
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from benchmarks._common import (
    MIB,
    Record,
    forget_peak,
    in_fresh_process,
    networks,
    parser,
    peak_bytes,
    report,
    resident_bytes,
    set_threads,
)

CASES = ["dense", "sparse"]
DENSE_COLUMNS = 200
N_CLASSES = 20


def counts(rng: np.random.Generator, n_rows: int, n_columns: int, n_stored: int) -> csr_array:
    """Return counts of words: a word's share falls as one over its rank."""
    share = 1.0 / np.arange(10, n_columns + 10)
    words = np.searchsorted(np.cumsum(share / share.sum()), rng.random(n_rows * n_stored))
    rows = np.repeat(np.arange(n_rows), n_stored)
    ones = np.ones(len(words))
    matrix = csr_array((ones, (rows, words.clip(max=n_columns - 1))), shape=(n_rows, n_columns))
    matrix.sum_duplicates()
    return matrix


def data(case: Record) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(case["seed"])
    y = rng.integers(0, N_CLASSES, case["rows"])
    if case["kind"] == "dense":
        return rng.normal(size=(case["rows"], DENSE_COLUMNS)), y
    return counts(rng, case["rows"], case["columns"], case["stored"]), y


def run_case(case: Record) -> Record:
    from sk_attention import MultiTaskAttentionClassifier

    X, y = data(case)
    model = MultiTaskAttentionClassifier(
        case["attention"], embedding_dim=case["dim"] or "auto", random_state=case["seed"]
    )
    forget_peak()
    before, seconds = resident_bytes(), []
    for _ in range(case["repeats"] + 1):
        start = time.process_time()
        model.partial_fit(X, y, classes=np.arange(N_CLASSES))
        seconds.append(time.process_time() - start)
    stored = X.nnz if case["kind"] == "sparse" else X.size
    return {
        "X": f"{case['kind']}, {X.shape[0]} x {X.shape[1]}",
        "values a row": round(stored / len(y)),
        "numbers a token": networks(model)[0].reading.query.shape[1],
        "s a pass": round(statistics.median(seconds[1:]), 3),
        "peak MiB": round((peak_bytes() - before) / MIB),
        "X made dense, MiB": round(X.shape[0] * X.shape[1] * 8 / MIB),
    }


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--rows", type=int, default=4000)
    options.add_argument("--columns", type=int, default=100_000)
    options.add_argument("--stored", type=int, default=150, help="words drawn for each row")
    options.add_argument("--dim", type=int, default=0, help="numbers a token; 0 for each's default")
    options.add_argument("--attention", default="cross")
    options.add_argument("--case", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    if chosen.case:
        print(json.dumps(run_case(json.loads(chosen.case))))
        return
    names = ("rows", "columns", "stored", "dim", "attention", "seed", "repeats")
    shared = {name: getattr(chosen, name) for name in names}
    records = [
        in_fresh_process("benchmarks.speed.sparse_rows", {**shared, "kind": kind}, chosen.threads)
        for kind in CASES
    ]
    dense, sparse = (record.get("s a pass") for record in records)
    if dense and sparse:
        for record in records:
            record["x dense"] = round(record["s a pass"] / dense, 2)
    report("Passes over a sparse matrix", records, chosen)


if __name__ == "__main__":
    main()
