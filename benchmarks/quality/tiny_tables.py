"""How many steps should a fit of fewer than 500 rows take?

Nothing stops such a fit, so the number of steps is its regularisation. Three-fold log loss, or R2
for numbers, at several numbers of steps, beside HistGradientBoosting at its defaults, on tables
that come with scikit-learn.
"""

import argparse

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import cross_val_score

from sk_attention import MultiTaskAttentionClassifier, MultiTaskAttentionRegressor

CLASSES = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
}
NUMBERS = {
    "diabetes": datasets.load_diabetes,
    "friedman1": lambda return_X_y: datasets.make_friedman1(300, noise=1.0, random_state=0),
    "friedman1, 60 rows": lambda return_X_y: datasets.make_friedman1(60, noise=0.5, random_state=1),
    "linear": lambda return_X_y: datasets.make_regression(200, 10, noise=5.0, random_state=0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[30, 50, 100])
    args = parser.parse_args()
    print("| table | score | " + " | ".join(f"{n} steps" for n in args.steps) + " | boosting |")
    print("|---" * (3 + len(args.steps)) + "|")
    for tables, ours, peer, scoring, name in [
        (
            CLASSES,
            MultiTaskAttentionClassifier,
            HistGradientBoostingClassifier,
            "neg_log_loss",
            "log loss, less is better",
        ),
        (
            NUMBERS,
            MultiTaskAttentionRegressor,
            HistGradientBoostingRegressor,
            "r2",
            "R2, more is better",
        ),
    ]:
        for table, load in tables.items():
            X, y = load(return_X_y=True)
            rows = np.random.default_rng(0).permutation(len(y))[:400]
            models = [ours(random_state=0, max_epochs=n) for n in args.steps]
            sign = -1 if scoring.startswith("neg_") else 1
            scores = [
                sign * cross_val_score(model, X[rows], y[rows], scoring=scoring, cv=3).mean()
                for model in [*models, peer(random_state=0)]
            ]
            print(f"| {table} | {name} | " + " | ".join(f"{s:.3f}" for s in scores) + " |")


if __name__ == "__main__":
    main()
