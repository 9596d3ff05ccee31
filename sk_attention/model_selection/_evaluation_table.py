"""The figures of an evaluation: a list of dictionaries that prints as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Evaluation(list[dict[str, Any]]):
    """Scores of recommenders, one dictionary each, that print as a table.

    Parameters
    ----------
    records : sequence of dict
        As `evaluate` returns them.
    confidence : float
        Probability that an interval should hold the true mean.

    Attributes
    ----------
    confidence : float
        The parameter.
    """

    def __init__(self, records: Sequence[dict[str, Any]], confidence: float) -> None:
        super().__init__(records)
        self.confidence = confidence

    def __repr__(self) -> str:
        """Return one table for each group of questions."""
        groups = dict.fromkeys(record["group"] for record in self)
        return "\n\n".join(self._table(group) for group in groups)

    def _table(self, group: str) -> str:
        records = [record for record in self if record["group"] == group]
        names = list(dict.fromkeys(record["recommender"] for record in records))
        compared = [
            name for name in names if any(_is_of(r, name) and r["baseline"] for r in records)
        ]
        rows = [["", *names, *(f"{name} - better baseline" for name in compared)]]
        for metric in dict.fromkeys(record["metric"] for record in records):
            of_metric = [record for record in records if record["metric"] == metric]
            cells = [
                _cell(record["score"], record["low"], record["high"], "")
                for name in names
                for record in of_metric
                if _is_of(record, name)
            ]
            cells += [
                _cell(
                    record["difference"], record["difference_low"], record["difference_high"], "+"
                )
                for name in compared
                for record in of_metric
                if _is_of(record, name)
            ]
            rows.append([f"{metric}@{of_metric[0]['k']}", *cells])
        asked = max(records, key=lambda record: record["n_questions"])
        title = f"{group}: {asked['n_questions']} questions, {asked['n_users']} users"
        return "\n".join([f"{title} [{100 * self.confidence:g} % intervals]", *_aligned(rows)])


def _is_of(record: dict[str, Any], name: str) -> bool:
    return bool(record["recommender"] == name)


def _cell(value: float, low: float, high: float, sign: str) -> str:
    if value != value:
        return ""
    interval = f" [{low:{sign}.3f}, {high:{sign}.3f}]" if low == low else ""
    return f"{value:{sign}.3f}{interval}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
