"""How well are ratings foretold, beside biases and matrix factorisation?

ml-latest-small: 0.5 to 5 stars, 671 users. Two questions, the same rows for every model:

- by_chance: a tenth of the rows, drawn by the seed, as most papers have it. A peer has seen what
  the same users thought of other films later.
- last: the last tenth of each user's ratings by time, one at least, as in use.

The error is the root of the mean squared error, of predictions clipped to 0.5 to 5; intervals are
bootstraps over users. `--part validation` asks the same once more within what "test" trains on:
settings are chosen there, and "test" is for the chosen ones.

Surprise (scikit-surprise) comes with `requirements.txt`; a peer is imported when it is named.
`--values` keeps squared errors row by row; from them the table at the end tells differences to
`--reference`, row by row.

    python -m benchmarks.quality.ratings --models sk_attention biases svd --threads 1 \\
        --out ratings.csv --values values
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._common import markdown
from benchmarks.quality import _recommender_data, _runs
from sk_attention import AttentionRecommender
from sk_attention.datasets import fetch_movielens
from sk_attention.metrics import bootstrap_interval

KEY = ("part", "protocol", "seed", "model")
PROTOCOLS = ("by_chance", "last")
NOT_MEASURED = ("rmse", "low", "high", "fit_s", "fit_cpu_s", "passes")
STARS = (0.5, 5.0)


class Surprise:
    """A model of Surprise's with fit and predict as in scikit-learn.

    Parameters
    ----------
    name : str
        Of a class of the package's.
    **parameters : dict
        Its parameters.
    """

    def __init__(self, name, **parameters):
        self.name, self.parameters = name, parameters

    def fit(self, X, y):
        """Learn from rows of user_id and item_id."""
        import surprise

        table = pd.DataFrame({"user": X["user_id"], "item": X["item_id"], "rating": y})
        data = surprise.Dataset.load_from_df(table, surprise.Reader(rating_scale=STARS))
        model = getattr(surprise, self.name)(**self.parameters)
        self.model_ = model.fit(data.build_full_trainset())

    def predict(self, X):
        """Return ratings."""
        return np.array(
            [
                self.model_.predict(*pair).est
                for pair in zip(X["user_id"], X["item_id"], strict=True)
            ]
        )


def biases(seed, regularisation):
    """Mean, user and item, regularised, by alternating least squares."""
    options = {"method": "als", "n_epochs": 20}
    options |= {"reg_u": regularisation, "reg_i": regularisation}
    return Surprise("BaselineOnly", bsl_options=options, verbose=False)


def svd(seed, n_factors, n_epochs, regularisation, learning_rate=0.005):
    return Surprise(
        "SVD",
        n_factors=n_factors,
        n_epochs=n_epochs,
        reg_all=regularisation,
        lr_all=learning_rate,
        random_state=seed,
    )


def neighbours(seed, k):
    """Means over the films most like it that the user rated, biases taken out."""
    similarity = {"name": "pearson_baseline", "user_based": False}
    return Surprise("KNNBaseline", k=k, sim_options=similarity, verbose=False)


REGISTRY = {
    "sk_attention": lambda seed: AttentionRecommender("regression", random_state=seed),
    "biases_2": lambda seed: biases(seed, 2.0),
    "biases_5": lambda seed: biases(seed, 5.0),
    "biases_10": lambda seed: biases(seed, 10.0),
    "svd": lambda seed: Surprise("SVD", random_state=seed),
    "svd_20_30_05": lambda seed: svd(seed, 20, 30, 0.05),
    "svd_20_60_1": lambda seed: svd(seed, 20, 60, 0.1),
    "svd_100_60_1": lambda seed: svd(seed, 100, 60, 0.1),
    "svdpp": lambda seed: Surprise("SVDpp", random_state=seed),
    "neighbours_20": lambda seed: neighbours(seed, 20),
    "neighbours_40": lambda seed: neighbours(seed, 40),
}
SEEDLESS = ("biases_2", "biases_5", "biases_10", "neighbours_20", "neighbours_40")


def ratings():
    """Return rows in order of time, and their stars."""
    data = fetch_movielens(_recommender_data.ROOT / "ml-latest-small").data
    data = data.sort_values("timestamp", kind="stable", ignore_index=True)
    return data[["user_id", "item_id", "timestamp"]], data["rating"].to_numpy(dtype=float)


def is_asked(X, protocol, rng):
    """Return which rows are to be foretold."""
    if protocol == "by_chance":
        return rng.permutation(len(X)) < len(X) // 10
    users = X.groupby("user_id")["item_id"]
    behind = users.cumcount(ascending=False)
    return (behind < np.maximum(users.transform("size") // 10, 1)).to_numpy()


def split(X, protocol, seed, part):
    """Return positions of rows to train on and of those to be foretold."""
    rng, rows = np.random.default_rng(seed), np.arange(len(X))
    for _ in range(1 if part == "test" else 2):
        asked = is_asked(X.iloc[rows], protocol, rng)
        rows, held_out = rows[~asked], rows[asked]
    return rows, held_out


def one_fit(job):
    """Return one record: a model fitted and asked, or why it could not be."""
    X, y = ratings()
    train, asked = split(X, job["protocol"], job["seed"], job["part"])
    record = {name: job[name] for name in KEY} | {"n_train": len(train), "n_asked": len(asked)}
    record |= {**dict.fromkeys(NOT_MEASURED, ""), "error": ""}
    try:
        with _runs.quietly():
            model = fresh(job)
            seconds = _runs.timed_fit(model, X.iloc[train], y[train])
            foretold = np.clip(model.predict(X.iloc[asked]), *STARS)
        error = (foretold - y[asked]) ** 2
        interval = bootstrap_interval(error, groups=X["user_id"].iloc[asked], random_state=0)
        record |= dict(
            zip(("rmse", "low", "high"), np.sqrt([error.mean(), *interval]), strict=True)
        )
        record |= seconds | {"passes": getattr(model, "n_iter_", "")}
        if job["values"]:
            np.save(value_file(job["values"], record), error)
    except Exception as error:  # one peer that fails must not end the others
        record["error"] = _runs.failure(error)
    return [record | _runs.where(job, job["threads"], "")]


def fresh(job):
    """Return the model of a job, not fitted."""
    if not job["parameters"]:
        return REGISTRY[job["model"]](job["seed"])
    return REGISTRY["sk_attention"](job["seed"]).set_params(**json.loads(job["parameters"]))


def value_file(folder, record):
    """Return where squared errors row by row are kept."""
    return Path(folder) / ("-".join(str(record[name]) for name in KEY) + ".npy")


def summary(rows, folder, reference):
    """Return one record per protocol and model, the best first."""
    table = pd.DataFrame([row for row in rows if not row["error"]])
    table = table.astype({"rmse": float, "low": float, "high": float, "fit_cpu_s": float})
    out = []
    for (part, protocol), here in table.groupby(["part", "protocol"], sort=False):
        for model in here.groupby("model")["rmse"].mean().sort_values().index:
            own = here[here["model"] == model]
            rmse, low, high = own[["rmse", "low", "high"]].mean()
            record = {"part": part, "protocol": protocol.replace("_", " "), "model": model}
            record |= {"seeds": len(own), "RMSE [95 %]": f"{rmse:.4f} [{low:.4f}, {high:.4f}]"}
            record |= {"fit, CPU s": f"{own['fit_cpu_s'].mean():.1f}"}
            if folder:
                record[f"to {reference}"] = difference(own, reference, folder)
            out.append(record)
    return out


def difference(own, reference, folder):
    """Return how much larger the squared error is than the reference's, a mean and its interval."""
    if own["model"].iloc[0] == reference:
        return ""
    X, _ = ratings()
    values, users = [], []
    for row in own.to_dict("records"):
        other = value_file(folder, row | {"model": reference})
        if not other.exists():
            return ""
        values.append(np.load(value_file(folder, row)) - np.load(other))
        asked = split(X, row["protocol"], int(row["seed"]), row["part"])[1]
        users.append(X["user_id"].to_numpy()[asked])
    values, users = np.concatenate(values), np.concatenate(users)
    low, high = bootstrap_interval(values, groups=users, random_state=0)
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def line(number, n_jobs, record):
    """Return a fit in one line."""
    start = f"[{number}/{n_jobs}] {record['part']} {record['protocol']} {record['seed']} "
    start += f"{record['model']:16}"
    if record["error"]:
        return f"{start} {record['error']}"
    return (
        f"{start} RMSE {record['rmse']:.4f} [{record['low']:.4f}, {record['high']:.4f}]  fit "
        f"{record['fit_cpu_s']:.1f} s CPU"
    )


def main():
    parser = _runs.options(__doc__, ["sk_attention"])
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--values", help="folder for squared errors row by row, which must exist")
    parser.add_argument("--reference", default="sk_attention")
    args = parser.parse_args()
    args.values = args.values and str(Path(args.values).resolve())
    common = {"part": args.part, "threads": args.threads, "values": args.values}
    wanted = [
        {"protocol": protocol, "seed": seed, "model": model, "parameters": parameters, **common}
        for protocol in args.protocols
        for seed in args.seeds
        for model, parameters in _runs.models_of(args, REGISTRY, parser)
        if protocol == "by_chance" or seed == args.seeds[0] or model not in SEEDLESS
    ]
    jobs, done = _runs.outstanding(wanted, _runs.read(args.out), KEY), []
    for number, records in _runs.run(one_fit, jobs, args):
        done += records
        print(line(number, len(jobs), *records), flush=True)
    rows = _runs.read(args.out) or done
    if any(not row["error"] for row in rows):
        print(markdown(summary(rows, args.values, args.reference)))
    failed = Counter((row["model"], row["error"]) for row in rows if row["error"])
    for (model, error), times in failed.items():
        print(f"{model}, {times} times: {error}")


if __name__ == "__main__":
    main()
