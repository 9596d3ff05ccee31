"""What do training and recommending cost, by the size of the catalogue and the loss?

Made-up histories of 50 events, popular items more often (Zipf); vectors of 64 numbers, two blocks.

- A training step, of 64 histories: all of it, and of that the network without the loss, forward and
  backward. The rest is the loss, the optimiser and the average of the weights. With `--features`
  items have so many numbers beside their ids.
- A recommendation of 10 items to 500 users whose vectors are known, 50 items left out of each: with
  all items compared, with an index, and beside them the bare matrix product and top-k.

Seconds are CPU seconds of one thread; each case has its own process, so that its peak of memory is
its own.

    python -m benchmarks.speed.recommender --items 10000 100000 --losses sampled_softmax
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks._common import (
    MIB,
    Record,
    in_fresh_process,
    parser,
    peak_bytes,
    report,
    resident_bytes,
    set_threads,
)
from sk_attention._build import build_features
from sk_attention._index import CellIndex
from sk_attention._retrieval import Catalogue, Excluded, Known
from sk_attention.data.columns import Column
from sk_attention.data.groups import ColumnGroup
from sk_attention.data.histories import WindowBatches, Windows, build_histories, training_windows
from sk_attention.nn.items import Described
from sk_attention.nn.ranking import RankingLoss
from sk_attention.nn.recommender import HistoryNetwork, Surroundings
from sk_attention.nn.sampled import training_loss
from sk_attention.training.averaging import WeightAverage
from sk_attention.training.net import AttentionNet
from sk_attention.training.optimizers import resolve_optimizer

LOSSES = ["cross_entropy", "sampled_softmax", "gbce"]
LENGTH, DIMS, WINDOWS, USERS = 50, 64, 64, 500


def cpu_seconds(function: Callable[[], Any], repeats: int) -> float:
    """Return the median of the CPU seconds of a call, after one that is not counted."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds[1:] or seconds))


def network(n_items: int, n_features: int, looks_at_all: bool) -> HistoryNetwork:
    """Return the network of the recommender at its defaults."""
    generator = torch.Generator().manual_seed(0)
    beside = Surroundings(described(n_items, n_features, generator) if n_features else None)
    return HistoryNetwork(
        "self",
        torch.ones(n_items),
        DIMS,
        2,
        2,
        0.2,
        LENGTH,
        1.0,
        generator,
        beside,
        looks_at_all,
    )


def described(n_items: int, n_features: int, generator: torch.Generator) -> Described:
    """Return what is said of the items: numbers."""
    numbers = np.random.default_rng(1).standard_normal((n_features, n_items))
    columns = [Column(f"x{place}", values) for place, values in enumerate(numbers)]
    group = ColumnGroup("item", range(n_features)).fit(columns, np.ones(n_items))
    codes = {name: torch.as_tensor(values) for name, values in group.codes(columns).items()}
    features = build_features(group, DIMS, generator)
    return Described(features, codes, torch.ones(n_items, dtype=torch.bool))


def training(case: Record) -> Record:
    """Measure a training step."""
    n_items, loss = case["items"], case["loss"]
    looks_at_all = loss == "cross_entropy"
    rng = np.random.default_rng(0)
    items = np.minimum(rng.zipf(1.1, size=WINDOWS * LENGTH * 8), n_items)
    items = rng.permutation(n_items)[items - 1] + 1
    users = np.repeat(np.arange(WINDOWS * 8), LENGTH)
    times = rng.exponential(size=len(items)).cumsum()
    built = build_histories(users, items, times, np.ones(len(items)), WINDOWS * 8)
    cut = training_windows(built.starts[:-1], built.starts[1:], LENGTH)
    windows = Windows(built, *cut, np.ones(len(items), dtype=bool), n_items + 1)
    batches = list(WindowBatches(windows, WINDOWS))
    own = network(n_items, case["features"], looks_at_all)
    held = resident_bytes()
    net = AttentionNet(
        own,
        RankingLoss(training_loss(loss, torch.ones(n_items), 256)),
        tables=() if looks_at_all else own.tables,
        optimizer=resolve_optimizer("adamw"),
        lr=0.004,
        max_grad_norm=1.0,
    ).initialize()
    for layer in [*net.module_.modules(), *net.criterion_.modules()]:
        if hasattr(layer, "generator"):
            layer.generator = torch.Generator().manual_seed(0)
    net.average_ = WeightAverage(net.module_, net.tables)
    turns = iter(range(10**6))

    def step() -> None:
        net.train_step(batches[next(turns) % len(batches)])
        net.average_.update(1000)

    def network_alone() -> None:
        hidden = own(batches[0][0]).hidden
        torch.autograd.grad(hidden.sum(), list(own.encoder.blocks.parameters()))

    with net.average_.training_weights():
        whole = cpu_seconds(step, case["repeats"])
        alone = cpu_seconds(network_alone, case["repeats"])
    return {
        "items": n_items,
        "features": case["features"],
        "loss": loss,
        "step s": round(whole, 4),
        "network alone s": round(alone, 4),
        "targets per s": round(WINDOWS * LENGTH / whole),
        "peak MiB above the network": round((peak_bytes() - held) / MIB),
        "network MiB": round(sum(p.nbytes for p in own.parameters()) / MIB),
    }


