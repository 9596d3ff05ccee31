"""Which recommender is how much better, set by set?

Reads the files that `benchmarks.quality.recommender` writes and prints Markdown: means over seeds,
intervals over users. With `--values`, the folder of NDCG user by user, the last column is the mean
difference to the reference, user by user, with its own interval: it tells more than two intervals
that overlap. Models that failed are listed below.

    python -m benchmarks.quality.compare_recommenders results.csv --values values
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._common import markdown
from sk_attention.metrics import bootstrap_interval

KEY = ["set", "protocol", "model"]


def load(paths, part):
    """Return the rows of a part; of rows about the same fit the last one holds."""
    table = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    table = table[table["part"] == part]
    return table.drop_duplicates([*KEY, "seed"], keep="last")


def gains(folder, part, rows):
    """Return NDCG user by user, the mean over the seeds of one model on one set."""
    names = [
        "-".join((part, row.set, row.protocol, str(row.seed), row.model)) + ".npy"
        for row in rows.itertuples()
    ]
    return np.mean([np.load(folder / name) for name in names], axis=0)


def interval(values):
    """Return a mean and its interval as a cell."""
    low, high = bootstrap_interval(values, random_state=0)
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def records(table, part, folder, reference):
    """Return one record per set, protocol and model, the best first."""
    out = []
    for (name, protocol), here in table.groupby(["set", "protocol"], sort=False):
        ours = here[here["model"] == reference]
        models = here.groupby("model")
        for model in models["ndcg"].mean().sort_values(ascending=False).index:
            rows = models.get_group(model)
            record = {
                "set": name,
                "protocol": protocol.replace("_", " "),
                "asked": int(rows["n_asked"].iloc[0]),
                "model": model,
                "seeds": len(rows),
                "NDCG@10 [95 %]": f"{rows['ndcg'].mean():.4f} "
                f"[{rows['low'].mean():.4f}, {rows['high'].mean():.4f}]",
                "of known users": f"{rows['ndcg_known_users'].mean():.4f}",
                "hit rate@10": f"{rows['hit_rate'].mean():.4f}",
                "fit, CPU s": f"{rows['fit_cpu_s'].mean():.1f}",
                "score, CPU s": f"{rows['score_cpu_s'].mean():.1f}",
            }
            if folder and len(ours) and model != reference:
                difference = gains(folder, part, rows) - gains(folder, part, ours)
                record[f"to {reference}"] = interval(difference)
            out.append(record)
    return out


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--values", type=Path, help="folder of NDCG user by user")
    parser.add_argument("--reference", default="sk_attention")
    args = parser.parse_args()
    table = load(args.files, args.part)
    measured = table[table["ndcg"].notna()]
    print(markdown(records(measured, args.part, args.values, args.reference)))
    print("\nVersions: " + ", ".join(sorted(set(table["peer"].dropna()))) + ".")
    for row in table[table["ndcg"].isna()].itertuples():
        print(f"{row.set}, {row.protocol}, {row.model}: {row.error}")


if __name__ == "__main__":
    main()
