"""Whether groups of people are treated alike."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t
from sklearn.utils import Bunch

from sk_attention._labels import is_missing, label_columns
from sk_attention._random import draw_seed
from sk_attention._validation import column_position
from sk_attention.datasets._frames import import_pandas

from ._answers import answers, check_multi_task
from ._counts import check_counts
from ._divergence import p_value
from ._fairness_measures import Measure, attention_paid, measures_of
from ._skill import Floats

CONFIDENCE = 0.95


def fairness(
    estimator: Any,
    X: Any,
    y: Any,
    groups: Any,
    *,
    protected: Any = (),
    n_permutations: int = 999,
    random_state: Any = None,
) -> Bunch:
    r"""Compare scores, predictions and attention between groups of rows, task by task.

    Of classes: the accuracy; the selection rate of each class, the share of rows for which it is
    predicted; its true positive rate, that share among the rows that have it. Of two classes those
    of the second are told. Of sets of labels: the mean Jaccard index of the predicted and the
    observed set, and both rates of each label. Of numbers: the mean absolute error, for
    :math:`R^2` asks how unlike the rows of a group are; and the mean prediction. Values are
    fairlearn's [1]_. Rows without a label of a task do not count for it; a task without any has
    attention alone.

    Small groups never look exactly like large ones. So values come with intervals of 95 %, Wilson's
    [2]_ of shares and Student's of means, which are wide where rows are few; and gaps with how
    large they are if rows are dealt out to the groups at random.

    Parameters
    ----------
    estimator : object
        A fitted `MultiTaskAttentionClassifier`, `MultiTaskAttentionRegressor` or
        `MultiTaskAttentionEstimator`.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows that were not trained on.
    y : array-like or DataFrame of shape (n_samples,) or (n_samples, n_tasks)
        Their labels; missing ones do not count.
    groups : array-like of shape (n_samples,)
        The group of each row, whether or not ``X`` holds it.
    protected : list of str or int, default=()
        Columns of ``X``, by name or position, that should not decide: the attention that the tasks
        pay to them, all together, is compared too.
    n_permutations : int, default=999
        Draws of the permutation test; 0 leaves it out.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    found : Bunch
        by_group : DataFrame
            A line for each "task", "measure" and "group": "n_rows", how many rows count, "value",
            and its interval, "low" and "high". NaN where no row counts; the interval of a mean of
            one row is NaN.
        gaps : DataFrame
            A line for each "task" and "measure": "gap", the largest value of a group less the
            smallest; "null", its mean if rows are dealt out at random, and "p_value", how often it
            is then as large. The last two are NaN without draws.
        groups : ndarray of shape (n_groups,)
            The groups, sorted.
        task_names : list of str
            Names of the tasks.

    Raises
    ------
    ImportError
        If fairlearn is not installed.
    TypeError
        If the estimator is of another kind.
    ValueError
        If ``groups`` has not one entry per row, or fewer than two groups; or if a column, a
        parameter or ``y`` breaks a rule.

    See Also
    --------
    attention_drift : Compares all of the attention between groups.

    References
    ----------
    .. [1] Weerts et al., "Fairlearn: assessing and improving fairness of AI systems", Journal of
       Machine Learning Research, 2023.
    .. [2] Wilson, "Probable inference, the law of succession, and statistical inference", Journal
       of the American Statistical Association, 1927.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import fairness
    >>> data = make_planted_tasks(n_samples=200, n_tasks=2, random_state=0)
    >>> X, y = data.data, data.target
    >>> model = MultiTaskAttentionClassifier(n_members=2, max_epochs=5, random_state=0).fit(X, y)
    >>> found = fairness(model, X, y, np.where(X[:, 0] > 0, "old", "young"), random_state=0)
    >>> found.by_group.shape
    (12, 7)
    >>> found.gaps["measure"].unique().tolist()
    ['accuracy', 'selection rate: 1', 'true positive rate: 1']
    """
    metrics = _fairlearn_metrics()
    check_multi_task(estimator, "fairness")
    check_counts(0, n_permutations=n_permutations)
    columns = _positions(estimator, protected)
    of_tasks = answers(estimator, X, y)
    names, codes = _groups(groups, len(of_tasks[0].seen))
    measures = [measures_of(own, metrics) for own in of_tasks]
    if columns:
        paid = estimator.attend(X)[..., columns].sum(axis=-1)
        for own, task, weights in zip(measures, of_tasks, paid.T, strict=True):
            own.append(attention_paid(task.name, weights, metrics))
    if not any(measures):
        raise ValueError("y has no observed label: nothing can be compared.")
    rng = np.random.default_rng(draw_seed(random_state))
    by_group, gaps = [], []
    for measure in itertools.chain(*measures):
        frame = metrics.MetricFrame(
            metrics={"n_rows": metrics.count, "value": measure.metric},
            y_true=measure.y_true,
            y_pred=measure.y_pred,
            sensitive_features={"group": codes[measure.rows]},
        )
        by_group.append(_with_intervals(frame.by_group, measure, names, codes))
        gaps.append(_gap(float(frame.difference()["value"]), measure, codes, n_permutations, rng))
    pandas = import_pandas("fairness")
    return Bunch(
        by_group=pandas.concat(by_group, ignore_index=True),
        gaps=pandas.DataFrame(gaps),
        groups=names,
        task_names=list(estimator.task_names_),
    )


def _fairlearn_metrics() -> Any:
    """Return fairlearn's metrics, or say what to install."""
    try:
        from fairlearn import metrics
    except ImportError as error:
        raise ImportError("fairness needs fairlearn: pip install sk-attention[fair].") from error
    return metrics


