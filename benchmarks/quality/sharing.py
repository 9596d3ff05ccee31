"""Does a task with few labels gain from others, and does omega say from which?

2,000 rows, 10 columns, three tasks: A; B, which is A with noise, with 60 labels; C, a coin flip.
Prints omega and B's ROC AUC on 2,000 fresh rows, learned with the others and alone on the same
rows.
"""

import argparse

import numpy as np
from sklearn.metrics import roc_auc_score

from sk_attention import MultiTaskAttentionClassifier


def three_tasks(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4000, 10))
    rule = X[:, 0] * X[:, 1] + X[:, 2]
    a = (rule > 0).astype(float)
    b = (rule + 0.3 * rng.normal(size=len(X)) > 0).astype(float)
    y = np.column_stack([a, b, rng.integers(0, 2, len(X))])
    y[60:2000, 1] = np.nan
    return X[:2000], y[:2000], X[2000:], b[2000:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    print("| seed | omega of A, B, C | AUC of B, together | AUC of B, alone | passes |")
    print("|---|---|---|---|---|")
    for seed in range(args.seeds):
        X, y, X_test, b_test = three_tasks(seed)
        sizes = {"n_members": 4, "hidden_layer_sizes": (64, 64), "random_state": seed}
        joint = MultiTaskAttentionClassifier(**sizes).fit(X, y)
        alone = MultiTaskAttentionClassifier(**sizes).fit(X, y[:, 1])
        together = roc_auc_score(b_test, joint.predict_proba(X_test)[1][:, 1])
        single = roc_auc_score(b_test, alone.predict_proba(X_test)[:, 1])
        omega = " ".join(f"{weight:.2f}" for weight in joint.task_weights_)
        print(f"| {seed} | {omega} | {together:.3f} | {single:.3f} | {joint.n_iter_} |", flush=True)


if __name__ == "__main__":
    main()
