"""Which model is how much more accurate, over all sets?

Reads the files that `benchmarks.quality.tabular` writes and prints Markdown. A model's log loss on
a set is the mean over its seeds; its ratio is to the reference's mean over the same seeds. Ratios
are averaged over sets as a geometric mean, with a 95 % bootstrap interval over sets. A set on which
some model's log loss is below 0.02 counts by rank only: a ratio of two near-zeros says little.
Ranks, AUC, accuracy and calibration error are means over the sets and seeds that every model has;
ratios of times are medians over sets. `--plot` draws ranks, log loss and times.

    python -m benchmarks.quality.compare results.csv --reference lightgbm --plot accuracy.png
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._common import markdown
from benchmarks.quality import _plots
from benchmarks.quality._scores import geometric_mean

LEAST_LOSS = 0.02
ENVIRONMENT = (
    *("cpu", "gpu", "system", "python", "torch", "scikit-learn", "numpy", "threads"),
    "commit",
)


def load(paths, **chosen):
    """Return all rows of the files; ``chosen`` columns must have one value, the given one if any.

    Of rows about the same fit the last one holds.
    """
    table = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    for column, value in chosen.items():
        if value is not None:
            table = table[table[column] == value]
        if table[column].nunique() != 1:
            found = ", ".join(map(str, table[column].unique())) or "nothing"
            raise SystemExit(f"choose one --{column.replace('_', '-')}: the files have {found}")
    return table.drop_duplicates(["set", "seed", "model"], keep="last")


def set_means(table, models):
    """Return the mean over seeds of every score, by set and model."""
    numeric = table[table["model"].isin(models)]
    return numeric.groupby(["set", "model"])[
        ["log_loss", "roc_auc", "accuracy", "ece", "fit_s", "fit_cpu_s", "predict_s", "n_classes"]
    ].mean()


def ratios(table, column, model, reference):
    """Return model / reference of a column by set, each the mean over the seeds both have."""
    wide = table.pivot(index=["set", "seed"], columns="model", values=column)
    both = wide[[model, reference]].set_axis(["model", "reference"], axis=1).dropna()
    means = both.groupby("set").mean()
    return means["model"] / means["reference"]


def near_zero(means):
    """Return the sets on which some model's log loss is too small for ratios."""
    least = means["log_loss"].groupby("set").min()
    return set(least.index[least < LEAST_LOSS])


def where_all_are(table, models):
    """Return the rows of the sets and seeds on which every model is present."""
    n_models = table.groupby(["set", "seed"])["model"].transform("nunique")
    return table[n_models == len(models)]


def compare(table, models, reference, time):
    """Return one record per model, numbers not yet rounded."""
    means = set_means(table, models)
    apart = near_zero(means)
    common = set_means(where_all_are(table, models), models)
    ranks = common["log_loss"].groupby("set").rank()
    n_classes = means["n_classes"].groupby("set").max()
    binary = set(n_classes.index[n_classes == 2])
    records = []
    for model in models:
        ratio = ratios(table, "log_loss", model, reference)
        ratio = ratio[[name not in apart for name in ratio.index]]
        of_two = ratio[[name in binary for name in ratio.index]]
        here = common[common.index.get_level_values("model") == model]
        records.append(
            {
                "model": model,
                "n_sets": int((means.index.get_level_values("model") == model).sum()),
                "log_loss": geometric_mean(ratio),
                "binary": geometric_mean(of_two),
                "rank": ranks[ranks.index.get_level_values("model") == model].mean(),
                "worst": (ratio.max(), ratio.idxmax()) if len(ratio) else (np.nan, ""),
                **{name: here[name].mean() for name in ("roc_auc", "accuracy", "ece")},
                "fit": ratios(table, time, model, reference).median(),
                "predict": ratios(table, "predict_s", model, reference).median(),
            }
        )
    return sorted(records, key=lambda record: (np.isnan(record["rank"]), record["rank"]))


