"""RecBole reads its tables from files, and is told everything at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

SETTINGS = {
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "loss_type": "CE",
    "train_neg_sample_args": None,
    "show_progress": False,
}


def sasrec_data(X: pd.DataFrame, folder: str, split: str, **settings: Any) -> tuple[Any, Any]:
    """Return configuration and data set for SASRec with cross entropy over all items.

    ``X`` has user_id and item_id, each user's rows in order; ``split`` says which of each user's
    last ones RecBole keeps for itself: "valid_only" or "valid_and_test". Its files go into the
    folder.
    """
    from recbole.config import Config
    from recbole.data import create_dataset

    table = X[["user_id", "item_id"]].assign(timestamp=range(len(X)))
    table.columns = ["user_id:token", "item_id:token", "timestamp:float"]
    (Path(folder) / "events").mkdir()
    table.to_csv(Path(folder) / "events" / "events.inter", sep="\t", index=False)
    chosen = {
        **SETTINGS,
        "data_path": folder,
        "checkpoint_dir": folder,
        "eval_args": {"split": {"LS": split}, "order": "TO", "mode": "full"},
        **settings,
    }
    config = Config(model="SASRec", dataset="events", config_dict=chosen)
    return config, create_dataset(config)
