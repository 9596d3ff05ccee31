"""A page on a fitted model, for people who will not run code."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from sk_attention._random import draw_seed

from ._answers import Answers, answers, check_multi_task
from ._attention_shift import attention_shift
from ._counts import check_counts
from ._fairness import fairness
from ._faithfulness import faithfulness
from ._page import page
from ._report_content import attention, card, groups_alike, scores, shift
from ._report_rows import short, shown_rows
from ._token_model import check_columns_stay, feature_names

# Rows on which faithfulness is measured: more make the intervals narrower, and take longer.
MAX_MEASURED = 400


def report(
    estimator: Any,
    X: Any,
    y: Any,
    path: Any,
    *,
    title: str = "Attention report",
    found: Any = None,
    groups: Any = None,
    protected: Any = (),
    max_rows: int = 1000,
    max_columns: int = 100,
    random_state: Any = None,
) -> Path:
    """Write a page that shows how well a model does, where it looks, and why, row by row.

    One HTML file that opens from disk in any browser and asks nothing of a network: scores, the
    tasks' attention and how it shifts, the card of `faithfulness_card`, and all about single rows.
    The page holds the values of the rows it shows: give it to nobody who must not see them.

    Parameters
    ----------
    estimator : object
        A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
        `MultiTaskAttentionEstimator`.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows that were not trained on.
    y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
        Their labels; missing ones do not count and are shown as missing.
    path : str or path-like
        The file to write.
    title : str, default="Attention report"
        Title of the page.
    found : Bunch, default=None
        What `faithfulness` returned of this estimator, with ``train`` for example. None measures
        it, on 400 of the rows at the most; an estimator of one column has none.
    groups : array-like of shape (n_samples,), default=None
        The group of each row, for `fairness`; None leaves that out.
    protected : list of str or int, default=()
        Columns that should not decide, for `fairness`.
    max_rows : int, default=1000
        Rows that are shown, drawn from ``X`` if it has more; shift is measured on these, scores and
        fairness on all rows.
    max_columns : int, default=100
        Columns that are shown, those with the largest attention of any task; of the others there
        is the sum.
    random_state : int, RandomState or None, default=None
        Source of the rows and of what `faithfulness`, `fairness` and `attention_shift` draw.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    TypeError
        If the estimator is of another kind, such as a recommender.
    ValueError
        If a parameter, X or y breaks a rule, or the estimator was fitted on a sparse matrix.

    See Also
    --------
    faithfulness_card : The same verdict as Markdown.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import report
    >>> data = make_planted_tasks(n_samples=400, n_features=6, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(explainable=True, max_epochs=20, random_state=0)
    >>> model = model.fit(X[:200], y[:200])
    >>> path = os.path.join(tempfile.mkdtemp(), "report.html")
    >>> report(model, X[200:], y[200:], path, random_state=0).name
    'report.html'
    """
    _check(estimator, title, max_rows=max_rows, max_columns=max_columns)
    names = feature_names(estimator, estimator.n_features_in_)
    of_all = answers(estimator, X, y)
    n_rows = len(of_all[0].seen)
    seed = draw_seed(random_state)
    rows = _draw(n_rows, max_rows, seed)
    X_shown = _take(X, rows)
    if found is None and estimator.n_features_in_ > 1:
        some = _some_labelled(of_all, seed)
        found = faithfulness(estimator, _take(X, some), _take(y, some), random_state=seed)
    treated = None
    if groups is not None:
        treated = groups_alike(
            fairness(estimator, X, y, groups, protected=protected, random_state=seed)
        )
    elif len(protected):
        raise ValueError("protected says what fairness looks at, which needs groups: pass both.")
    columns = _largest(estimator.attention_weights_, max_columns)
    content = {
        "about": _about(estimator, n_rows, len(rows)),
        "tasks": [short(own.name) for own in of_all],
        "scores": scores(of_all),
        "attention": attention(estimator, [short(name) for name in names], columns),
        "groups": treated,
        "shift": shift(attention_shift(estimator, X_shown, random_state=seed)),
        "card": None if found is None else card(found),
        "rows": shown_rows(
            estimator, X_shown, [own.take(rows) for own in of_all], _names(X, rows), columns
        ),
    }
    text = page(title, content)
    path = Path(path)
    path.write_text(text, encoding="utf-8")
    return path


def _check(estimator: Any, title: Any, **counts: Any) -> None:
    """Refuse what no report can be made of."""
    check_multi_task(estimator, "report")
    check_columns_stay(estimator)
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {title!r}.")
    check_counts(1, **counts)


def _about(estimator: Any, n_rows: int, n_shown: int) -> list[tuple[str, str]]:
    """Return what the model and the data are, in a few words each."""
    adds_up = "explainable: predictions are sums" if estimator.explainable else "not explainable"
    shown = "" if n_shown == n_rows else f"{n_shown:,} of "
    return [
        ("model", f"{type(estimator).__name__}, {adds_up}"),
        ("attention", estimator.attention),
        ("rows", f"{shown}{n_rows:,}"),
        ("columns", f"{estimator.n_features_in_:,}"),
        ("made with", f"sk-attention {version('sk-attention')}"),
    ]


def _draw(n_rows: int, max_rows: int, seed: int) -> NDArray[np.intp]:
    """Return the positions of the rows to show, in their order."""
    if n_rows <= max_rows:
        return np.arange(n_rows)
    rows: NDArray[np.intp] = np.random.default_rng(seed).choice(n_rows, max_rows, replace=False)
    return np.sort(rows)


def _some_labelled(of_all: list[Answers], seed: int) -> NDArray[np.intp]:
    """Return some rows to measure faithfulness on; labels that are rare come along."""
    seen = np.stack([own.seen for own in of_all], axis=1)
    if len(seen) <= MAX_MEASURED:
        return np.arange(len(seen))
    odds = (seen / np.maximum(seen.sum(axis=0), 1)).max(axis=1) + 1e-9  # all missing: never first
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(len(seen), MAX_MEASURED, replace=False, p=odds / odds.sum()))


def _largest(weights: NDArray[np.float64], max_columns: int) -> NDArray[np.intp]:
    """Return the columns with the largest weight of any task, in their order."""
    order: NDArray[np.intp] = np.argsort(-weights.max(axis=0), kind="stable")[:max_columns]
    return np.sort(order)


def _take(values: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of a table, an array or a list."""
    native = nw.from_native(values, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.DataFrame | nw.Series):
        return native[rows.tolist()].to_native()
    return _safe_indexing(values, rows)


def _names(X: Any, rows: NDArray[np.intp]) -> list[Any]:
    """Return what rows are called: by their index in pandas, else by their position."""
    index = getattr(X, "index", None)
    if index is None or callable(index):  # a list has a method of that name
        return rows.tolist()
    return [index[row] for row in rows]
