"""What is predicted for a category that training did not show?

Tables of one categorical column and one to four numbers; the logit of the label is the category's
effect plus a function of the numbers. In training a share of the categories is hidden, so that
"unknown" is learned; with share 0 its vector stays zero. "distance" is between the probability for
an unknown category, numbers at 0, and the share of positive labels. Log loss is that of 2,000 rows
whose categories are drawn as in training: hidden ("unknown") or not ("known").

    python -m benchmarks.quality.unknown_categories --tables six --seeds 2
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import log_loss

from benchmarks._common import Record, parser, report, set_threads
from sk_attention import MultiTaskAttentionClassifier
from sk_attention.nn import tokens

TABLES = ("six", "six, no noise", "thirty, unequal", "many")


class Table:
    """A table by name: effects of its categories, their shares, and how many numbers."""

    def __init__(self, name: str, rng: np.random.Generator) -> None:
        self.rng = rng
        self.noise = "no noise" not in name
        if name.startswith("six"):
            self.effects, self.n_numbers = np.repeat([2.0, -2.0], 3), 1
        elif name.startswith("thirty"):
            self.effects, self.n_numbers = 2.0 * rng.normal(size=30), 3
        else:
            self.effects, self.n_numbers = 1.5 * rng.normal(size=150), 4
        n = len(self.effects)
        self.shares = rng.dirichlet(np.full(n, 0.5)) if "unequal" in name else np.full(n, 1 / n)

    @property
    def base_rate(self) -> float:
        """Share of positive labels where the numbers are 0."""
        positive = expit(self.effects) if self.noise else self.effects > 0
        return float(self.shares @ positive)

    def draw(self, n_rows: int) -> tuple[pd.DataFrame, np.ndarray]:
        """Return rows and labels."""
        numbers = self.rng.normal(size=(n_rows, self.n_numbers))
        chosen = self.rng.choice(len(self.effects), n_rows, p=self.shares)
        logit = self.effects[chosen] + 1.5 * numbers[:, 0]
        if self.n_numbers > 2:
            logit = logit + numbers[:, 1] * numbers[:, 2]
        y = self.rng.random(n_rows) < expit(logit) if self.noise else logit > 0
        return self.frame(numbers, [f"c{j}" for j in chosen]), y.astype(int)

    def frame(self, numbers: np.ndarray, categories: list[str]) -> pd.DataFrame:
        names = [f"x{j}" for j in range(self.n_numbers)]
        return pd.DataFrame(numbers, columns=names).assign(category=categories)


def one_fit(name: str, share: float, seed: int, n_rows: int, n_members: int) -> Record:
    """Fit once; return what the model makes of unknown and known categories."""
    table = Table(name, np.random.default_rng(1000 + seed))
    X, y = table.draw(n_rows)
    X_test, y_test = table.draw(2000)
    tokens.UNKNOWN_SHARE = share
    model = MultiTaskAttentionClassifier(n_members=n_members, random_state=seed).fit(X, y)
    neutral = table.frame(np.zeros((1, table.n_numbers)), ["new"])
    hidden = model.predict_proba(X_test.assign(category="new"))
    return {
        "distance": abs(model.predict_proba(neutral)[0, 1] - table.base_rate),
        "log loss, unknown": log_loss(y_test, hidden),
        "log loss, known": log_loss(y_test, model.predict_proba(X_test)),
    }


def main() -> None:
    options = parser(__doc__, repeats=None)
    options.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    options.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.02, 0.05])
    options.add_argument("--seeds", type=int, default=8)
    options.add_argument("--rows", type=int, default=2000)
    options.add_argument("--members", type=int, default=4)
    chosen = options.parse_args()
    set_threads(chosen.threads)
    records: list[Record] = []
    for name in chosen.tables:
        for share in chosen.shares:
            fits = pd.DataFrame(
                one_fit(name, share, seed, chosen.rows, chosen.members)
                for seed in range(chosen.seed, chosen.seed + chosen.seeds)
            )
            records.append({"table": name, "hidden": share, **fits.mean().round(4).to_dict()})
            print(records[-1], flush=True)
    report("Unknown categories", records, chosen)


if __name__ == "__main__":
    main()
