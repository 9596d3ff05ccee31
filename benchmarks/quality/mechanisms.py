"""When is each kind of attention worth its cost? Data planted for each, several seeds.

    python -m benchmarks.quality.mechanisms --seeds 3

- ``order``: a list with one "x"; the label is which half of the alphabet stood three places before.
- ``routes``: two tasks over ten numbers and a category that says which of the numbers counts, by
  another rule for each task: where to look depends on another column. Beside accuracy it tells
  how much of a task's attention lies on the number that counts for it, and on the one that counts
  for the other task.
- ``groups``: sixteen numbers in four groups, a category that says which group counts, and a label
  that is the sign of its sum.
- ``wide``: the routes among ``--columns`` columns.

Each is fitted on ``--rows`` rows and judged by accuracy on as many fresh ones; time is that of the
processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import MultiTaskAttentionClassifier

N_COLUMNS, N_GROUPS = 10, 4
Planted = tuple[Any, Any, Any]  # X, y, and for routes the column that counts in each row and task


def order(n_rows: int, rng: np.random.Generator, options: Any) -> Planted:
    rows, labels = [], []
    for _ in range(n_rows):
        items = rng.integers(0, 10, rng.integers(10, 25)).tolist()
        place = rng.integers(3, len(items))
        labels.append(items[place - 3] < 5)
        rows.append([f"i{item}" if j != place else "x" for j, item in enumerate(items)])
    return pd.DataFrame({"items": rows}), np.array(labels), None


def routes(n_rows: int, rng: np.random.Generator, options: Any, n_idle: int = 0) -> Planted:
    numbers = rng.normal(size=(n_rows, N_COLUMNS + n_idle))
    which = rng.integers(0, N_COLUMNS, n_rows)
    X = pd.DataFrame(numbers, columns=[f"x{j}" for j in range(numbers.shape[1])])
    X["which"] = [f"c{j}" for j in which]
    counts = np.column_stack([which, (which + N_COLUMNS // 2) % N_COLUMNS])
    return X, np.take_along_axis(numbers, counts, axis=1) > 0, counts


def wide(n_rows: int, rng: np.random.Generator, options: Any) -> Planted:
    return routes(n_rows, rng, options, options.columns - N_COLUMNS)


def groups(n_rows: int, rng: np.random.Generator, options: Any) -> Planted:
    numbers = rng.normal(size=(n_rows, N_GROUPS, 4))
    which = rng.integers(0, N_GROUPS, n_rows)
    names = [f"g{group}_{j}" for group in range(N_GROUPS) for j in range(4)]
    X = pd.DataFrame(numbers.reshape(n_rows, -1), columns=names)
    X["which"] = [f"c{j}" for j in which]
    return X, numbers[np.arange(n_rows), which].sum(axis=1) > 0, None


FIELDS = {f"g{group}": [f"g{group}_{j}" for j in range(4)] for group in range(N_GROUPS)}
CASES: dict[str, tuple[Callable[..., Planted], list[dict[str, Any]]]] = {
    "order": (
        order,
        [
            {"attention": "cross"},
            {"attention": "double"},
            {"attention": "double", "attention_window": 2},
            {"attention": "double", "attention_window": "adaptive"},
            {"attention": "double", "causal": True},
        ],
    ),
    "routes": (
        routes,
        [
            {"attention": "cross"},
            {"attention": "self"},
            {"attention": "double"},
            {"attention": "double", "attention_normalization": "entmax"},
            {"attention": "double", "attention_normalization": "sparsemax"},
            {"attention": "self", "explainable": True, "n_members": 1},
            {"attention": "double", "explainable": True, "n_members": 1},
        ],
    ),
    "groups": (
        groups,
        [
            {"attention": "cross"},
            {"attention": "self"},
            {"attention": "double"},
            {"attention": "hierarchical", "fields": FIELDS},
        ],
    ),
    "wide": (
        wide,
        [
            {"attention": "cross"},
            {"attention": "double"},
            {"attention": "double", "efficient": "inducing"},
            {"attention": "double", "efficient": "linear"},
        ],
    ),
}


def name_of(settings: dict[str, Any]) -> str:
    shown = {"fields": "fields", "explainable": "explainable", "n_members": "one reader"}
    return ", ".join(shown.get(key, f"{value}") for key, value in settings.items())


def looks(model: MultiTaskAttentionClassifier, X: Any, counts: Any) -> tuple[float, float]:
    """Return the attention to the column that counts for the task, and for the other one."""
    weights = model.attend(X)
    return tuple(
        float(np.mean(np.take_along_axis(weights, own[:, :, None], axis=2)))
        for own in (counts, counts[:, ::-1])
    )


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--columns", type=int, default=500, help="columns of the wide table")
    options.add_argument("--epochs", type=int, help="passes, instead of early stopping")
    options.add_argument("--towers", type=int, default=32, help="hidden units of the towers")
    chosen = options.parse_args()
    set_threads(chosen.threads)
    sizes: dict[str, Any] = {"n_members": 4, "hidden_layer_sizes": chosen.towers}
    if chosen.epochs is not None:
        sizes |= {"max_epochs": chosen.epochs, "early_stopping": False}
    records: list[Record] = []
    for case in chosen.cases:
        draw, settings = CASES[case]
        if case == "order":
            sizes = {**sizes, "embedding_dim": 16}
        for own in settings:
            accuracies, seconds, seen = [], [], []
            for seed in range(chosen.seed, chosen.seed + chosen.seeds):
                rng = np.random.default_rng(seed)
                (X, y, _), (new, labels, counts) = (
                    draw(chosen.rows, rng, chosen) for _ in range(2)
                )
                start = time.process_time()
                model = MultiTaskAttentionClassifier(random_state=seed, **{**sizes, **own}).fit(
                    X, y
                )
                seconds.append(time.process_time() - start)
                accuracies.append(model.score(new, labels))
                if counts is not None:
                    seen.append(looks(model, new, counts))
            record: Record = {"data": case, "attention": name_of(own)}
            record |= {f"seed {j}": f"{a:.3f}" for j, a in enumerate(accuracies)}
            record |= {"mean": f"{np.mean(accuracies):.3f}", "CPU s": f"{np.mean(seconds):.1f}"}
            if seen:
                of_own, of_other = np.mean(seen, axis=0)
                record |= {"looks at its own": f"{of_own:.2f}", "at the other's": f"{of_other:.2f}"}
            print(record, flush=True)
            records.append(record)
        sizes.pop("embedding_dim", None)
    report("Kinds of attention on data planted for them", records, chosen)


if __name__ == "__main__":
    main()
