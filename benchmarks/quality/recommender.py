"""How good are recommendations beside what is popular, and beside other recommenders?

Sets and what is asked of them: `_recommender_data`; `--sets ml_1m beauty` reads files that are to
be fetched first. "temporal" asks for each user's first interaction after a cut in time, and is the
honest one; "leave_one_out" asks for each user's last, as most papers do, and knows the future of
the others. All items are ranked, ties share their places, unknown items are misses. Intervals are
bootstraps over users.

`--part validation` asks within what "test" trains on: whoever changes a default looks at this.

Every model has its own defaults; those of other packages are imported when they are named. One that
needs an environment of its own is run by the Python of that one, into the same file:

    python -m benchmarks.quality.recommender --models sk_attention popular --out results.csv
    ../rectools-venv/bin/python -m benchmarks.quality.recommender --models rectools_sasrec \\
        --out results.csv

`--out` is appended after every fit, and a fit that stands in it is skipped. `--values` keeps NDCG
user by user, so that `benchmarks.quality.compare_recommenders` can tell differences.
"""

import json
import time
from pathlib import Path

import numpy as np

from benchmarks.quality import _recommender_data, _recommender_models, _runs
from sk_attention.metrics import bootstrap_interval, hit_rate_at_k, ndcg_at_k

KEY = ("part", "set", "protocol", "seed", "model")
OF_SET = ("n_train", "n_asked", "n_new_users", "n_unknown_items")
NOT_MEASURED = (
    *("ndcg", "low", "high", "ndcg_known_users", "hit_rate"),
    *("fit_s", "fit_cpu_s", "score_cpu_s", "passes"),
)


def one_fit(job):
    """Return one record: a model fitted and asked, or why it could not be."""
    record = {name: job[name] for name in KEY} | dict.fromkeys((*OF_SET, *NOT_MEASURED), "")
    record |= {"error": ""}
    peer = ""
    try:
        peer = "" if job["parameters"] else _recommender_models.package_version(job["model"])
        asked_of = _recommender_data.question(job["set"], job["protocol"], job["part"])
        record |= sizes(*asked_of)
        with _runs.quietly():
            model, seconds, ranks = fitted_ranks(job, asked_of)
        ndcg = ndcg_at_k(*ranks, average=None)
        record |= means(asked_of, ndcg) | {"hit_rate": hit_rate_at_k(*ranks)}
        record |= seconds | {"passes": getattr(model, "n_iter_", "")}
        if job["values"]:
            np.save(value_file(job["values"], job), ndcg)
    except Exception as error:  # one peer that fails must not end the others
        record["error"] = _runs.failure(error)
    return [record | _runs.where(job, job["threads"], peer)]


def sizes(train, asked):
    """Return how much there is to learn from, and how much is asked."""
    is_new = ~asked["user_id"].isin(train["user_id"])
    is_unknown = ~asked["item_id"].isin(train["item_id"])
    counts = len(train), len(asked), int(is_new.sum()), int(is_unknown.sum())
    return dict(zip(OF_SET, counts, strict=True))


def fitted_ranks(job, asked_of):
    """Return a fitted model, CPU seconds, and the ranks of what was asked."""
    model = fresh(job)
    seconds = _runs.timed_fit(model, asked_of.train, None)
    start = time.process_time()
    ranks = model.target_ranks(
        asked_of.asked, filter_seen=job["set"] not in _recommender_data.REPEATS
    )
    return model, seconds | {"score_cpu_s": time.process_time() - start}, ranks


def fresh(job):
    """Return the model of a job, not fitted."""
    if not job["parameters"]:
        return _recommender_models.REGISTRY[job["model"]](job["seed"], job["threads"])
    ours = _recommender_models.REGISTRY["sk_attention"](job["seed"], job["threads"])
    return ours.set_params(**json.loads(job["parameters"]))


def means(asked_of, ndcg):
    """Return the mean NDCG, its interval, and the mean over users who have a history."""
    train, asked = asked_of
    low, high = bootstrap_interval(ndcg, groups=asked["user_id"], random_state=0)
    known = asked["user_id"].isin(train["user_id"]).to_numpy()
    of_known = ndcg[known].mean() if known.any() else ""
    return {"ndcg": ndcg.mean(), "low": low, "high": high, "ndcg_known_users": of_known}


def value_file(folder, job):
    """Return where NDCG user by user is kept."""
    return Path(folder) / ("-".join(str(job[name]) for name in KEY) + ".npy")


def all_jobs(args, models):
    """Return one job per set, protocol, seed and model that fit each other."""
    common = {"part": args.part, "threads": args.threads, "values": args.values}
    return [
        {"set": name, "protocol": protocol, "seed": seed, "model": model}
        | {"parameters": parameters, **common}
        for name in args.sets or _recommender_data.SETS
        for protocol in args.protocols
        if protocol == "leave_one_out" or name in _recommender_data.TIMED
        for seed in args.seeds
        for model, parameters in models
        if _recommender_models.fits(model, name, protocol, _recommender_data.TIMED)
        if seed == args.seeds[0] or model not in _recommender_models.SEEDLESS
    ]


def line(number, n_jobs, record):
    """Return a fit in one line."""
    start = f"[{number}/{n_jobs}] {record['set']:10} {record['protocol']:14} {record['seed']} "
    start += f"{record['model']:20}"
    if record["error"]:
        return f"{start} {record['error']}"
    return (
        f"{start} NDCG@10 {record['ndcg']:.4f} [{record['low']:.4f}, {record['high']:.4f}]  hits "
        f"{record['hit_rate']:.4f}  fit {record['fit_cpu_s']:.1f}, score "
        f"{record['score_cpu_s']:.1f} s CPU"
    )


def main():
    parser = _runs.options(__doc__, _recommender_models.OWN)
    parser.add_argument(
        "--protocols", nargs="+", default=["temporal", "leave_one_out"], help="default: both",
        choices=_recommender_data.PROTOCOLS,
    )  # fmt: skip
    parser.add_argument("--values", help="folder for NDCG user by user, which must exist")
    args = parser.parse_args()
    for name in args.sets or ():
        if name not in (*_recommender_data.SETS, *_recommender_data.BY_NAME_ONLY):
            parser.error(f"no such set: {name}")
    try:
        for name in args.sets or _recommender_data.SETS:
            _recommender_data.path_of(name)
    except FileNotFoundError as error:
        parser.error(str(error))
    args.values = args.values and str(Path(args.values).resolve())
    wanted = all_jobs(args, _runs.models_of(args, _recommender_models.REGISTRY, parser))
    jobs = _runs.outstanding(wanted, _runs.read(args.out), KEY)
    for number, (record,) in _runs.run(one_fit, jobs, args):
        print(line(number, len(jobs), record), flush=True)


if __name__ == "__main__":
    main()
