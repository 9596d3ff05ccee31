"""What does the customer want, and who has asked before?
========================================================

Requests to an assistant: each has an intent, such as "freeze account", and a domain, such as
banking; some are about nothing that it can do. One model reads the words and tells both; how sure
it is says whether a request is out of scope; and what it has read finds the request on file that is
nearest, whose answer can be given again. Beside it: TF-IDF and LogisticRegression.

The requests (CLINC150, CC BY 3.0) are read from the folder that SK_ATTENTION_DATA names. To take a
minute, this script reads three domains of the ten, with 40 requests on file for each intent.
"""

# %%
# Without the folder there is nothing to show.
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from sk_attention import MultiTaskAttentionClassifier

SET = "text/clinc150/clinc150.parquet"
if not (table := Path(os.environ.get("SK_ATTENTION_DATA", ".")) / SET).exists():
    sys.exit(f"Set SK_ATTENTION_DATA to a folder that holds {SET}.")

frame = pl.read_parquet(table).sample(fraction=1.0, shuffle=True, seed=0)
domains = sorted(set(frame["domain"].to_list()) - {"oos"})[:3]
known = frame.filter(pl.col("domain").is_in(domains))
filed = known.filter(pl.col("split") == "train").group_by("intent", maintain_order=True).head(40)
asked = known.filter(pl.col("split") == "test")
rest = known.filter(pl.col("split") == "valid")
strange = frame.filter((pl.col("in_scope") == 0) & (pl.col("split") == "test")).head(500)
tasks = ["intent", "domain"]
X, X_val, X_test, X_strange = (
    pd.DataFrame({"text": own["text"].to_list()}) for own in (filed, rest, asked, strange)
)
y, y_val, y_test = (
    pd.DataFrame({task: own[task].to_list() for task in tasks}) for own in (filed, rest, asked)
)
print(f"{len(X)} requests on file: {y['intent'].nunique()} intents of {', '.join(domains)}")

# %%
# One fit for both tasks, from raw text. Validation requests tell when to stop.
start = time.process_time()
model = MultiTaskAttentionClassifier(
    text_features=["text"], n_members=4, max_epochs=40, n_iter_no_change=6, random_state=0
).fit(X, y, X_val=X_val, y_val=y_val)
print(f"MultiTaskAttentionClassifier: {time.process_time() - start:.0f} s of CPU")

# %%
# The baseline: one model for each task, of words and pairs of words, as strong as suits the
# validation requests best.
vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
tfidf = vectorizer.fit_transform(X["text"])
tfidf_val, tfidf_test, tfidf_strange = (
    vectorizer.transform(own["text"]) for own in (X_val, X_test, X_strange)
)
linear = {}
for task in tasks:
    tried = [LogisticRegression(C=C, max_iter=200).fit(tfidf, y[task]) for C in (3, 10, 30, 100)]
    linear[task] = max(tried, key=lambda own: own.score(tfidf_val, y_val[task]))


def nearest(on_file, requests):
    """Return the position of the nearest request on file, by the cosine."""
    search = NearestNeighbors(n_neighbors=1, metric="cosine").fit(on_file)
    return search.kneighbors(requests, return_distance=False)[:, 0]


def rejects(known, unknown):
    """Return how well the largest probability tells known intents from others."""
    sure = np.concatenate([own.max(axis=1) for own in (known, unknown)])
    return roc_auc_score(np.repeat([1, 0], [len(known), len(unknown)]), sure)


dim = model.transform(X.head(1)).shape[1] // 2  # what the first task, the intent, has read
vectors, vectors_test = (model.transform(own)[:, :dim] for own in (X, X_test))
found = {"attention": nearest(vectors, vectors_test), "TF-IDF": nearest(tfidf, tfidf_test)}
predicted = pd.DataFrame(model.predict(X_test), columns=tasks)
told = {
    "attention": predicted,
    "TF-IDF": pd.DataFrame({task: own.predict(tfidf_test) for task, own in linear.items()}),
}
scope = {
    "attention": rejects(model.predict_proba(X_test)[0], model.predict_proba(X_strange)[0]),
    "TF-IDF": rejects(*(linear["intent"].predict_proba(t) for t in (tfidf_test, tfidf_strange))),
}
rows = {
    who: {
        "intent": np.mean(told[who]["intent"] == y_test["intent"]),
        "domain": np.mean(told[who]["domain"] == y_test["domain"]),
        "out of scope, AUROC": scope[who],
        "nearest is of the same intent": np.mean(
            y["intent"].to_numpy()[found[who]] == y_test["intent"]
        ),
    }
    for who in told
}
print(f"\n{pd.DataFrame(rows).T.round(3).to_string()}")

# %%
# What is answered, and the words that each task looks at.
for position in range(3):
    request, on_file = X_test["text"][position], X["text"][found["attention"][position]]
    print(f"\n{request}\n  -> {predicted['intent'][position]}; nearest on file: {on_file}")
words = model.attend(X_test.head(6), level="token")

folder = Path("runs") / "service"
folder.mkdir(parents=True, exist_ok=True)
predicted.assign(text=X_test["text"]).to_csv(folder / "predictions.csv", index=False)
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, axes = plt.subplots(3, 2, figsize=(11, 5.5), layout="constrained")
    for row, ax in enumerate(axes.flat):
        own = np.flatnonzero(words.row == row)
        ax.imshow(words.weights[own].T, cmap="Reds", vmin=0.0, aspect="auto")
        ax.set_xticks(range(len(own)), [words.token[k] for k in own], rotation=30, ha="right")
        ax.set_yticks([0, 1], tasks)
        ax.set_title(f"{predicted['intent'][row]}, {predicted['domain'][row]}", size=9)
    figure.savefig(folder / "attention.png", dpi=80)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
