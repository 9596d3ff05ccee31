"""Draw the purchases that ship with the package, and the products bought in them.

Writes online_retail.csv.gz and online_retail_items.csv.gz to sk_attention/datasets/data. Reads the
folder of real data named by the environment variable SK_ATTENTION_DATA (default: ../shared/data
beside the repository), needs pandas and pyarrow, and writes the same bytes every time.
"""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = "recsys/online_retail"
TARGET = REPOSITORY / "sk_attention" / "datasets" / "data"
N_USERS = 800


def draw(purchases):
    """Take random customers with all that they bought, in the order of time."""
    users = np.unique(purchases["user_id"])
    users = np.random.default_rng(0).choice(users, size=N_USERS, replace=False)
    purchases = purchases[purchases["user_id"].isin(users)]
    purchases = purchases.sort_values("timestamp", kind="stable")
    return purchases.rename(columns={"invoice": "session_id"})


def catalogue(purchases, descriptions):
    """Products of the sample, with what they are and the median price paid."""
    prices = purchases["price"].astype("float64").round(3).groupby(purchases["item_id"]).median()
    items = prices.round(3).rename_axis("item_id").reset_index()
    return items.assign(description=items["item_id"].map(descriptions))[
        ["item_id", "description", "price"]
    ]


def write(table, name):
    text = table.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d %H:%M")
    path = TARGET / name
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{path}: {len(table)} rows, {path.stat().st_size} bytes")


def main():
    root = Path(os.environ.get("SK_ATTENTION_DATA", REPOSITORY.parent / "shared" / "data"))
    purchases = draw(pd.read_parquet(root / SOURCE / "interactions.parquet"))
    items = pd.read_parquet(root / SOURCE / "items.parquet")
    write(purchases, "online_retail.csv.gz")
    write(
        catalogue(purchases, items.set_index("item_id")["description"]),
        "online_retail_items.csv.gz",
    )


if __name__ == "__main__":
    main()
