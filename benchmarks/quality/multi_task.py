"""What does learning tasks together gain?

Five open tables with 2 to 12 classification tasks (SK_ATTENTION_DATA, default ../shared/data), and
by `--openml 41465` OpenML sets that name several targets.
`sk_attention` learns all tasks of a table at once; the others learn each on its own, or in a chain:

    sk_attention_single  one fit of ours per task, on its observed labels
    lightgbm_single      one LightGBM per task, on its observed labels
    multi_output         MultiOutputClassifier(HistGradientBoostingClassifier())
    classifier_chain     ClassifierChain(HistGradientBoostingClassifier())

The last two take no missing labels, and a case that has some is recorded as not applicable.
`--missing` hides a share of each task's training labels at random, but for two of each class. All
models at their defaults; a `--variant` is fitted jointly, and one task at a time where its name
ends in "_single". Rows are drawn anew for every seed: 60 % to train on, 20 % to choose by, 20 % to
report; `--part test` trains on the first two. `--out` is appended after every fit and read at the
start, so a run goes on where it stopped. What the tables tell, and `--plot` draws:
`_multi_task_summary`.

    python -m benchmarks.quality.multi_task --sets cardiotocography --missing 0 0.6 --out gain.csv
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._common import markdown
from benchmarks.quality import _data, _models, _multi_task_models, _multi_task_summary, _runs
from benchmarks.quality._scores import scores

KEY = ("part", "set", "seed", "missing", "model", "max_rows")
KEPT_PER_CLASS = 2


# ---- the data -----------------------------------------------------------------------------------


def tidy(X, y):
    """Return X as a frame with categories, and y with numbers or text, nan where missing."""
    X = _data.as_categories(pd.DataFrame(X).copy())
    columns = {}
    for task in y:
        is_number = pd.api.types.is_numeric_dtype(y[task].dtype)
        columns[task] = y[task].astype("float64" if is_number else object)
    return X, pd.DataFrame(columns, index=X.index)


def hide(y, share, seed):
    """Return labels of which a share is missing at random in each task.

    Two labels of each class stay (all of a class that has fewer), even if the share is then less.
    """
    rng = np.random.default_rng(seed)
    hidden = y.copy()
    for task in y:
        seen = rng.permutation(np.flatnonzero(y[task].notna()))
        n_hidden = round(share * len(seen))
        order = pd.Series(y[task].to_numpy()[seen]).groupby(y[task].to_numpy()[seen]).cumcount()
        loose = seen[order.to_numpy() >= KEPT_PER_CLASS]
        hidden.iloc[loose[:n_hidden], y.columns.get_loc(task)] = np.nan
    return hidden


def parts_of(job):
    """Return X and y to train on, and X and y to score."""
    X, y, groups = _data.multi_task(job["set"])
    train, validation, test = _data.random_parts(X, groups, job["seed"])
    X, y = tidy(X, y)
    train, scored = (
        (np.concatenate([train, validation]), test)
        if job["part"] == "test"
        else (train, validation)
    )
    rng = np.random.default_rng(job["seed"])
    train = rng.permutation(train)[: job["max_rows"]]
    scored = rng.permutation(scored)[: _runs.MAX_SCORED]
    labels = hide(y.iloc[train], job["missing"], job["seed"])
    return X.iloc[train], labels, X.iloc[scored], y.iloc[scored]


# ---- one fit ------------------------------------------------------------------------------------


def task_records(y, y_scored, probabilities, classes):
    """Return the scores of each task over its observed labels."""
    records = []
    for number, task in enumerate(y):
        record = {"task": task, "n_labels": int(y[task].notna().sum())}
        record["n_classes"] = y[task].nunique()
        if record["n_classes"] > 1:
            seen = y_scored[task].notna().to_numpy()
            truth = np.asarray(y_scored[task][seen].tolist())
            record |= scores(truth, probabilities[number][seen], classes[number])
        else:
            record["error"] = "one class only"
        records.append(record)
    return records


def one_fit(job):
    """Return one record per task, or one that says why there is none."""
    base = {name: job[name] for name in KEY[:-1]}
    base |= {"task": "", **dict.fromkeys(("n_train", "n_features", "n_labels", "n_classes"), "")}
    base |= {"max_rows": job["max_rows"], **_runs.NOT_MEASURED, "error": ""}
    source = _multi_task_models.source(job["model"], job["parameters"])
    try:
        X, y, X_scored, y_scored = parts_of(job)
        base |= {"n_train": len(X), "n_features": X.shape[1]}
        if source in _multi_task_models.COMPLETE_ONLY and y.isna().any(axis=None):
            records = [{"error": "not applicable: labels are missing"}]
        else:
            records = fitted_records(source, job, (X, y), (X_scored, y_scored))
    except Exception as error:  # a set or a model that fails must not end the others
        records = [{"error": _runs.failure(error)}]
    peer = _models.package_version(_multi_task_models.BASES[source])
    where = _runs.where(job, job["threads"], peer)
    return [base | record | where for record in records]


def fitted_records(source, job, train, scored):
    """Return the scores of each task, and the seconds that all took together."""
    with _runs.quietly():
        _models.warm_up(_multi_task_models.BASES[source])
        model = _multi_task_models.fresh(source, job)
        seconds = _runs.timed_fit(model, *train)
        start = time.perf_counter()
        probabilities = model.predict_proba(scored[0])
        seconds["predict_s"] = time.perf_counter() - start
    records = task_records(train[1], scored[1], probabilities, model.classes_)
    return [record | seconds for record in records]


def all_jobs(args, models):
    """Return one job per set, share, seed and model."""
    return [
        {"part": args.part, "set": name, "seed": seed, "missing": missing, "model": model}
        | {"parameters": parameters, "max_rows": args.max_rows, "threads": args.threads}
        for name in _runs.set_names(args, _data.TASKS)
        for missing in args.missing
        for seed in args.seeds
        for model, parameters in models
    ]


def line(number, n_jobs, records):
    """Return a fit in one line."""
    first = records[0]
    start = f"[{number}/{n_jobs}] {first['set']:16} {first['missing']} {first['seed']}"
    scored = [record for record in records if not record["error"]]
    if not scored:
        return f"{start} {first['model']:20} {first['error']}"
    auc, loss = (np.nanmean([r[name] for r in scored]) for name in ("roc_auc", "log_loss"))
    return (
        f"{start} {first['model']:20} mean AUC {auc:.4f}  mean log loss {loss:.4f}  "
        f"fit {first['fit_s']:.2f} s"
    )


def main():
    parser = _runs.options(__doc__, list(_multi_task_models.BASES))
    _runs.add_table_options(parser)
    parser.add_argument(
        "--missing", type=float, nargs="+", default=[0.0], help="shares to hide (default: 0)"
    )
    parser.add_argument("--joint", default="sk_attention", help="model that the tables compare")
    parser.add_argument("--time", choices=["fit_s", "fit_cpu_s"], default="fit_s")
    parser.add_argument("--plot", type=Path, help="PNG file")
    args = parser.parse_args()
    wanted = all_jobs(args, _runs.models_of(args, _multi_task_models.BASES, parser))
    rows = _runs.read(args.out)
    jobs = _runs.outstanding(wanted, rows, KEY)
    for number, records in _runs.run(one_fit, jobs, args):
        print(line(number, len(jobs), records), flush=True)
        rows += records
    keys = {tuple(str(job[name]) for name in KEY) for job in wanted}
    rows = [row for row in rows if tuple(str(row[name]) for name in KEY) in keys]
    summarize(_multi_task_summary.measured(pd.DataFrame(rows), args.time), args)


def summarize(table, args):
    """Print what was gained, and draw it if asked to."""
    print(f"\n{markdown(_multi_task_summary.gains(table, args.joint, args.time))}")
    records = _multi_task_summary.over_all_sets(table, args.joint, args.time)
    cells = [_multi_task_summary.rounded(record, args.joint) for record in records]
    print(f"\nOver all sets, relative to {args.joint}:\n\n{markdown(cells)}")
    if args.plot:
        _multi_task_summary.plot(records, args.joint, args.plot)


if __name__ == "__main__":
    main()
