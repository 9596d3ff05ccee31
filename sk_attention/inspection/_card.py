"""Whether an explanation may be shown to people, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

# What an explanation must reach (docs/decisions/0017-explainable-models.md).
LEAST_AGREEMENT = 0.5
MOST_BEHIND_GRADIENTS = 0.02


def objections(found: Any, task: int) -> list[str]:
    """Return what speaks against showing the explanation of a task to people.

    Parameters
    ----------
    found : Bunch
        What `faithfulness` returned.
    task : int
        The task.

    Returns
    -------
    objections : list of str
        None if it may be shown.
    """
    checks = {
        "the model is no better than a guess": found.skill[task, 1] > found.chance[task],
        "deleting what it names hurts no more than deleting at random": (
            found.deletion_gain[task, 1] > 0.0
        ),
        "deleting what gradients name hurts clearly more": (
            found.gradient_gain[task, 0] >= -MOST_BEHIND_GRADIENTS
        ),
        "it names other features than permutation importance": (
            found.agreement[task] >= LEAST_AGREEMENT
        ),
        "another seed names other features": (
            found.stability is None or found.stability[task] >= LEAST_AGREEMENT
        ),
    }
    return [objection for objection, passed in checks.items() if not passed]


def faithfulness_card(found: Any, path: Any = None) -> str:
    """Say on one page whether an explanation may be shown to people, and why.

    It may be shown for a task if all of this holds:

    1. The model is better than a guess: so is the whole 95 % interval of its skill.
    2. Deleting the features that it names hurts more than deleting at random: the whole interval
       of the difference between the areas below the deletion curves is above 0.
    3. It is at most 0.02 behind integrated gradients in that area.
    4. What it names on average is what permutation importance names: a correlation over the
       features of 0.5 at least.
    5. So it is with fits with other seeds, if they were measured.

    Parameters
    ----------
    found : Bunch
        What `faithfulness` returned.
    path : str or path-like, default=None
        Where to write the card, as Markdown in UTF-8; None writes nothing.

    Returns
    -------
    card : str
        The card, as Markdown.

    See Also
    --------
    faithfulness : Measures what the card sums up.

    Examples
    --------
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import faithfulness, faithfulness_card
    >>> data = make_planted_tasks(n_samples=400, n_features=6, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(explainable=True, max_epochs=20, random_state=0)
    >>> found = faithfulness(model.fit(X[:200], y[:200]), X[200:], y[200:], random_state=0)
    >>> print(faithfulness_card(found).splitlines()[0])
    # How faithful: contribution
    """
    lines = [f"# How faithful: {found.method}", ""]
    for task, name in enumerate(found.task_names):
        against = objections(found, task)
        verdict = f"do not show: {'; '.join(against)}" if against else "may be shown"
        lines.append(f"- **{name}**: {verdict}.")
    rows = [cells(found, task) for task in range(len(found.task_names))]
    names = list(rows[0])
    lines += ["", _line(names), _line(["---"] * len(names)), *(_line(row.values()) for row in rows)]
    card = "\n".join(lines) + "\n"
    if path is not None:
        Path(path).write_text(card, encoding="utf-8")
    return card


def cells(found: Any, task: int) -> dict[str, str]:
    """Return one line of the table: what was measured for a task.

    Parameters
    ----------
    found : Bunch
        What `faithfulness` returned.
    task : int
        The task.

    Returns
    -------
    cells : dict of str to str
        From what it is to what was found, in the order of the columns.
    """
    line = {
        "task": str(found.task_names[task]),
        "skill": _interval(found.skill[task]),
        "guess": f"{found.chance[task]:.2f}",
        "gain over random": _interval(found.deletion_gain[task]),
        "gain over gradients": _interval(found.gradient_gain[task]),
        "agrees with permutation": f"{found.agreement[task]:.2f}",
    }
    if found.stability is not None:
        line["agrees over seeds"] = f"{found.stability[task]:.2f}"
        line["lost without attention"] = _interval(found.uniform_loss[task])
    if found.precision is not None:
        line["precision"] = f"{found.precision[task]:.2f}"
    largest = np.argsort(-found.importances[task], kind="stable")[:3]
    line["names most"] = ", ".join(found.feature_names[j] for j in largest)
    return line


def _interval(values: Any) -> str:
    return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]"


def _line(cells: Any) -> str:
    """Return a line of a table in Markdown, in which a bar would end a cell."""
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