def _positions(estimator: Any, protected: Any) -> list[int]:
    """Return the positions of the protected columns."""
    if isinstance(protected, str):
        raise ValueError(f"protected must be a list of columns, got {protected!r}.")
    names = list(getattr(estimator, "feature_names_in_", []))
    n_features = estimator.n_features_in_
    found = [column_position(own, names, n_features, "protected") for own in protected]
    return sorted(set(found))


def _groups(groups: Any, n_rows: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the sorted groups, and which of them each row belongs to."""
    columns = label_columns(groups, warn_on_column_vector=False).columns
    if len(columns) > 1:
        raise ValueError(f"groups must be one column, got {len(columns)}.")
    column = columns[0]
    if len(column) != n_rows:
        raise ValueError(f"groups has {len(column)} entries, but X has {n_rows} rows.")
    missing = is_missing(column)
    if missing.any():
        raise ValueError(
            f"groups has {missing.sum()} missing entries: give these rows a group of their own, or "
            "leave them out."
        )
    try:
        names, codes = np.unique(column, return_inverse=True)
    except TypeError as error:
        raise ValueError("groups mixes texts and numbers, which have no order.") from error
    if len(names) < 2:
        raise ValueError(f"groups must name two groups at least, got {names.tolist()}.")
    return names, codes


def _with_intervals(
    by_group: Any, own: Measure, names: NDArray[Any], codes: NDArray[np.intp]
) -> Any:
    """Return fairlearn's values of all groups, those without rows too, with their intervals."""
    found = by_group.reindex(range(len(names)))
    found = found.astype({"value": np.float64}).fillna({"n_rows": 0}).astype({"n_rows": int})
    found.insert(0, "task", own.task)
    found.insert(1, "measure", own.name)
    found.insert(2, "group", names)
    member = codes[own.rows]
    ends = [interval(own.values[member == group]) for group in range(len(names))]
    found["low"], found["high"] = np.array(ends).T
    return found


def interval(values: Floats) -> tuple[float, float]:
    """Return the interval of 95 % of a mean: Wilson's of zeros and ones, else Student's.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Zeros and ones, or other numbers.

    Returns
    -------
    low, high : float
        NaN without rows; of other numbers than zeros and ones, with one row too.
    """
    n, mean = len(values), values.mean() if len(values) else np.nan
    if n and np.isin(values, (0.0, 1.0)).all():
        z2 = norm.ppf((1 + CONFIDENCE) / 2) ** 2
        centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (mean * (1 - mean) / n + z2 / (4 * n**2))) / (1 + z2 / n)
        half = min(half, centre, 1 - centre)  # rounding may lead out of [0, 1]
    elif n < 2:
        return np.nan, np.nan
    else:
        centre, half = mean, t.ppf((1 + CONFIDENCE) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(centre - half), float(centre + half)


def _gap(
    found: float,
    own: Measure,
    codes: NDArray[np.intp],
    n_permutations: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return a gap beside what it is if rows are dealt out at random."""
    _, member = np.unique(codes[own.rows], return_inverse=True)
    sizes = np.bincount(member)
    null = np.full(n_permutations, np.nan)
    for draw in range(n_permutations):
        means = np.bincount(member, rng.permutation(own.values)) / sizes
        null[draw] = means.max() - means.min()
    return {
        "task": own.task,
        "measure": own.name,
        "gap": found,
        "null": null.mean() if n_permutations else np.nan,
        "p_value": p_value(found, null) if n_permutations else np.nan,
    }
