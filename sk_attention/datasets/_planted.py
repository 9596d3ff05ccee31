"""Made-up tasks of which is known what each depends on."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sk_attention._random import draw_seed

PRODUCT_COEFFICIENT = np.sqrt(0.5)  # products of columns: a third of the signal's variance


def make_planted_tasks(
    n_samples: int = 3000,
    n_features: int = 20,
    n_tasks: int = 3,
    n_relevant: int = 4,
    *,
    correlation: float = 0.5,
    noise: float = 0.3,
    task: str = "classification",
    missing: float = 0.0,
    random_state: Any = None,
) -> Bunch:
    r"""Draw tasks that each depend on known columns, linearly and through interactions.

    Task i depends on columns drawn at random, a_1 ... a_m in a ring (a_{m+1} is a_1; two columns
    have one product, a single column none). Its signal is

    .. math:: s_i = \frac{1}{v} \Big( \sum_j b_j x_{a_j} + c \sum_j g_j x_{a_j} x_{a_{j+1}} \Big)

    with random signs b and g, c = sqrt(1/2), and v such that the variance of the signal is 1.
    Every column takes part in the same number of terms, so that all matter alike. The target is

    .. math:: t_i = s_i + \text{noise} \cdot e_i, \quad e_i \sim N(0, 1),

    for regression and 1 where t_i is positive, else 0, for classification.

    All columns are standard normal. Columns that matter to no task are distractors; every second
    of them, rounded up, has the given correlation with a column that matters, the others are
    independent. Tasks share columns only if ``n_tasks * n_relevant`` exceeds `n_features`.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of rows.
    n_features : int, default=20
        Number of columns.
    n_tasks : int, default=3
        Number of tasks.
    n_relevant : int, default=4
        Number m of columns that each task depends on.
    correlation : float, default=0.5
        Correlation of the correlated distractors with their column, between -1 and 1.
    noise : float, default=0.3
        Standard deviation of the noise, where that of the signal is 1. With 0.3 the best possible
        ROC AUC is about 0.97 and the best possible R^2 is 0.92.
    task : {"classification", "regression"}, default="classification"
        Whether targets are classes 0 and 1 or numbers.
    missing : float, default=0.0
        Share of every task's labels that are left out at random, at least 0 and less than 1; one
        label always stays.
    random_state : int, RandomState or None, default=None
        Where the random numbers come from. An integer gives the same data in every call.

    Returns
    -------
    planted : Bunch
        The data and the truth about it:

        - ``data``, ndarray of shape (n_samples, n_features) and dtype float64: the columns.
        - ``target``, ndarray of shape (n_samples, n_tasks): int64 for classification without
          missing labels, otherwise float64 with NaN for missing labels.
        - ``relevant``, ndarray of shape (n_tasks, n_features) and dtype bool: which columns each
          task depends on.
        - ``signal``, ndarray of shape (n_samples, n_tasks) and dtype float64: the signal s; no
          prediction ranks the samples better.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from sk_attention.datasets import make_planted_tasks
    >>> planted = make_planted_tasks(n_samples=100, random_state=0)
    >>> planted.data.shape, planted.target.shape
    ((100, 20), (100, 3))
    >>> planted.relevant.sum(axis=1)
    array([4, 4, 4])
    """
    _check_sizes(n_samples, n_features, n_tasks, n_relevant)
    _check_options(correlation, noise, task, missing)
    rng = np.random.default_rng(draw_seed(random_state))
    columns = _draw_columns(rng, n_features, n_tasks, n_relevant)
    data = _draw_data(rng, n_samples, n_features, columns, correlation)
    signal = np.column_stack([_signal(rng, data[:, a]) for a in columns])
    target = signal + noise * rng.normal(size=signal.shape)
    if task == "classification":
        target = (target > 0).astype(np.int64)
    if missing > 0:
        target = _leave_out(rng, target, missing)
    relevant = np.zeros((n_tasks, n_features), dtype=bool)
    np.put_along_axis(relevant, columns, True, axis=1)
    return Bunch(data=data, target=target, relevant=relevant, signal=signal)


def _draw_columns(
    rng: np.random.Generator, n_features: int, n_tasks: int, n_relevant: int
) -> np.ndarray:
    """Columns of each task, (n_tasks, n_relevant), disjoint where there are enough."""
    if n_tasks * n_relevant <= n_features:
        return rng.permutation(n_features)[: n_tasks * n_relevant].reshape(n_tasks, n_relevant)
    return np.stack([rng.permutation(n_features)[:n_relevant] for _ in range(n_tasks)])


def _draw_data(
    rng: np.random.Generator,
    n_samples: int,
    n_features: int,
    columns: np.ndarray,
    correlation: float,
) -> np.ndarray:
    """Draw standard normal columns, some distractors correlated with relevant ones."""
    data = rng.normal(size=(n_samples, n_features))
    sources = np.unique(columns)
    distractors = rng.permutation(np.setdiff1d(np.arange(n_features), sources))
    correlated = distractors[: (len(distractors) + 1) // 2]
    partners = rng.choice(sources, size=len(correlated), replace=len(correlated) > len(sources))
    data[:, correlated] *= np.sqrt(1 - correlation**2)
    data[:, correlated] += correlation * data[:, partners]
    return data


def _signal(rng: np.random.Generator, relevant: np.ndarray) -> np.ndarray:
    """Signal of unit variance from the columns of one task."""
    m = relevant.shape[1]
    n_products = m if m > 2 else m - 1
    products = (relevant * np.roll(relevant, -1, axis=1))[:, :n_products]
    linear = relevant @ rng.choice([-1.0, 1.0], size=m)
    interactions = products @ rng.choice([-1.0, 1.0], size=n_products)
    scale = np.sqrt(m + PRODUCT_COEFFICIENT**2 * n_products)
    return (linear + PRODUCT_COEFFICIENT * interactions) / scale


def _leave_out(rng: np.random.Generator, target: np.ndarray, missing: float) -> np.ndarray:
    """Replace the given share of each task's labels by NaN."""
    target = target.astype(np.float64)
    n_missing = min(round(missing * len(target)), len(target) - 1)
    for column in target.T:
        column[rng.permutation(len(column))[:n_missing]] = np.nan
    return target


def _check_sizes(n_samples: int, n_features: int, n_tasks: int, n_relevant: int) -> None:
    sizes = {"n_samples": n_samples, "n_tasks": n_tasks, "n_relevant": n_relevant}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}.")
    if n_features < n_relevant:
        raise ValueError(f"n_features={n_features} is less than n_relevant={n_relevant}.")


def _check_options(correlation: float, noise: float, task: str, missing: float) -> None:
    if not -1 <= correlation <= 1:
        raise ValueError(f"correlation must be between -1 and 1, got {correlation}.")
    if not noise >= 0:
        raise ValueError(f"noise must not be negative, got {noise}.")
    if task not in ("classification", "regression"):
        raise ValueError(f'task must be "classification" or "regression", got {task!r}.')
    if not 0 <= missing < 1:
        raise ValueError(f"missing must be at least 0 and less than 1, got {missing}.")
