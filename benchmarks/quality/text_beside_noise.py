"""Do explainable models give the credit to the words that decide, or to the columns beside them?

Texts of six or so words that decide two tasks, mood and topic, beside a category and two columns of
noise. Told are the share of the mean size of contributions that went to the text, and the accuracy
on fresh rows.

    python -m benchmarks.quality.text_beside_noise --rows 120 600 2000
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import MultiTaskAttentionClassifier

MOODS = (["dire", "tedious", "awkward"], ["splendid", "delightful", "moving"])
TOPICS = (["plot", "director", "camera"], ["dessert", "kitchen", "menu"])
FILLER = ["this", "one", "in", "is", "so", "for", "now", "once", "here"]


def texts(n_rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table with a text, and the two labels."""
    mood, topic = rng.integers(0, 2, (2, n_rows))
    rows = []
    for good, food in zip(mood, topic, strict=True):
        words = [*rng.choice(FILLER, rng.integers(2, 7))]
        words += [rng.choice(MOODS[good]), rng.choice(TOPICS[food])]
        rows.append(" ".join(rng.permutation(words)))
    X = pd.DataFrame({"size": rng.normal(size=n_rows), "text": rows})
    X["noise"], X["shop"] = rng.normal(size=n_rows), rng.choice(["a", "b", "c"], n_rows)
    return X, np.column_stack([mood, topic])


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--rows", type=int, nargs="+", default=[120, 600])
    options.add_argument("--kinds", nargs="+", default=["cross", "double"])
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for n_rows in chosen.rows:
        for kind in chosen.kinds:
            rng = np.random.default_rng(chosen.seed)
            (X, y), (fresh, labels) = texts(n_rows, rng), texts(1000, rng)
            model = MultiTaskAttentionClassifier(
                kind, explainable=True, text_features=["text"], random_state=chosen.seed
            ).fit(X, y)
            share = model.contribution_weights_[:, list(X).index("text")]
            record: Record = {"rows": n_rows, "attention": kind}
            record["to the text"] = ", ".join(f"{own:.2f}" for own in share)
            record["accuracy"] = f"{model.score(fresh, labels):.3f}"
            records.append(record)
            print(record, flush=True)
    report("Credit of texts beside noise", records, chosen)


if __name__ == "__main__":
    main()
