"""A stream of headlines, and an alarm on a surge of bad ones
============================================================

A model reads short texts as they come; a monitor adds up how much more of them are bad than usual,
and raises an alarm when that is more than chance explains. How often it does so without reason is
measured, not assumed.

Put `headlines.csv` into the folder that SK_ATTENTION_DATA names, with the columns `text` and
`sentiment` ("negative" is what alarms), and `topic` if you have it, which is then a second task. No
set of financial headlines that may be passed on was found, so without that file the same is shown
on other texts: SMS, of which spam is what alarms (SMS Spam Collection, UCI, CC BY 4.0). That says
how the monitor works, and nothing about finance.
"""

# %%
# Your headlines, or the stand-in.
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sk_attention import MultiTaskAttentionClassifier

root, SET = Path(os.environ.get("SK_ATTENTION_DATA", ".")), "text/sms_spam/sms_spam.parquet"
if (root / "headlines.csv").exists():
    texts = pd.read_csv(root / "headlines.csv")
    y = texts[[task for task in ("sentiment", "topic") if task in texts]]
    X, bad = texts[["text"]], "negative"
elif (root / SET).exists():
    frame = pl.read_parquet(root / SET).head(4000)
    X, bad = pd.DataFrame({"text": frame["text"].to_list()}), "spam"
    y = pd.DataFrame({"sentiment": frame["type"].to_list()})
    print("No headlines.csv: SMS stand in for headlines, spam for bad news.")
else:
    sys.exit(f"Set SK_ATTENTION_DATA to a folder that holds headlines.csv, or {SET}.")

# %%
# Half of the texts to learn from; a quarter to set the alarm with; a quarter for the test.
X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.5, random_state=0)
X_set, X_test, y_set, y_test = train_test_split(X_rest, y_rest, test_size=0.5, random_state=0)
model = MultiTaskAttentionClassifier(
    text_features=["text"],
    embedding_dim=64,
    n_members=4,
    max_epochs=20,
    refit=False,
    random_state=0,
).fit(X_train, y_train.squeeze("columns"))  # one column is one task
linear = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=30)
)
linear.fit(X_train["text"], y_train["sentiment"] == bad)


def of_sentiment(per_task):
    """Return the sentiment's part of what there is one of for each task."""
    return per_task[0] if isinstance(per_task, list) else per_task


def probability(X):
    """Return how probable it is that each text is bad."""
    column = list(of_sentiment(model.classes_)).index(bad)
    return of_sentiment(model.predict_proba(X))[:, column]


truth = (y_test["sentiment"] == bad).to_numpy()
told = {"attention": probability(X_test), "TF-IDF": linear.predict_proba(X_test["text"])[:, 1]}
rows = {
    who: {"ROC AUC": roc_auc_score(truth, own), "log loss": log_loss(truth, own)}
    for who, own in told.items()
}
print(f"\n{pd.DataFrame(rows).T.round(4).to_string()}")

# %%
# The monitor is a cumulative sum: of what each text exceeds the usual share by, less a slack, never
# below zero. Streams drawn from the quarter that is for this say where to raise the alarm: where
# 1 in 100 streams of 1,000 texts get there by chance.
rng = np.random.default_rng(0)
SLACK, LENGTH, SURGE = 0.1, 1000, 600


def path(stream, usual):
    """Return the cumulative sum after each text, along the last axis."""
    steps, total, sums = stream - usual - SLACK, np.zeros(stream.shape[:-1]), []
    for step in np.moveaxis(steps, -1, 0):
        total = np.maximum(total + step, 0.0)
        sums.append(total)
    return np.stack(sums, axis=-1)


usual, scores = probability(X_set), told["attention"]
calm = path(rng.choice(usual, size=(2000, LENGTH)), usual.mean())
limit = np.quantile(calm.max(axis=1), 0.99)

# %%
# On the test quarter: streams without a surge, and streams in which, from the 601st text on, bad
# texts are drawn two or three times as often.
quiet = path(rng.choice(scores, size=(2000, LENGTH)), usual.mean())
false_alarms = np.mean(quiet.max(axis=1) > limit)
print(f"\nStreams of {LENGTH} texts with an alarm but no surge: {false_alarms:.1%} (meant: 1 %)")
for factor in (2, 3):
    later = np.where(truth, factor, 1.0)
    surge = rng.choice(scores, size=(2000, LENGTH - SURGE), p=later / later.sum())
    before = rng.choice(scores, size=(2000, SURGE))
    surging = path(np.concatenate([before, surge], axis=1), usual.mean())
    early = surging[:, :SURGE].max(axis=1) > limit
    over = surging[~early, SURGE:] > limit
    caught = over.any(axis=1)
    delay = np.median(over[caught].argmax(axis=1) + 1) if caught.any() else np.nan
    print(
        f"Bad texts {factor} times as frequent: {caught.mean():.1%} of the surges caught, half of "
        f"them within {delay:.0f} texts"
    )

# %%
# A picture: one stream of each kind, and what the model looks at in a bad text.
folder = Path("runs") / "sentiment"
folder.mkdir(parents=True, exist_ok=True)
X_test.assign(probability=scores).to_csv(folder / "predictions.csv", index=False)
worst = X_test.iloc[np.argsort(-scores)[:1]]
words = model.attend(worst, level="token")
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, (stream, read) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    stream.plot(quiet[0], label="as usual")
    stream.plot(surging[0], label="a surge")
    stream.axhline(limit, color="0.5", linestyle="--", label="alarm")
    stream.axvline(SURGE, color="0.8")
    stream.set(title="the monitor", xlabel="text", ylabel="cumulative sum")
    stream.legend()
    top = np.argsort(-words.weights[:, 0])[:12][::-1]
    read.barh([str(words.token[k]) for k in top], words.weights[top, 0])
    read.set(title=f"what is read in the text most surely {bad}", xlabel="attention")
    figure.savefig(folder / "attention.png", dpi=80)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
