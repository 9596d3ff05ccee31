"""Real tables with several tasks: one attention model against one boosted model per task.

Five open data sets (folder named by SK_ATTENTION_DATA, default ../shared/data), both models at
their own defaults, the same rows for both: 60 % to train, 20 % "validation", 20 % "test", drawn
anew for every seed (tox21 by groups of molecules that share a scaffold). Whoever changes a default
looks at `--part validation`; `--part test` is for reporting. Prints the mean ROC AUC (one against
the rest, where a task has several classes) of each task, and writes one row per seed and task.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.quality._data import TASKS, multi_task, random_parts, take
from sk_attention import MultiTaskAttentionClassifier
from sk_attention.metrics import multi_task_log_loss, multi_task_roc_auc_score


def fit_ours(X, y, seed, options):
    model = MultiTaskAttentionClassifier(random_state=seed, **options).fit(X, y)
    return model.predict_proba, model.classes_


def fit_boosting(X, y, seed, options):
    """Fit one HistGradientBoostingClassifier per task on its observed labels."""
    models = []
    for task in y:
        seen = y[task].notna().to_numpy()
        labels = np.asarray(y[task][seen].tolist())
        model = HistGradientBoostingClassifier(random_state=seed)
        models.append(model.fit(take(X, np.flatnonzero(seen)), labels))
    return lambda rows: [m.predict_proba(rows) for m in models], [m.classes_ for m in models]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--max-rows", type=int, default=None)
    parser.add_argument("--options", type=json.loads, default={}, help="our parameters, as JSON")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    records = []
    for name in args.sets:
        X, y, groups = multi_task(name)
        for seed in range(args.seeds):
            train, validation, test = random_parts(X, groups, seed)
            scored = validation if args.part == "validation" else test
            train, scored = train[: args.max_rows], scored[: args.max_rows]
            models = {"attention": fit_ours} | ({} if args.no_peer else {"boosting": fit_boosting})
            for label, fit in models.items():
                start = time.perf_counter()
                options = args.options
                predict_proba, classes = fit(take(X, train), y.iloc[train], seed, options)
                seconds = time.perf_counter() - start
                truth, probabilities = y.iloc[scored], predict_proba(take(X, scored))
                auc = multi_task_roc_auc_score(truth, probabilities, classes=classes, average=None)
                loss = multi_task_log_loss(truth, probabilities, classes=classes, average=None)
                records += [
                    {
                        "set": name,
                        "seed": seed,
                        "model": label,
                        "task": t,
                        "auc": a,
                        "log_loss": q,
                        "seconds": seconds,
                    }
                    for t, a, q in zip(y.columns, auc, loss, strict=True)
                ]
    table = pd.DataFrame(records)
    if args.out:
        table.to_csv(args.out, index=False, quoting=csv.QUOTE_MINIMAL)
    by_task = table.pivot_table(
        index=["set", "task"], columns="model", values=["auc", "log_loss"], sort=False
    )
    print(by_task.round(4).to_string())
    per_set = (
        table.groupby(["set", "seed", "model"])[["auc", "log_loss", "seconds"]].mean().reset_index()
    )
    summary = per_set.pivot_table(
        index="set", columns="model", values=["auc", "log_loss", "seconds"]
    )
    print()
    print(summary.round(4).to_string())


if __name__ == "__main__":
    main()
