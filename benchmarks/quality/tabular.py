"""How accurate are defaults on single-task tables beside the strongest supervised models?

All classification sets of the folder "tabular" (SK_ATTENTION_DATA, default ../shared/data), and
OpenML sets by `--openml 31 37`. For every seed 60 % of the rows are to train on, 20 % to choose by
and 20 % to report, at random and stratified; electricity is split in time order and adult has an
official test part. `--part validation` trains on the first and scores the second: whoever changes a
default looks at this. `--part test` trains on both and scores the third: for reporting.

Training rows and scored rows are capped. Rows of a class that was not trained on are not scored.
`--out` is appended after every fit, and a fit that stands in it is skipped, a failed one too
(delete its row to try again). `benchmarks.quality.compare` makes a table of such files.

    python -m benchmarks.quality.tabular --sets car credit_g --seeds 0 --models sk_attention \\
        lightgbm --variant 'wide={"embedding_dim": 32}' --part validation --out results.csv
"""

import json
import time

import numpy as np

from benchmarks.quality import _data, _models, _runs
from benchmarks.quality._scores import scores

KEY = ("part", "set", "seed", "model", "max_rows")


def rows_of(name, seed, part, max_rows):
    """Return X, y, the rows to train on and the rows to score."""
    X, y, official = _data.single_task(name)
    train, validation, test = _data.parts(name, y, official, seed)
    if part == "test":
        train, scored = np.concatenate([train, validation]), test
    else:
        scored = validation
    train = _data.subsample(train, y, max_rows, seed)
    return X, y, train, _data.subsample(scored, y, _runs.MAX_SCORED, seed)


def one_fit(job):
    """Return one record: a model fitted and scored, or why it could not be."""
    record = {name: job[name] for name in ("part", "set", "seed", "model")}
    record |= dict.fromkeys(("n_train", "n_features", "n_classes"), "")
    record |= {"max_rows": job["max_rows"], **_runs.NOT_MEASURED, "error": ""}
    peer = ""
    try:
        source = "sk_attention" if job["parameters"] else job["model"]
        peer = _models.package_version(source)
        X, y, train, scored = rows_of(job["set"], job["seed"], job["part"], job["max_rows"])
        record |= {"n_train": len(train), "n_features": X.shape[1]}
        record |= {"n_classes": len(np.unique(y[train]))}
        with _runs.quietly():
            _models.warm_up(source)
            parameters = json.loads(job["parameters"]) if job["parameters"] else None
            model = _models.fresh(job["model"], job["seed"], job["threads"], parameters)
            seconds = _runs.timed_fit(model, X.iloc[train], y[train])
            start = time.perf_counter()
            probabilities = model.predict_proba(X.iloc[scored])
            seconds["predict_s"] = time.perf_counter() - start
        record |= scores(y[scored], probabilities, model.classes_) | seconds
    except Exception as error:  # a set or a peer that fails must not end the others
        record["error"] = _runs.failure(error)
    return [record | _runs.where(job, job["threads"], peer)]


def all_jobs(args, models):
    """Return one job per set, seed and model, all models of a set and seed in a row."""
    names = _runs.set_names(args, _data.single_task_sets())
    return [
        {"part": args.part, "set": name, "seed": seed, "model": model, "parameters": parameters}
        | {"max_rows": args.max_rows, "threads": args.threads}
        for name in names
        for seed in args.seeds
        for model, parameters in models
    ]


def line(number, n_jobs, record):
    """Return a fit in one line."""
    start = f"[{number}/{n_jobs}] {record['set']:16} {record['seed']} {record['model']:22}"
    if record["error"]:
        return f"{start} {record['error']}"
    return (
        f"{start} log loss {record['log_loss']:.4f}  AUC {record['roc_auc']:.4f}  "
        f"ECE {record['ece']:.3f}  fit {record['fit_s']:.2f} s ({record['fit_cpu_s']:.2f} s CPU)"
    )


def main():
    parser = _runs.options(__doc__, _models.DEFAULT)
    _runs.add_table_options(parser)
    args = parser.parse_args()
    wanted = all_jobs(args, _runs.models_of(args, _models.REGISTRY, parser))
    jobs = _runs.outstanding(wanted, _runs.read(args.out), KEY)
    for number, (record,) in _runs.run(one_fit, jobs, args):
        print(line(number, len(jobs), record), flush=True)


if __name__ == "__main__":
    main()
