"""How long do many rows take to predict, beside HistGradientBoostingClassifier?

Both at their defaults, trained on 10,000 rows, encoding and checks included; and ours with matrix
products in bf16, for processors that are fast at them.

    python -m benchmarks.speed.predict --rows 20000 --repeats 3
"""

from __future__ import annotations

from functools import partial

from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks._common import (
    Record,
    interleaved,
    median_ratio,
    parser,
    random_table,
    report,
    set_threads,
    summary,
)
from sk_attention import MultiTaskAttentionClassifier

N_TRAIN = 10_000


def main() -> None:
    options = parser(__doc__, repeats=5)
    options.add_argument("--rows", type=int, default=100_000, help="rows to predict for")
    options.add_argument("--columns", type=int, default=20)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    X, y = random_table(N_TRAIN + chosen.rows, chosen.columns, 1, chosen.seed)
    ours = MultiTaskAttentionClassifier(max_epochs=1, random_state=chosen.seed)
    models = {
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(random_state=chosen.seed),
        "MultiTaskAttentionClassifier": ours,
        "the same, precision='bf16'": MultiTaskAttentionClassifier(
            max_epochs=1, precision="bf16", random_state=chosen.seed
        ),
    }
    cases = {}
    for name, model in models.items():
        model.fit(X[:N_TRAIN], y[:N_TRAIN])
        cases[name] = partial(_predict, model, X[N_TRAIN:])
    seconds = interleaved(cases, chosen.repeats)
    peer = seconds["HistGradientBoostingClassifier"]
    records: list[Record] = [
        {"model": name, **summary(own), "x boosting": median_ratio(own, peer)}
        for name, own in seconds.items()
    ]
    report(f"Predicting {chosen.rows} rows", records, chosen)


def _predict(model, X) -> None:
    model.predict_proba(X)


if __name__ == "__main__":
    main()
