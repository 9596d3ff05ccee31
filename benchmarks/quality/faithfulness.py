"""How faithful are contributions and attention, on planted and on real tables?

For every table, seed and task: the skill of the model, the area below the deletion curve of the
explanation, of integrated gradients and of a random order, and what `faithfulness_card` says. On
planted tables (`make_planted_tasks`) also the share of planted columns among those named most. Real
tables come from the folder that SK_ATTENTION_DATA names: trained on at most `--max-rows` rows, the
explanations measured on at most `--rows` of the rows to choose by.

    python -m benchmarks.quality.faithfulness --seeds 0 1 2 3 4
    python -m benchmarks.quality.faithfulness --sets credit_g wine_quality --seeds 0
"""

import numpy as np

from benchmarks._common import markdown, parser, set_threads
from benchmarks.quality import _data
from benchmarks.quality.tabular import rows_of
from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import make_planted_tasks
from sk_attention.inspection import faithfulness
from sk_attention.inspection._card import objections

# Name -> parameters, and the explanation that is measured.
MODELS = {
    "contribution": ({"explainable": True}, "contribution"),
    "contribution, double": ({"explainable": True, "attention": "double"}, "contribution"),
    "attention of explainable": ({"explainable": True}, "attention"),
    "attention of default": ({}, "attention"),
}


def planted(seed, n_rows, n_scored):
    data = make_planted_tasks(n_samples=n_rows + n_scored, random_state=seed)
    X, y = data.data, data.target
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], data.relevant


def real(name, seed, max_rows, n_scored):
    """Return rows to fit on and rows to measure on, of a table of one task or of several."""
    if name in _data.TASKS:
        X, y, groups = _data.multi_task(name)
        train, scored, _ = _data.random_parts(X, groups, seed)
        train, scored = train[:max_rows], scored[:n_scored]
        return X.iloc[train], y.iloc[train], X.iloc[scored], y.iloc[scored], None
    X, y, train, scored = rows_of(name, seed, "validation", max_rows)
    scored = _data.subsample(scored, y, n_scored, seed)
    return X.iloc[train], y[train], X.iloc[scored], y[scored], None


def measured(model, seed, rows):
    """Return one record per task."""
    options, method = MODELS[model]
    X, y, X_scored, y_scored, relevant = rows
    fitted = MultiTaskAttentionClassifier(random_state=seed, **options).fit(X, y)
    found = faithfulness(
        fitted, X_scored, y_scored, method=method, relevant=relevant, random_state=seed
    )
    for task, name in enumerate(found.task_names):
        yield {
            "task": name,
            "skill": found.skill[task, 0],
            "beats a guess": bool(found.skill[task, 1] > found.chance[task]),
            "area": found.deletion_area[method][task, 0],
            "area, gradients": found.deletion_area["integrated_gradients"][task, 0],
            "area, random": found.deletion_area["random"][task, 0],
            "gain over random [95 %]": "{:.3f} [{:.3f}, {:.3f}]".format(*found.deletion_gain[task]),
            "better than random": bool(found.deletion_gain[task, 1] > 0),
            "agreement": found.agreement[task],
            "precision": None if relevant is None else found.precision[task],
            "may be shown": not objections(found, task),
        }


def summary(model, records):
    """Return means over everything that was measured with a model."""
    sure = [record for record in records if record["beats a guess"]]
    line = {
        "explanation": model,
        "tasks": len(records),
        "skill": np.mean([record["skill"] for record in records]),
        "area": np.mean([record["area"] for record in records]),
        "area, gradients": np.mean([record["area, gradients"] for record in records]),
        "area, random": np.mean([record["area, random"] for record in records]),
        "better than random": f"{sum(r['better than random'] for r in sure)} of {len(sure)}",
        "may be shown": f"{sum(r['may be shown'] for r in records)} of {len(records)}",
    }
    if records[0]["precision"] is not None:
        found = [record["precision"] for record in records]
        line |= {"precision": np.mean(found), "worst": np.min(found)}
    return line


def main():
    options = parser(__doc__, repeats=None)
    options.add_argument("--sets", nargs="+", help="real tables; default: planted ones")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--max-rows", type=int, default=3000)
    options.add_argument("--rows", type=int, default=600, help="rows to measure on")
    args = options.parse_args()
    set_threads(args.threads)
    records = []
    for name in args.sets or ["planted"]:
        for seed in args.seeds:
            rows = (
                planted(seed, args.max_rows, args.rows)
                if name == "planted"
                else real(name, seed, args.max_rows, args.rows)
            )
            for model in args.models:
                for record in measured(model, seed, rows):
                    records.append({"table": name, "seed": seed, "explanation": model, **record})
                    print(records[-1], flush=True)
    print(markdown(records), "\n")
    groups = {m: [r for r in records if r["explanation"] == m] for m in args.models}
    print(markdown([summary(model, own) for model, own in groups.items()]))


if __name__ == "__main__":
    main()
