"""Two diagnoses, many of them missing, with probabilities to rely on
===================================================================

2,126 recordings of the heartbeat of unborn children: for each a state (normal, suspect, pathologic)
and one of ten patterns. Two in three states are taken away from the training rows, as if only some
had been examined. What a probability of 0.8 is worth is measured by the expected calibration error
(ECE), beside scikit-learn's HistGradientBoostingClassifier on the rows where each label is known.

The recordings (Cardiotocography, UCI, CC BY 4.0) are read from the folder that SK_ATTENTION_DATA
names.
"""

# %%
# Without the folder there is nothing to show.
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from sk_attention import MultiTaskAttentionClassifier

SET = "multitask/cardiotocography/cardiotocography.parquet"
if not (table := Path(os.environ.get("SK_ATTENTION_DATA", ".")) / SET).exists():
    sys.exit(f"Set SK_ATTENTION_DATA to a folder that holds {SET}.")

frame = pl.read_parquet(table)
X = frame.drop("CLASS", "NSP").to_numpy()
states = {1: "normal", 2: "suspect", 3: "pathologic"}
y = pd.DataFrame(
    {
        "state": [states[code] for code in frame["NSP"].to_list()],
        "pattern": [f"pattern {code:.0f}" for code in frame["CLASS"].to_list()],
    }
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, random_state=0)
y_train = y_train.reset_index(drop=True)
hidden = np.random.default_rng(0).random(len(y_train)) < 2 / 3
y_train.loc[hidden, "state"] = None
print(f"{len(y_train)} rows to train on, {y_train['state'].notna().sum()} of them with a state")

# %%
# One fit for both, and one boosted model for each on the rows where its label is known.
model = MultiTaskAttentionClassifier(random_state=0, max_epochs=40, refit=False)
model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
boosted = {}
for task in y:
    known = y_train[task].notna()
    boosted[task] = HistGradientBoostingClassifier(random_state=0).fit(
        X_train[known], y_train.loc[known, task]
    )


def log_loss(log_probabilities, codes):
    """Return the mean of minus the log probability of the right class."""
    return -log_probabilities[np.arange(len(codes)), codes].mean()


def tempered(logs, codes, others):
    """Return log probabilities with the temperature that suits validation rows best."""
    best = minimize_scalar(
        lambda t: log_loss(log_softmax(logs / t, axis=1), codes), bounds=(0.2, 5), method="bounded"
    )
    return log_softmax(others / best.x, axis=1)


def bins_of(probabilities, codes, n_bins=10):
    """Return confidence, accuracy and share of the rows in bins of the largest probability."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    found = [(sure[own].mean(), right[own].mean(), own.mean()) for own in _each(bins)]
    return np.array(found)


def _each(bins):
    return [bins == number for number in np.unique(bins)]


def ece(curve):
    """Return the expected calibration error: |confidence - accuracy|, weighted by share."""
    return float(np.abs(curve[:, 0] - curve[:, 1]) @ curve[:, 2])


rows, curves, tables = {}, {}, {}
ours_val, ours_test = (model.predict_log_proba(own) for own in (X_val, X_test))
for task, name in enumerate(y):
    classes = model.classes_[task]
    codes_val, codes = (np.searchsorted(classes, own[name]) for own in (y_val, y_test))
    theirs = boosted[name]
    pairs = {
        "attention": (ours_val[task], ours_test[task]),
        "boosted": tuple(np.log(theirs.predict_proba(own)) for own in (X_val, X_test)),
    }
    for who, (logs_val, logs) in pairs.items():
        after = tempered(logs_val, codes_val, logs)
        curves[name, who] = bins_of(np.exp(after), codes)
        rows[name, who] = {
            "accuracy": np.mean(logs.argmax(axis=1) == codes),
            "log loss": log_loss(logs, codes),
            "ECE": ece(bins_of(np.exp(logs), codes)),
            "log loss, tempered": log_loss(after, codes),
            "ECE, tempered": ece(curves[name, who]),
        }
        if who == "attention":
            tables[name] = pd.DataFrame(np.exp(after), columns=classes)
print(f"\n{pd.DataFrame(rows).T.round(3).to_string()}")

# %%
# Of the recordings that the model calls normal with 95 % or more, how many are not?
sure = tables["state"]["normal"].to_numpy() >= 0.95
wrong = np.mean(y_test["state"].to_numpy()[sure] != "normal")
print(f"\nCalled normal with 95 % or more: {sure.mean():.0%} of all; {wrong:.1%} of them are not.")

# %%
# A picture and the probabilities.
folder = Path("runs") / "diagnoses"
folder.mkdir(parents=True, exist_ok=True)
pd.concat(tables.values(), axis=1).to_csv(folder / "predictions.csv", index_label="recording")
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for ax, name in zip(axes, y, strict=True):
        ax.plot([0.2, 1], [0.2, 1], color="0.7")
        for who in ("attention", "boosted"):
            confidence, accuracy, share = curves[name, who].T
            ax.plot(confidence, accuracy, label=who)
            ax.scatter(confidence, accuracy, s=10 + 300 * share)
        ax.set(title=name, xlabel="probability told", ylabel="share that is right")
        ax.legend()
    figure.savefig(folder / "attention.png", dpi=80)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
