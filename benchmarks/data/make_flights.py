"""Draw the flights that ship with the package: sk_attention/datasets/data/flights.csv.gz.

Reads the folder of real data named by the environment variable SK_ATTENTION_DATA (default:
../shared/data beside the repository), needs pandas and pyarrow, and writes the same bytes
every time.
"""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = "multitask/nycflights13/nycflights13_50k.parquet"
TARGET = REPOSITORY / "sk_attention" / "datasets" / "data" / "flights.csv.gz"
N_SAMPLES = 10_000
NUMBERS = [
    "month",
    "day",
    "dayofweek",
    "sched_dep_time",
    "sched_arr_time",
    "hour",
    "minute",
    "distance",
]
CATEGORIES = ["carrier", "origin", "dest"]


def late(delay):
    """1 where the delay is more than 15 minutes, missing where there is no delay to speak of."""
    return (delay > 15).astype("Int64").mask(delay.isna())


def draw(flights):
    """Take random flights, in the order of their scheduled departure."""
    rows = np.random.default_rng(0).choice(len(flights), size=N_SAMPLES, replace=False)
    flights = flights.iloc[np.sort(rows)]
    flights = flights.sort_values(["month", "day", "sched_dep_time"], kind="stable")
    return flights[NUMBERS + CATEGORIES].assign(
        late_departure=late(flights["dep_delay"]),
        late_arrival=late(flights["arr_delay"]),
        cancelled=flights["cancelled"],
    )


def main():
    root = Path(os.environ.get("SK_ATTENTION_DATA", REPOSITORY.parent / "shared" / "data"))
    table = draw(pd.read_parquet(root / SOURCE)).to_csv(index=False, lineterminator="\n")
    TARGET.write_bytes(gzip.compress(table.encode(), compresslevel=9, mtime=0))
    print(f"{TARGET}: {N_SAMPLES} flights, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
