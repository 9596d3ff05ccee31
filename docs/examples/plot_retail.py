"""What will a customer buy next?
=================================

A year of purchases by 800 customers of a shop for gifts. A recommender learns from what each
customer bought before, and when; beside it stands what is popular, and what was so lately. The
cut is one in time: nothing that happened after it is known to anybody.
"""

# %%
# The data ships with the package. What is asked for is each customer's first purchase after the
# cut.
import time
from pathlib import Path

import pandas as pd

from sk_attention import AttentionRecommender, PopularRecommender
from sk_attention.datasets import load_online_retail
from sk_attention.metrics import bootstrap_interval, hit_rate_at_k, ndcg_at_k
from sk_attention.model_selection import GlobalTemporalSplit

purchases = load_online_retail()
X = purchases.data[["user_id", "item_id", "timestamp"]]
names = purchases.item_features.set_index("item_id")["description"].str.capitalize()
((train, test),) = GlobalTemporalSplit(n_splits=1, targets="first").split(X)
X_train, X_test = X.iloc[train], X.iloc[test]
print(
    f"{len(X_train)} purchases of {X_train['item_id'].nunique()} products to learn from, "
    f"{len(X_test)} customers to foretell the next purchase of"
)

# %%
# The network is smaller than by default, and trained more briefly: this takes half a minute.
# People buy the same again, so nothing is left out of the ranking: `filter_seen=False`.
start = time.perf_counter()
model = AttentionRecommender(
    embedding_dim=32,
    n_layers=1,
    max_history=30,
    max_epochs=10,
    refit=False,
    random_state=0,
).fit(X_train)
print(f"\nAttentionRecommender: {time.perf_counter() - start:.1f} s, {model.n_iter_} passes")

models = {
    "attention": model,
    "popular lately": PopularRecommender(half_life=0.1).fit(X_train),
    "popular": PopularRecommender().fit(X_train),
}
rows = {}
for name, fitted in models.items():
    ranks = fitted.target_ranks(X_test, filter_seen=False)
    ndcg = ndcg_at_k(*ranks, average=None)
    low, high = bootstrap_interval(ndcg, random_state=0)
    rows[name] = {
        "NDCG@10": f"{ndcg.mean():.4f}",
        "95 %": f"{low:.3f} to {high:.3f}",
        "hit rate@10": f"{hit_rate_at_k(*ranks):.3f}",
    }
print(f"\n{pd.DataFrame(rows).T.to_string()}")

# %%
# A customer we know, and one that comes for the first time: nothing is trained for either.
known = X_test["user_id"].iloc[0]
bought = X_train[X_train["user_id"] == known]
newcomer = list(names.index[names.str.contains("Christmas")][:3])


def told(items, scores):
    """Print items with their scores."""
    for item, score in zip(items, scores, strict=True):
        print(f"  {score:6.2f}  {names[item]}")


print(f"\nCustomer {known} bought last:")
for item in bought["item_id"].iloc[:-4:-1]:
    print(f"          {names[item]}")
print("and may buy next, of what is new to them:")
told(*(part[0] for part in model.recommend([known], k=5)))

print("\nSomebody new has bought:")
for item in newcomer:
    print(f"          {names[item]}")
print("and may buy next:")
told(*(part[0] for part in model.recommend(histories=[newcomer], k=5)))

# %%
# Where the recommendation for a customer looks: the purchases with the largest weights. They tell
# what is read, not by itself what decides.
explained = model.explain(X_test.iloc[:1])
looked = pd.DataFrame({"weight": explained.weights[0], "item": explained.history[0]})
looked = looked[looked["item"].notna()]
looked["bought"] = looked["item"].map(names)
looked.index = pd.Index(looked.index + 1, name="purchases ago")
print(f"\nWhat the recommendation for customer {known} looks at:")
print(looked.nlargest(6, "weight")[["weight", "bought"]].round(3).to_string())

# %%
# A picture and the recommendations, for you to open.
folder = Path("runs") / "retail"
folder.mkdir(parents=True, exist_ok=True)
items, scores = model.recommend(X_test["user_id"], k=10, filter_seen=False)
predictions = pd.DataFrame(
    {
        "user_id": X_test["user_id"].repeat(10).to_numpy(),
        "item_id": items.ravel(),
        "score": scores.ravel(),
    }
)
predictions["description"] = predictions["item_id"].map(names)
predictions.to_csv(folder / "predictions.csv", index=False)
written = "predictions.csv"
try:
    import matplotlib.pyplot as plt
except ImportError:
    print("\nNo picture: pip install 'sk-attention[plot]'")
else:
    figure, (one, mean) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    shown = looked.nlargest(10, "weight").iloc[::-1]
    one.barh([f"{name[:28]} ({lag})" for lag, name in shown["bought"].items()], shown["weight"])
    one.set(title=f"Customer {known}: purchases (how many ago)", xlabel="attention")
    mean.bar(range(1, model.max_history + 1), model.attention_weights_[0])
    mean.set(title="All customers", xlabel="purchases ago", ylabel="attention, mean")
    figure.savefig(folder / "attention.png", dpi=150)
    written = "attention.png, predictions.csv"
print(f"\nWritten to {folder.resolve()}: {written}")
