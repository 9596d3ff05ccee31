"""What do explainable models cost in accuracy, with each kind of attention?

Tables of one classification task from the folder that SK_ATTENTION_DATA names, at most `--max-rows`
rows to train on, scored on the rows to choose by. Prints the log loss of the default, and of every
kind of attention with `explainable=True`, and their geometric mean relative to the default. Sets of
texts go by the same rules; their accuracy is printed too.

    python -m benchmarks.quality.explainable --sets credit_g spambase --seeds 0 1
    python -m benchmarks.quality.explainable --sets sms_spam snips
"""

import time

import numpy as np

from benchmarks._common import markdown, parser, set_threads
from benchmarks.quality import text
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


def rows(name, seed, max_rows):
    """Return rows to train on and to score, and the columns of texts."""
    if name in text.TASKS:
        X, y, part = text.read(name, seed)
        labels = y.to_series().to_numpy()
        train, scored = (np.flatnonzero(part == which) for which in ("train", "valid"))
        train = np.random.default_rng(seed).permutation(train)[:max_rows]
        return X[train], labels[train], X[scored], labels[scored], ["text"]
    X, y, train, scored = rows_of(name, seed, "validation", max_rows)
    return X.iloc[train], y[train], X.iloc[scored], y[scored], None


def losses(name, seed, models, max_rows):
    """Return log loss, CPU seconds and accuracy of each model."""
    X, y, X_scored, y_scored, texts = rows(name, seed, max_rows)
    found = {}
    for model, options in models.items():
        start = time.process_time()
        fitted = MultiTaskAttentionClassifier(random_state=seed, text_features=texts, **options)
        fitted.fit(X, y)
        seconds = time.process_time() - start
        own = scores(y_scored, fitted.predict_proba(X_scored), fitted.classes_)
        found[model] = own["log_loss"], seconds, own["accuracy"]
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
        for model, (loss, seconds, _) in mean.items():
            ratios[model].append(loss / mean["default"][0])
            times[model].append(seconds / mean["default"][1])
        lines.append({"table": name} | {m: f"{own[0]:.4f}" for m, own in mean.items()})
        if name in text.TASKS:
            print("accuracy", {m: f"{own[2]:.4f}" for m, own in mean.items()})
        print(lines[-1], flush=True)
    means = {m: "{:.3f} [{:.3f}, {:.3f}]".format(*geometric_mean(r)) for m, r in ratios.items()}
    lines.append({"table": "log loss / default [95 %]"} | means)
    lines.append(
        {"table": "CPU time / default, median"} | {m: np.median(t) for m, t in times.items()}
    )
    print(markdown(lines))


if __name__ == "__main__":
    main()
