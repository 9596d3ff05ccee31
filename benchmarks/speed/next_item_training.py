"""What does it cost to train next-item recommenders, beside RecTools' and RecBole's SASRec?

Made-up histories of 5 to 50 events over some thousand items, popular ones more often (Zipf),
without times: the same for all. All have vectors of 64 numbers, two blocks of two heads, and cross
entropy over all items. RecBole makes a row of each target with its history padded to 50, in batches
of 2,048 targets; ours are windows of up to 50 targets, RecTools' are whole histories padded to 50,
in batches of 128. Each has its own optimiser and dropout.

What is counted is targets per second, by the clock and of the CPU, padding not among them: passes 2
and 3 of a training, so that preparing the tables is not in it. `--device cuda` is for ours.

The others need environments of their own (`requirements-rectools.txt`, `requirements-recbole.txt`),
in which ours runs too:

    ../recbole-venv/bin/python -m benchmarks.speed.next_item_training --models ours recbole
    ../rectools-venv/bin/python -m benchmarks.speed.next_item_training --models ours rectools
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

from benchmarks._common import (
    Record,
    in_fresh_process,
    parser,
    report,
    set_threads,
    synchronize,
    version_of,
)
from benchmarks._recbole import sasrec_data

LENGTH, DIMS, BLOCKS, HEADS, PASSES = 50, 64, 2, 2, 3


class Clock:
    """Takes the seconds of each pass, by the clock and of the CPU."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.seconds: list[tuple[float, float]] = []
        self._began = 0.0, 0.0

    def start(self) -> None:
        synchronize(self.device)
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        synchronize(self.device)
        wall, cpu = self._began
        self.seconds.append((time.perf_counter() - wall, time.process_time() - cpu))


def histories(n_users: int, n_items: int) -> pd.DataFrame:
    """Return user_id and item_id, in order."""
    rng = np.random.default_rng(0)
    n_events = rng.integers(5, LENGTH + 1, size=n_users)
    user = np.repeat(np.arange(n_users), n_events)
    item = rng.permutation(n_items)[np.minimum(rng.zipf(1.1, size=len(user)), n_items) - 1]
    return pd.DataFrame({"user_id": user, "item_id": item})


def ours(X: pd.DataFrame, device: str) -> tuple[int, Clock]:
    """Return how many targets a pass of ours has, and its clock."""
    from skorch.callbacks import Callback

    from sk_attention import AttentionRecommender

    clock = Clock(device)

    class Passes(Callback):  # type: ignore[misc]
        def on_epoch_begin(self, net: object, **kwargs: object) -> None:
            clock.start()

        def on_epoch_end(self, net: object, **kwargs: object) -> None:
            clock.stop()

    AttentionRecommender(
        embedding_dim=DIMS,
        n_layers=BLOCKS,
        n_heads=HEADS,
        max_history=LENGTH,
        loss="cross_entropy",
        early_stopping=False,
        max_epochs=PASSES,
        callbacks=[Passes()],
        device=device,
        random_state=0,
    ).fit(X)
    return len(X), clock


def rectools(X: pd.DataFrame, device: str) -> tuple[int, Clock]:
    """Return how many targets a pass of RecTools' SASRec has, and its clock.

    It leaves out each user's first event.
    """
    from pytorch_lightning import Callback, Trainer
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    clock = Clock(device)

    class Passes(Callback):  # type: ignore[misc]
        def on_train_epoch_start(self, *args: object) -> None:
            clock.start()

        def on_train_epoch_end(self, *args: object) -> None:
            clock.stop()

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=PASSES,
            min_epochs=PASSES,
            enable_progress_bar=False,
            enable_model_summary=False,
            logger=False,
            enable_checkpointing=False,
            accelerator=device,
            devices=1,
            callbacks=[Passes()],
        )

    moments = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(len(X)), unit="s")
    SASRecModel(
        n_factors=DIMS,
        n_blocks=BLOCKS,
        n_heads=HEADS,
        session_max_len=LENGTH,
        loss="softmax",
        get_trainer_func=trainer,
    ).fit(Dataset.construct(X.assign(weight=1.0, datetime=moments)))
    return len(X) - X["user_id"].nunique(), clock


def recbole(X: pd.DataFrame, device: str) -> tuple[int, Clock]:
    """Return how many targets a pass of RecBole's SASRec has, and its clock.

    It leaves out each user's first event, and the last two, which it keeps for itself.
    """
    from recbole.data import data_preparation
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer

    logging.disable(logging.WARNING)
    clock = Clock(device)
    with tempfile.TemporaryDirectory() as folder:
        config, dataset = sasrec_data(
            X,
            folder,
            "valid_and_test",
            MAX_ITEM_LIST_LENGTH=LENGTH,
            hidden_size=DIMS,
            inner_size=4 * DIMS,
            n_layers=BLOCKS,
            n_heads=HEADS,
            use_gpu=False,
        )
        rows, _, _ = data_preparation(config, dataset)
        trainer = Trainer(config, SASRec(config, rows.dataset))
        for number in range(PASSES):
            clock.start()
            trainer._train_epoch(rows, number)
            clock.stop()
    return len(rows.dataset), clock


MODELS = {"ours": ours, "rectools": rectools, "recbole": recbole}
DISTRIBUTIONS = {"ours": "sk-attention", "rectools": "rectools", "recbole": "recbole"}


def run_case(case: Record) -> Record:
    """Measure the passes of a model after the first."""
    X = histories(case["users"], case["items"])
    n_targets, clock = MODELS[case["model"]](X, case["device"])
    wall, cpu = np.mean(clock.seconds[1:], axis=0)
    return {
        **case,
        "version": version_of(DISTRIBUTIONS[case["model"]]),
        "targets in a pass": n_targets,
        "s a pass": round(wall, 3),
        "CPU s a pass": round(cpu, 3),
        "targets per s": round(n_targets / wall),
        "targets per CPU s": round(n_targets / cpu),
    }


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of ours")
    options.add_argument("--users", type=int, default=500)
    options.add_argument("--items", type=int, nargs="+", default=[2_000, 20_000])
    options.add_argument("--models", nargs="+", default=["ours", "recbole"], choices=list(MODELS))
    options.add_argument("--case", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    set_threads(chosen.threads or 1)
    if chosen.case:
        print(json.dumps(run_case(json.loads(chosen.case))))
        return
    records = []
    for n_items in chosen.items:
        for model in chosen.models:
            device = chosen.device if model == "ours" else "cpu"
            case = {"model": model, "users": chosen.users, "items": n_items, "device": device}
            records.append(
                in_fresh_process("benchmarks.speed.next_item_training", case, chosen.threads or 1)
            )
            print(records[-1], flush=True)
    report("Training", records, chosen)


if __name__ == "__main__":
    main()
