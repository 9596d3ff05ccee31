"""What do explainable models cost in accuracy, with each kind of attention?

Tables of one classification task from the folder that SK_ATTENTION_DATA names, at most `--max-rows`
rows to train on, scored on the rows to choose by. Prints the log loss of the default, and of every
kind of attention with `explainable=True`, and their geometric mean relative to the default.

    python -m benchmarks.quality.explainable --sets credit_g spambase --seeds 0 1
"""

import time

import numpy as np

from benchmarks._common import markdown, parser, set_threads
from benchmarks.quality._data import single_task_sets
from benchmarks.quality._scores import geometric_mean, scores
from benchmarks.quality.tabular import rows_of
from sk_attention import MultiTaskAttentionClassifier

MODELS = {
    "default": {},
    "explainable, cross": {"explainable": True},
    "explainable, self": {"explainable": True, "attention": "self"},
    "explainable, double": {"explainable": True, "attention": "double"},
}


def losses(name, seed, models, max_rows):
    """Return log loss and CPU seconds of each model."""
    X, y, train, scored = rows_of(name, seed, "validation", max_rows)
    found = {}
    for model, options in models.items():
        start = time.process_time()
        fitted = MultiTaskAttentionClassifier(random_state=seed, **options)
        fitted.fit(X.iloc[train], y[train])
        seconds = time.process_time() - start
        probabilities = fitted.predict_proba(X.iloc[scored])
        found[model] = (
            scores(y[scored], probabilities, fitted.classes_)["log_loss"],
            seconds,
        )
    return found


def main():
    options = parser(__doc__, repeats=None)
    options.add_argument("--sets", nargs="+", help="default: all")
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--max-rows", type=int, default=4000)
    args = options.parse_args()
    set_threads(args.threads)
    models = {name: MODELS[name] for name in args.models}
    lines, ratios, times = [], {name: [] for name in models}, {name: [] for name in models}
    for name in args.sets or single_task_sets():
        draws = [losses(name, seed, models, args.max_rows) for seed in args.seeds]
        mean = {model: np.mean([draw[model] for draw in draws], axis=0) for model in models}
        for model, (loss, seconds) in mean.items():
            ratios[model].append(loss / mean["default"][0])
            times[model].append(seconds / mean["default"][1])
        lines.append({"table": name} | {m: f"{loss:.4f}" for m, (loss, _) in mean.items()})
        print(lines[-1], flush=True)
    means = {m: "{:.3f} [{:.3f}, {:.3f}]".format(*geometric_mean(r)) for m, r in ratios.items()}
    lines.append({"table": "log loss / default [95 %]"} | means)
    lines.append(
        {"table": "CPU time / default, median"} | {m: np.median(t) for m, t in times.items()}
    )
    print(markdown(lines))


if __name__ == "__main__":
    main()
