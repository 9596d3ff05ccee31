"""Raw texts: MultiTaskAttentionClassifier beside TF-IDF and logistic regression.

The regression sees words and pairs of words, and has its C chosen on the validation part; so has
the choice between words alone and pairs too. The network has its defaults. Where a set has two
tasks, it learns them together and each alone.

    python -m benchmarks.quality.text                       # judged on the validation part
    python -m benchmarks.quality.text --part test --sets clinc150 snips
    python -m benchmarks.quality.text --sets snips --rows 1000 --attention double
    python -m benchmarks.quality.text --sets clinc150 --encoder

``--encoder`` gives the network the vectors of WordLlama besides, a small model of words that its
package ships (``pip install wordllama``).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.quality._data import ROOT, meta
from sk_attention import MultiTaskAttentionClassifier

TASKS = {"clinc150": ["intent", "domain"], "snips": ["intent"], "sms_spam": ["type"]}
CHOICES = [(pairs, C) for pairs in (1, 2) for C in (3.0, 10.0, 30.0, 100.0)]


def read(name, seed):
    """Return texts, labels and the part of each row: the official one where there is one."""
    frame = pl.read_parquet(ROOT / "text" / name / meta("text", name)["files"][0])
    rng = np.random.default_rng(seed)
    if "split" in frame.columns:
        part = frame["split"].to_numpy().astype("U8")
        if not (part == "valid").any():
            part[(part == "train") & (rng.random(len(part)) < 0.15)] = "valid"
    else:
        part = rng.choice(["train", "valid", "test"], len(frame), p=[0.6, 0.2, 0.2])
    return frame.select("text"), frame.select(TASKS[name]), part


def shipped_encoder():
    """Return what gives texts the vectors of the model in WordLlama's wheel."""
    import wordllama

    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True).embed


def accuracy(predicted, y):
    return [float(np.mean(predicted[:, j] == y.to_numpy()[:, j])) for j in range(y.shape[1])]


def regression(train, valid, judged):
    """Return the accuracy of the best of several settings, by the validation part."""
    (X, y), found = train, []
    for n_words, C in CHOICES:
        vectorizer = TfidfVectorizer(ngram_range=(1, n_words), sublinear_tf=True)
        words = vectorizer.fit_transform(X["text"])
        model = LogisticRegression(C=C, max_iter=500).fit(words, y.to_series())
        of_valid, of_judged = (
            model.score(vectorizer.transform(X["text"]), y.to_series()) for X, y in (valid, judged)
        )
        found.append((of_valid, of_judged))
    return max(found)[1]


def network(train, judged, seed, options):
    model = MultiTaskAttentionClassifier(text_features=["text"], random_state=seed, **options)
    (X, y), (X_judged, y_judged) = train, judged
    predicted = model.fit(X, y if y.width > 1 else y.to_series()).predict(X_judged)
    return accuracy(predicted.reshape(len(X_judged), -1), y_judged)


def compare(name, part, seed, rivals, n_rows, options):
    X, y, parts = read(name, seed)
    if n_rows is not None:  # of the training part, drawn at random
        rng = np.random.default_rng(seed)
        parts[rng.permutation(np.flatnonzero(parts == "train"))[n_rows:]] = "left out"
    shown = (str(value) if name != "text_encoder" else name for name, value in options.items())
    ours = ", ".join(shown) or "attention"

    def of(which, tasks):
        rows = parts == which
        return X.filter(rows), y.filter(rows).select(tasks)

    def show(model, tasks, scores, start):
        for task, score in zip(tasks, scores, strict=True):
            seconds = time.process_time() - start
            print(f"{name:10} {task:8} seed {seed}  {model:22} {score:.4f}  {seconds:6.1f} s")

    for task in TASKS[name]:
        if rivals:
            start = time.process_time()
            score = regression(*(of(which, [task]) for which in ("train", "valid", part)))
            show("TF-IDF + regression", [task], [score], start)
        start = time.process_time()
        scores = network(of("train", [task]), of(part, [task]), seed, options)
        show(ours, [task], scores, start)
    if len(TASKS[name]) > 1:
        start = time.process_time()
        tasks = TASKS[name]
        scores = network(of("train", tasks), of(part, tasks), seed, options)
        show(f"{ours}, together", tasks, scores, start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["validation", "test"], default="validation")
    parser.add_argument("--sets", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, help="texts to train on (default: all)")
    parser.add_argument("--attention", help="kind of attention (default: the default)")
    parser.add_argument("--encoder", action="store_true", help="with WordLlama as text_encoder")
    parser.add_argument("--epochs", type=int, help="passes, instead of early stopping")
    arguments = parser.parse_args()
    options = {} if arguments.attention is None else {"attention": arguments.attention}
    if arguments.epochs is not None:
        options |= {"max_epochs": arguments.epochs, "early_stopping": False}
    if arguments.encoder:
        options["text_encoder"] = shipped_encoder()
    part = {"validation": "valid", "test": "test"}[arguments.part]
    for name in arguments.sets:
        for seed in range(arguments.seeds):
            rivals = not options and (seed == 0 or name == "sms_spam")
            compare(name, part, seed, rivals, arguments.rows, options)


if __name__ == "__main__":
    main()
