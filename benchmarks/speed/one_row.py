"""How long does one row take to predict?

Median and 95th percentile of single calls, for numbers as an array and as data frames, and for a
mixed table (numbers, categories, a boolean, a datetime). HistGradientBoostingClassifier stands
beside; it gets the datetime as a number, which it cannot read itself.

    python -m benchmarks.speed.one_row --calls 50
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks._common import Record, parser, percentile, random_table, report, set_threads
from sk_attention import MultiTaskAttentionClassifier

N_CATEGORIES = 12


def mixed_frame(numbers: Any, seed: int) -> pd.DataFrame:
    """Return a frame whose last columns are categories, a boolean and a datetime."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = numbers.shape
    frame = pd.DataFrame(numbers, columns=[f"x{j}" for j in range(n_columns)])
    for name in frame.columns[-6:-2]:
        codes = rng.integers(N_CATEGORIES, size=n_rows)
        frame[name] = pd.Categorical.from_codes(codes, [f"c{j}" for j in range(N_CATEGORIES)])
    frame[frame.columns[-2]] = rng.random(n_rows) < 0.5
    minutes = rng.integers(500_000, size=n_rows)
    frame[frame.columns[-1]] = pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min")
    return frame


def polars_frame(frame: pd.DataFrame) -> pl.DataFrame:
    """Return the same frame in polars, without pyarrow, which `pl.from_pandas` wants."""
    columns = {
        name: pl.Series(column.tolist(), dtype=pl.Categorical)
        if isinstance(column.dtype, pd.CategoricalDtype)
        else pl.Series(column.to_numpy())
        for name, column in frame.items()
    }
    return pl.DataFrame(columns)


def without_datetimes(frame: pd.DataFrame) -> pd.DataFrame:
    dates = frame.select_dtypes("datetime")
    return frame.assign(**{name: dates[name].astype("int64") / 1e9 for name in dates})


def latencies(function: Callable[[Any], Any], rows: list[Any]) -> Record:
    for row in rows[:10]:
        function(row)
    milliseconds = []
    for row in rows:
        start = time.perf_counter()
        function(row)
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return {
        "median ms": round(percentile(milliseconds, 0.5), 3),
        "p95 ms": round(percentile(milliseconds, 0.95), 3),
    }


def main() -> None:
    options = parser(__doc__, repeats=None, device=True)
    options.add_argument("--calls", type=int, default=200, help="single calls (default: 200)")
    options.add_argument("--rows", type=int, default=2_000, help="rows to train on")
    options.add_argument("--columns", type=int, default=20)
    options.add_argument("--attention", default="cross", choices=["cross", "self", "double"])
    chosen = options.parse_args()
    set_threads(chosen.threads)
    X, y = random_table(chosen.rows, chosen.columns, 1, chosen.seed)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(chosen.columns)])
    mixed = mixed_frame(X, chosen.seed)
    tables = {
        f"{chosen.columns} numbers": {
            "ndarray": X,
            "pandas": frame,
            "polars": polars_frame(frame),
        },
        "mixed": {"pandas": mixed, "polars": polars_frame(mixed)},
    }

    records: list[Record] = []
    for table, containers in tables.items():
        for container, rows in containers.items():
            ours = MultiTaskAttentionClassifier(
                chosen.attention, max_epochs=1, device=chosen.device, random_state=chosen.seed
            ).fit(rows, y)
            plain = rows
            if table == "mixed":
                plain = without_datetimes(mixed)
                plain = polars_frame(plain) if container == "polars" else plain
            theirs = HistGradientBoostingClassifier(random_state=chosen.seed).fit(plain, y)
            for model, own in ((ours, rows), (theirs, plain)):
                single = [own[i : i + 1] for i in range(min(chosen.calls, chosen.rows))]
                for method in ("predict", "predict_proba"):
                    taken = latencies(getattr(model, method), single)
                    name = type(model).__name__
                    records.append(
                        {"table": table, "as": container, "model": name, "method": method} | taken
                    )
    report("One-row prediction", records, chosen)


if __name__ == "__main__":
    main()
