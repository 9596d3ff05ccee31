"""What joint fits gain: tables and a plot of what `benchmarks.quality.multi_task` measured.

Ratios are geometric means, with 95 % bootstrap intervals in which tables, their tasks and their
seeds are drawn anew (`_scores.clustered_mean`). Ratios of times are medians over tables of the mean
over seeds; times are of all tasks of a table together.
"""

import pandas as pd

from benchmarks.quality import _plots
from benchmarks.quality._scores import clustered_mean

CELL = ["set", "task", "seed"]


def gains(table, joint, time):
    """Return one record per set, missing share and other model, over the tasks and seeds of both.

    A ratio below 1 says that the joint model's log loss, or time, is the smaller one.
    """
    records = []
    for (name, missing), rows in table.groupby(["set", "missing"], sort=False):
        for other in rows["model"].unique():
            both = paired(rows, joint, other)
            if other == joint or both.empty:
                continue
            loss = clustered_mean(both["log_loss", joint] / both["log_loss", other])
            means = both.mean()
            records.append(
                {
                    "set": name,
                    "missing": missing,
                    "against": other,
                    "tasks": both.index.get_level_values("task").nunique(),
                    "seeds": both.index.get_level_values("seed").nunique(),
                    "AUC, together": f"{means['roc_auc', joint]:.4f}",
                    "AUC, other": f"{means['roc_auc', other]:.4f}",
                    "ECE, together": f"{means['ece', joint]:.4f}",
                    "ECE, other": f"{means['ece', other]:.4f}",
                    "log loss, together / other [95 %]": interval(loss),
                    "fit time": f"{means[time, joint] / means[time, other]:.3g}",
                    "predict time": f"{means['predict_s', joint] / means['predict_s', other]:.3g}",
                }
            )
    return records


def over_all_sets(table, joint, time):
    """Return one record per missing share and model, relative to the joint one, not yet rounded."""
    records = []
    for missing, rows in table.groupby("missing"):
        models = list(rows["model"].unique())
        if joint not in models:
            continue
        n_models = rows.groupby(CELL)["model"].transform("nunique")
        common = rows[n_models == len(models)]
        losses = common.groupby(["set", "task", "model"])["log_loss"].mean()
        ranks = losses.groupby(["set", "task"]).rank().groupby(["set", "model"]).mean()
        for model in models:
            both = paired(rows, model, joint)
            by_set = both.groupby("set").mean()
            records.append(
                {
                    "missing": missing,
                    "model": model,
                    "sets": len(by_set),
                    "rank": ranks.groupby("model").mean().get(model, float("nan")),
                    "log_loss": clustered_mean(both["log_loss", model] / both["log_loss", joint]),
                    "ece": by_set["ece", model].mean(),
                    "fit": (by_set[time, model] / by_set[time, joint]).median(),
                    "predict": (by_set["predict_s", model] / by_set["predict_s", joint]).median(),
                }
            )
    return records


def paired(rows, model, other):
    """Return the measures (score, model) of two models on the sets, tasks and seeds of both."""
    rows = rows[rows["model"].isin([model, other])].set_index([*CELL, "model"])
    measures = rows.drop(columns="missing").unstack("model")
    if model not in measures["log_loss"] or other not in measures["log_loss"]:
        return measures.iloc[:0]
    return measures.dropna(subset=[("log_loss", model), ("log_loss", other)])


def measured(table, time):
    """Return the fits that were scored, with what the tables tell of."""
    columns = ["missing", *CELL, "model", "log_loss", "roc_auc", "ece", time, "predict_s"]
    numbers = ["missing", "seed", *columns[5:]]
    table = table[columns].copy()
    table[numbers] = table[numbers].apply(pd.to_numeric)  # rows that were read are text
    return table.dropna(subset=["log_loss"])


def interval(values):
    """Return a mean and its interval as a cell."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*values)


def rounded(record, joint):
    """Return a record of all sets as the cells of a table."""
    return {
        "missing": record["missing"],
        "model": record["model"],
        "sets": record["sets"],
        "mean rank": f"{record['rank']:.2f}",
        f"log loss / {joint}'s [95 %]": interval(record["log_loss"]),
        "ECE": f"{record['ece']:.4f}",
        "fit time": f"{record['fit']:.3g}",
        "predict time": f"{record['predict']:.3g}",
    }


def plot(records, joint, path):
    """Draw ranks, log loss, calibration error and times, a row per missing share and model."""
    n_shares = len({record["missing"] for record in records})

    def name(record):
        return record["model"] + (f", {record['missing']:.0%} hidden" if n_shares > 1 else "")

    losses = [record["log_loss"] for record in records]
    _plots.draw(
        [name(record) for record in records],
        [record["model"] == joint for record in records],
        [
            _plots.Panel("mean rank", [record["rank"] for record in records]),
            _plots.Panel(
                f"log loss / {joint}'s",
                [mean for mean, _, _ in losses],
                [ends for _, *ends in losses],
                reference=1,
            ),
            _plots.Panel("calibration error", [record["ece"] for record in records]),
            _plots.Panel("fit time, ratio", [r["fit"] for r in records], log=True, reference=1),
            _plots.Panel(
                "predict time, ratio", [r["predict"] for r in records], log=True, reference=1
            ),
        ],
        path,
    )