def rounded(record):
    """Return a record as the cells of a table."""

    def interval(values):
        return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]" if values[0] > 0 else "-"

    return {
        "model": record["model"],
        "sets": record["n_sets"],
        "log loss, ratio [95 %]": interval(record["log_loss"]),
        "binary only": interval(record["binary"]),
        "mean rank": f"{record['rank']:.2f}",
        "worst ratio": f"{record['worst'][0]:.2f} {record['worst'][1]}",
        "AUC": f"{record['roc_auc']:.4f}",
        "accuracy": f"{record['accuracy']:.4f}",
        "ECE": f"{record['ece']:.4f}",
        "fit time": f"{record['fit']:.3g}",
        "predict time": f"{record['predict']:.3g}",
    }


def per_set(table, models):
    """Return one record per set: mean and standard deviation over seeds of each model's loss."""
    groups = table[table["model"].isin(models)].groupby(["set", "model"])["log_loss"]
    cells = {
        key: f"{losses.mean():.4f} ± {losses.std(ddof=0):.4f}"
        for key, losses in groups
        if losses.notna().any()
    }
    sets = sorted({name for name, _ in cells})
    return [{"set": name} | {m: cells.get((name, m), "-") for m in models} for name in sets]


def plot(records, reference, path):
    """Draw mean rank, relative log loss with intervals, and relative times, best rank on top."""
    shown = [record for record in records if record["log_loss"][0] > 0]
    losses = [record["log_loss"] for record in shown]
    _plots.draw(
        [record["model"] for record in shown],
        [record["model"] == "sk_attention" for record in shown],
        [
            _plots.Panel("mean rank", [record["rank"] for record in shown]),
            _plots.Panel(
                f"log loss / {reference}'s",
                [mean for mean, _, _ in losses],
                [ends for _, *ends in losses],
                reference=1,
            ),
            _plots.Panel(
                f"fit time / {reference}'s", [r["fit"] for r in shown], log=True, reference=1
            ),
            _plots.Panel(
                f"predict time / {reference}'s",
                [r["predict"] for r in shown],
                log=True,
                reference=1,
            ),
        ],
        path,
    )


def notes(table, models, failed):
    """Return the lines below the tables: what is left out, and where it ran."""
    means = set_means(table, models)
    apart = ", ".join(sorted(near_zero(means))) or "none"
    n_common = where_all_are(table, models)["set"].nunique()
    where = ("part", "max_rows", *(name for name in ENVIRONMENT if name in table))
    found = [f"{name} {' / '.join(map(str, table[name].dropna().unique()))}" for name in where]
    lines = [
        f"Sets that count by rank only: {apart}. Sets with every model: {n_common}.",
        "Seeds: " + ", ".join(map(str, sorted(table["seed"].unique()))) + ".",
        "Where: " + ", ".join(found) + ".",
        "Packages: " + ", ".join(sorted(table["peer"].dropna().unique())) + ".",
    ]
    lines += [f"Failed: {f.model} on {f.set}, seed {f.seed}: {f.error}" for f in failed]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--reference", default="lightgbm")
    parser.add_argument("--models", nargs="+", help="default: all in the files")
    parser.add_argument("--part", choices=["validation", "test"])
    parser.add_argument("--max-rows", type=int)
    parser.add_argument("--time", choices=["fit_s", "fit_cpu_s"], default="fit_s")
    parser.add_argument("--plot", type=Path, help="PNG file")
    args = parser.parse_args()
    table = load(args.files, part=args.part, max_rows=args.max_rows)
    if args.models:
        table = table[table["model"].isin([args.reference, *args.models])]
    is_failed = table["error"].notna()
    failed, table = list(table[is_failed].itertuples()), table[~is_failed]
    models = list(table["model"].unique())
    if args.reference not in models:
        parser.error(f"no fit of {args.reference} in the files")
    records = compare(table, models, args.reference, args.time)
    print(f"Relative to {args.reference}:\n\n{markdown([rounded(r) for r in records])}\n")
    print(
        f"Log loss, mean over seeds ± standard deviation:\n\n{markdown(per_set(table, models))}\n"
    )
    print(notes(table, models, failed))
    if args.plot:
        plot(records, args.reference, args.plot)


if __name__ == "__main__":
    main()
