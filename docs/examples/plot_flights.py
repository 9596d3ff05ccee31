"""Late departure, late arrival, cancelled: three tasks of one flight
=====================================================================

About 10,000 flights that were to leave New York in 2013. Whether a flight departs late, arrives
late or is cancelled hangs together, and a cancelled flight has no delay: two of its three labels
are missing. One model learns the three tasks from numbers and categories as they come; beside it,
scikit-learn's HistGradientBoostingClassifier is fitted to each task alone.
"""

# %%
# The data ships with the package.
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import load_flights
from sk_attention.inspection import AttentionDisplay, attention_shift, faithfulness, report

X, y = load_flights(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
print(f"{len(X_train)} flights to train on, {len(X_test)} to test; {X.shape[1]} features:")
print(", ".join(f"{name} ({dtype})" for name, dtype in X.dtypes.items()))
for task in y:
    missing = f"{y[task].isna().mean():.1%} missing"
    print(f"  {task}: {y[task].mean():.1%} yes, {missing}")

# %%
# One fit for all tasks; missing labels are left out task by task.
start = time.perf_counter()
model = MultiTaskAttentionClassifier(random_state=0).fit(X_train, y_train)
print(
    f"\nMultiTaskAttentionClassifier: {time.perf_counter() - start:.1f} s, {model.n_iter_} passes"
)

# %%
# Beside it, a boosted model for each task on the rows where its label is known.
start = time.perf_counter()
boosted = {}
for task in y:
    known = y_train[task].notna()
    labels = y_train.loc[known, task].astype(int)
    boosted[task] = HistGradientBoostingClassifier(random_state=0).fit(X_train[known], labels)
print(f"HistGradientBoostingClassifier, one per task: {time.perf_counter() - start:.1f} s\n")

rows = []
for task, ours in zip(y, model.predict_proba(X_test), strict=True):
    known = y_test[task].notna().to_numpy()
    truth = y_test.loc[known, task].astype(int)
    theirs = boosted[task].predict_proba(X_test[known])[:, 1]
    rows.append(
        {
            "task": task,
            "ROC AUC": roc_auc_score(truth, ours[known, 1]),
            "boosted": roc_auc_score(truth, theirs),
            "log loss": log_loss(truth, ours[known, 1]),
            "boosted ": log_loss(truth, theirs),
        }
    )
scores = pd.DataFrame(rows).set_index("task")
scores.loc["mean"] = scores.mean()
print(scores.round(4).to_string())

# %%
# Where each task looks. Attention says what a task reads, not by itself what decides: see the
# guide for how far it may be trusted.
print("\nFeatures each task attends to:")
for task, weights in zip(model.task_names_, model.attention_weights_, strict=True):
    top = np.argsort(-weights)[:5]
    features = ", ".join(f"{model.feature_names_in_[j]} {weights[j]:.2f}" for j in top)
    print(f"  {task:15s} {features}")

shift = attention_shift(model, X_test)
print("\nHow attention shifts between the tasks (bits; 0 = they look alike, 1 = never):")
print(pd.DataFrame(shift.pairwise, model.task_names_, model.task_names_).round(3).to_string())
omega = zip(model.task_names_, model.task_weights_, strict=True)
print("Weight of each task in what they share:", ", ".join(f"{t} {w:.2f}" for t, w in omega))

# %%
# A picture, the predictions and a page on all of it, for you to open. Whether attention may be
# shown as a reason is measured on some rows; the page says what came out.
folder = Path("runs") / "flights"
folder.mkdir(parents=True, exist_ok=True)
AttentionDisplay.from_estimator(model).figure_.savefig(folder / "attention.png", dpi=150)
predictions = pd.DataFrame(
    {task: p[:, 1] for task, p in zip(y, model.predict_proba(X_test), strict=True)},
    index=X_test.index,
)
predictions.to_csv(folder / "predictions.csv", index_label="flight")
found = faithfulness(model, X_test[:400], y_test[:400], n_repeats=1, random_state=0)
report(
    model,
    X_test,
    y_test,
    folder / "report.html",
    title="Flights from New York, 2013",
    found=found,
    random_state=0,
)
print(f"\nWritten to {folder.resolve()}: attention.png, predictions.csv, report.html")
