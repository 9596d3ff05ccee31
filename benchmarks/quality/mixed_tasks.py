"""Is one fit of classes and numbers together as good as a fit of each alone?

Three tables whose tasks are of both kinds. In each draw 60 % of the rows, at most 1,500, are
trained on, and 20 % reported: of the validation part by default, of the test part with --part test.
Prints, per table and task, the mean over the draws and the standard deviation of the difference of
each pair. Numbers are judged by R^2, classes by the share by which the log loss falls below that of
their shares in training: 1 at the best in both, 0 for the same answer to all rows.

The folder is named by SK_ATTENTION_DATA (default ../shared/data).
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import log_loss, r2_score

from sk_attention import MultiTaskAttentionEstimator

ROOT = Path(os.environ.get("SK_ATTENTION_DATA", "../shared/data")).resolve() / "multitask"
MAX_ROWS = 1500


def wine():
    frame = pl.read_parquet(ROOT / "wine_quality" / "wine_quality.parquet")
    y = frame.select(pl.col("quality").cast(pl.Float64), pl.col("colour").cast(pl.String))
    return frame.drop(y.columns), y


def student():
    frame = pl.read_parquet(ROOT / "student_por" / "student_por.parquet")
    y = frame.select(pl.col("G3").cast(pl.Float64), pl.col("higher").cast(pl.String))
    return frame.drop(["G1", "G2", "G3", "higher"]), y


def flights():
    frame = pl.read_parquet(ROOT / "nycflights13" / "nycflights13_50k.parquet")
    y = frame.select(
        pl.col("arr_delay").cast(pl.Float64).clip(-60, 180),
        *(pl.col(name).cast(pl.Boolean) for name in ("dep_delayed_15", "cancelled")),
    )
    known = ["month", "day", "hour", "minute", "carrier", "origin", "dest", "distance"]
    return frame.select([name for name in known if name in frame.columns]), y


TABLES = {"wine": wine, "student": student, "flights": flights}


def draw(n_rows, seed, part):
    """Return rows to train on, and rows to report."""
    order = np.random.default_rng(seed).permutation(n_rows)
    train, validation, test = np.split(order, [int(0.6 * n_rows), int(0.8 * n_rows)])
    return train[:MAX_ROWS], validation if part == "validation" else test


def skill(truth, predicted, classes, shares):
    """Return R^2, or the share by which the log loss is below that of the shares."""
    seen = np.flatnonzero(truth.is_not_null().to_numpy())
    truth = truth.to_numpy()[seen]
    if classes is None:
        return r2_score(truth, predicted[seen])
    null = log_loss(truth, np.tile(shares, (len(seen), 1)), labels=classes)
    return 1.0 - log_loss(truth, predicted[seen], labels=classes) / null


def answers(model, X, y):
    """Return numbers, or probabilities of classes, of each task."""
    predicted = model.predict(X)
    pairs = zip(y.columns, model.predict_proba(X), strict=True)
    return [predicted[name].to_numpy() if own is None else own for name, own in pairs]


def compare(X, y, train, test, seed):
    """Return (task, together, alone) for each task, and the CPU seconds of both."""
    seconds = []
    start = time.process_time()
    joint = MultiTaskAttentionEstimator(random_state=seed).fit(X[train], y[train])
    seconds.append(time.process_time() - start)
    together = answers(joint, X[test], y[test])
    rows, start = [], time.process_time()
    for task, name in enumerate(y.columns):
        alone = MultiTaskAttentionEstimator(random_state=seed).fit(X[train], y[train][name])
        classes = getattr(alone, "classes_", None)
        own = alone.predict(X[test]) if classes is None else alone.predict_proba(X[test])
        known = y[train][name].drop_nulls().to_numpy()
        shares = None if classes is None else [np.mean(known == label) for label in classes]
        truth = y[test][name]
        rows.append((name, *(skill(truth, p, classes, shares) for p in (together[task], own))))
    seconds.append(time.process_time() - start)
    return rows, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["validation", "test"], default="validation")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    args = parser.parse_args()
    print("| table | task | together | alone | difference (sd of pairs) |\n|---|---|---|---|---|")
    for table in args.tables:
        X, y = TABLES[table]()
        found, cost = {}, []
        for seed in range(args.seeds):
            rows, seconds = compare(X, y, *draw(len(y), seed, args.part), seed)
            cost.append(seconds)
            for name, *pair in rows:
                found.setdefault(name, []).append(pair)
        for name, pairs in found.items():
            together, alone = np.transpose(pairs)
            gain = together - alone
            means = f"{together.mean():.4f} | {alone.mean():.4f}"
            print(f"| {table} | {name} | {means} | {gain.mean():+.4f} ({gain.std(ddof=1):.4f}) |")
        print(f"| {table} | CPU s | {' | '.join(f'{s:.0f}' for s in np.mean(cost, axis=0))} | |")


if __name__ == "__main__":
    main()
