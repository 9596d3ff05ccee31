"""What does it cost to train next-item recommenders, beside RecBole's SASRec?

Made-up histories of 5 to 50 events over some thousand items, popular ones more often (Zipf),
without times: the same for both. Both have vectors of 64 numbers, two blocks of two heads, and
cross entropy over all items. RecBole makes a row of each target with its history padded to 50; ours
are windows of up to 50 targets. What is counted is targets per CPU second, padding not among them:
passes 2 and 3 of a training, so that preparing the tables is not in it.

RecBole needs an environment of its own (`requirements-recbole.txt`), in which ours runs too:

    ../recbole-venv/bin/python -m benchmarks.speed.next_item_training --users 1000
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._common import Record, in_fresh_process, parser, report, set_threads

LENGTH, DIMS, BLOCKS, HEADS = 50, 64, 2, 2


def histories(n_users: int, n_items: int) -> pd.DataFrame:
    """Return user_id and item_id, in order."""
    rng = np.random.default_rng(0)
    n_events = rng.integers(5, LENGTH + 1, size=n_users)
    user = np.repeat(np.arange(n_users), n_events)
    item = rng.permutation(n_items)[np.minimum(rng.zipf(1.1, size=len(user)), n_items) - 1]
    return pd.DataFrame({"user_id": user, "item_id": item})


def ours(case: Record) -> Record:
    """Measure two passes of ours, after one that is not counted."""
    from skorch.callbacks import Callback

    from sk_attention import AttentionRecommender

    seconds: list[float] = []

    class Clock(Callback):  # type: ignore[misc]
        def on_epoch_begin(self, net: object, **kwargs: object) -> None:
            self.start = time.process_time()

        def on_epoch_end(self, net: object, **kwargs: object) -> None:
            seconds.append(time.process_time() - self.start)

    X = histories(case["users"], case["items"])
    AttentionRecommender(
        embedding_dim=DIMS,
        n_layers=BLOCKS,
        n_heads=HEADS,
        max_history=LENGTH,
        loss="cross_entropy",
        early_stopping=False,
        max_epochs=3,
        callbacks=[Clock()],
        random_state=0,
    ).fit(X)
    return targets_per_second(case, len(X), float(np.mean(seconds[1:])))


def recbole(case: Record) -> Record:
    """Measure two passes of RecBole's SASRec, after one that is not counted."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer

    logging.disable(logging.WARNING)
    X = histories(case["users"], case["items"])
    table = X.assign(timestamp=np.arange(len(X)))
    table.columns = ["user_id:token", "item_id:token", "timestamp:float"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "made_up").mkdir()
        table.to_csv(Path(folder) / "made_up" / "made_up.inter", sep="\t", index=False)
        config = Config(
            model="SASRec",
            dataset="made_up",
            config_dict={
                "data_path": folder,
                "checkpoint_dir": folder,
                "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
                "MAX_ITEM_LIST_LENGTH": LENGTH,
                "hidden_size": DIMS,
                "inner_size": 4 * DIMS,
                "n_layers": BLOCKS,
                "n_heads": HEADS,
                "loss_type": "CE",
                "train_neg_sample_args": None,
                "use_gpu": False,
                "show_progress": False,
                "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
            },
        )
        dataset = create_dataset(config)
        rows, _, _ = data_preparation(config, dataset)
        model = SASRec(config, rows.dataset)
        trainer = Trainer(config, model)
        trainer._train_epoch(rows, 0)
        start = time.process_time()
        for number in (1, 2):
            trainer._train_epoch(rows, number)
        seconds = (time.process_time() - start) / 2
    return targets_per_second(case, len(rows.dataset), seconds)


def targets_per_second(case: Record, n_targets: int, seconds: float) -> Record:
    return {
        "model": case["model"],
        "users": case["users"],
        "items": case["items"],
        "targets in a pass": n_targets,
        "CPU s a pass": round(seconds, 2),
        "targets per CPU s": round(n_targets / seconds),
    }


def main() -> None:
    options = parser(__doc__, repeats=1)
    options.add_argument("--users", type=int, default=500)
    options.add_argument("--items", type=int, nargs="+", default=[2_000, 20_000])
    options.add_argument("--models", nargs="+", default=["ours", "recbole"])
    options.add_argument("--case", help="for the script itself: one case, as JSON")
    chosen = options.parse_args()
    set_threads(chosen.threads or 1)
    if chosen.case:
        case = json.loads(chosen.case)
        print(json.dumps({"ours": ours, "recbole": recbole}[case["model"]](case)))
        return
    records = []
    for n_items in chosen.items:
        for model in chosen.models:
            case = {"model": model, "users": chosen.users, "items": n_items}
            records.append(in_fresh_process("benchmarks.speed.next_item_training", case, 1))
            print(records[-1], flush=True)
    report("Training", records, chosen)


if __name__ == "__main__":
    main()
