"""What do training and recommending cost, by the size of the catalogue and the loss?

Made-up histories of 50 events, popular items more often (Zipf); vectors of 64 numbers, two blocks.

- A training step, of 64 histories: all of it, and of that the network without the loss, forward and
  backward. The rest is the loss, the optimiser and the average of the weights. With `--features`
  items have so many numbers beside their ids.
- The best 10 items of users whose vectors are known, 50 items left out of each: with all items
  compared, with an index, and beside them the bare matrix product and top-k.
- `recommend` of a fitted estimator with `attention="double"`, stage by stage: encoding the users'
  histories; retrieval, which is finding the best 256 items, those seen left out; ranking these
  anew; and beside them the bare matrix product and top-k. It is fitted in one pass, to as many
  users as it takes to meet all items.

Seconds are CPU seconds of one thread; each case has its own process, so that its peak of memory is
its own.

    python -m benchmarks.speed.recommender --items 100000 --users 10000 --losses sampled_softmax
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
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
from sk_attention import AttentionRecommender
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
LENGTH, DIMS, WINDOWS = 50, 64, 64

# What a recommender calls for each stage of `recommend`.
STAGES = {
    "encoding s": ["_queries", "_known"],
    "retrieval s": ["_seen", "_catalogue.best"],
    "re-ranking s": ["_read_scores"],
}


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


def product_and_top(hidden: np.ndarray, items: torch.Tensor, bias: torch.Tensor, k: int) -> None:
    """Do what is needed at the least: a matrix product and its largest entries."""
    for start in range(0, len(hidden), 16):
        torch.addmm(bias, torch.as_tensor(hidden[start : start + 16]), items.T).topk(k)


def retrieval(case: Record) -> Record:
    """Measure finding the best items, beside the bare product."""
    n_items, n_users = case["items"], case["users"]
    rng = np.random.default_rng(0)
    # in groups, as learned vectors are
    centers = rng.standard_normal((max(n_items // 200, 1), DIMS), dtype=np.float32)
    items = centers[rng.integers(len(centers), size=n_items)]
    items += 0.7 * rng.standard_normal(items.shape, dtype=np.float32)
    hidden = centers[rng.integers(len(centers), size=n_users)]
    hidden += 0.7 * rng.standard_normal(hidden.shape, dtype=np.float32)
    bias = rng.standard_normal(n_items, dtype=np.float32)
    query = np.repeat(np.arange(n_users), LENGTH)
    left_out = Excluded(
        np.zeros(n_items, dtype=bool), query, rng.integers(n_items, size=len(query))
    )
    exact = Catalogue(items, bias)

    record = {
        "items": n_items,
        "users": n_users,
        "product and top-k s": round(
            cpu_seconds(
                lambda: product_and_top(hidden, exact.items, exact.bias, 10), case["repeats"]
            ),
            4,
        ),
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


def fitted(n_users: int, n_items: int) -> AttentionRecommender:
    """Return a recommender that has met all items, popular ones more often, in one pass."""
    rng = np.random.default_rng(0)
    n_users = max(n_users, -(-n_items // LENGTH))
    drawn = np.minimum(rng.zipf(1.1, size=n_users * LENGTH - n_items), n_items) - 1
    item = rng.permutation(np.concatenate([np.arange(n_items), drawn]))
    user = np.repeat(np.arange(n_users), LENGTH)
    X = pd.DataFrame({"user_id": user, "item_id": item, "timestamp": np.arange(len(user))})
    return AttentionRecommender(
        attention="double",
        embedding_dim=DIMS,
        max_history=LENGTH,
        loss="sampled_softmax",
        early_stopping=False,
        max_epochs=1,
        random_state=0,
    ).fit(X)


def clocked(function: Callable[..., Any], seconds: Record, stage: str) -> Callable[..., Any]:
    """Return the function, whose CPU seconds are added up as those of a stage."""

    def run(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        found = function(*args, **kwargs)
        seconds[stage] += time.process_time() - start
        return found

    return run


def recommending(case: Record) -> Record:
    """Measure `recommend`, stage by stage."""
    n_users = case["users"]
    model = fitted(n_users, case["items"])
    seconds: Record = {}
    for stage, names in STAGES.items():
        for path in names:
            *owner, name = path.split(".")
            holder = getattr(model, owner[0]) if owner else model
            setattr(holder, name, clocked(getattr(holder, name), seconds, stage))
    users, measured = model.users_[:n_users], []
    for _ in range(case["repeats"] + 1):
        seconds |= dict.fromkeys(STAGES, 0.0)
        start = time.process_time()
        model.recommend(users, k=10)
        measured.append({**seconds, "recommend s": time.process_time() - start})
    names = measured[0]
    medians = {name: float(np.median([m[name] for m in measured[1:]])) for name in names}
    hidden = np.random.default_rng(0).standard_normal((n_users, DIMS), dtype=np.float32)
    items, bias = model.net_.module_.item_vectors().detach(), model.net_.module_.item_bias.detach()
    bare = cpu_seconds(lambda: product_and_top(hidden, items, bias, 256), case["repeats"])
    return {
        "items": len(model.items_),
        "users": n_users,
        **{name: round(value, 3) for name, value in medians.items()},
        "product and top 256 s": round(bare, 3),
        "retrieval x product": round(medians["retrieval s"] / bare, 2),
        "users per s": round(n_users / medians["recommend s"]),
    }


CASES = {"Training": training, "Retrieval": retrieval, "Recommending": recommending}


def main() -> None:
    options = parser(__doc__, repeats=3)
    options.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--features", type=int, default=0, help="numbers that describe each item")
    options.add_argument("--losses", nargs="*", default=LOSSES, choices=LOSSES)
    options.add_argument("--users", type=int, default=500, help="who gets recommendations")
    options.add_argument("--case", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    set_threads(chosen.threads or 1)
    if chosen.case:
        case = json.loads(chosen.case)
        print(json.dumps(CASES[case["what"]](case)))
        return
    module = "benchmarks.speed.recommender"
    tables: dict[str, list[Record]] = {what: [] for what in CASES}
    for n_items in chosen.items:
        case = {"items": n_items, "users": chosen.users, "repeats": chosen.repeats}
        described = {**case, "features": chosen.features}
        cases = [{**described, "what": "Training", "loss": loss} for loss in chosen.losses]
        cases += [{**case, "what": what} for what in ("Retrieval", "Recommending")]
        for case in cases:
            record = in_fresh_process(module, case, 1)
            tables[case["what"]].append(record)
            print(record, flush=True)
    for title, records in tables.items():
        if records:
            report(title, records, chosen)


if __name__ == "__main__":
    main()