def recommending(case: Record) -> Record:
    """Measure recommendations, beside the bare product."""
    n_items = case["items"]
    rng = np.random.default_rng(0)
    # in groups, as learned vectors are
    centers = rng.standard_normal((max(n_items // 200, 1), DIMS), dtype=np.float32)
    items = centers[rng.integers(len(centers), size=n_items)]
    items += 0.7 * rng.standard_normal(items.shape, dtype=np.float32)
    hidden = centers[rng.integers(len(centers), size=USERS)]
    hidden += 0.7 * rng.standard_normal(hidden.shape, dtype=np.float32)
    bias = rng.standard_normal(n_items, dtype=np.float32)
    query = np.repeat(np.arange(USERS), LENGTH)
    left_out = Excluded(
        np.zeros(n_items, dtype=bool), query, rng.integers(n_items, size=len(query))
    )
    exact = Catalogue(items, bias)

    def bare() -> None:
        for start in range(0, USERS, 16):
            torch.addmm(
                exact.bias, torch.as_tensor(hidden[start : start + 16]), exact.items.T
            ).topk(10)

    record = {
        "items": n_items,
        "users": USERS,
        "product and top-k s": round(cpu_seconds(bare, case["repeats"]), 4),
        "exact s": round(
            cpu_seconds(lambda: exact.best(Known(hidden), 10, left_out), case["repeats"]), 4
        ),
    }
    try:
        start = time.process_time()
        indexed = Catalogue(items, bias, CellIndex(items, bias))
        record["index built s"] = round(time.process_time() - start, 2)
    except ImportError:
        return record
    record["index s"] = round(
        cpu_seconds(lambda: indexed.best(Known(hidden), 10, left_out), case["repeats"]), 4
    )
    best = [catalogue.best(Known(hidden), 10, left_out)[0] for catalogue in (exact, indexed)]
    found = [len({*these} & {*those}) / 10 for these, those in zip(*best, strict=True)]
    record["of the best 10 found"] = round(float(np.mean(found)), 3)
    return record


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--features", type=int, default=0, help="numbers that describe each item")
    options.add_argument("--losses", nargs="*", default=LOSSES, choices=LOSSES)
    options.add_argument("--case", help="for the script itself: one case, as JSON")
    chosen = options.parse_args()
    set_threads(chosen.threads or 1)
    if chosen.case:
        case = json.loads(chosen.case)
        print(json.dumps(training(case) if "loss" in case else recommending(case)))
        return
    module = "benchmarks.speed.recommender"
    tables: dict[str, list[Record]] = {"Training": [], "Recommending": []}
    for n_items in chosen.items:
        case = {"items": n_items, "features": chosen.features, "repeats": chosen.repeats}
        for loss in chosen.losses:
            tables["Training"].append(in_fresh_process(module, {**case, "loss": loss}, 1))
            print(tables["Training"][-1], flush=True)
        tables["Recommending"].append(in_fresh_process(module, case, 1))
        print(tables["Recommending"][-1], flush=True)
    for title, records in tables.items():
        report(title, records, chosen)


if __name__ == "__main__":
    main()
