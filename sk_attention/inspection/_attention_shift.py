"""How attention shifts from task to task and from row to row, in bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ._counts import check_counts
from ._divergence import (
    Floats,
    divergence_bits,
    entropy_bits,
    pairwise_bits,
    shuffle_test,
    swap_test,
)
from ._looks import look_alike, looks


def attention_shift(
    estimator: Any, X: Any, *, n_permutations: int = 999, random_state: Any = None
) -> Bunch:
    r"""Measure how differently the tasks look at the same rows.

    With :math:`\alpha_i(x)` the attention of task *i* in row *x*, *H* the entropy in bits and *M*
    the mean of the distributions compared, the Jensen-Shannon divergence is

    .. math:: \mathrm{JSD}(\alpha_1, \dots, \alpha_K) =
              H\Big(\tfrac1K \sum_i \alpha_i\Big) - \tfrac1K \sum_i H(\alpha_i).

    It is 0 where the tasks look alike, and the information, in bits, that a glance at a random
    feature gives about which task is looking [1]_. Values are means over the rows.

    Two queries that were drawn at random never look exactly alike. So compare a shift with the
    noise floor of several fits with different seeds, and take p-values from them: those of a single
    fit say that its tasks look differently, not that another fit's would.

    Parameters
    ----------
    estimator : object, or list of these
        A fitted estimator with ``attend``; or several that differ in nothing but
        ``random_state``, whose values are averaged. A recommender has one task, and lags in the
        place of features.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows to look at. Those that hold nothing to look at, such as empty histories, do not count.
    n_permutations : int, default=999
        Draws of the permutation test; 0 leaves it out.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    shift : Bunch
        pairwise : ndarray of shape (n_tasks, n_tasks)
            Divergence between each two tasks, from 0 to 1 bit.
        total : float
            Divergence between all tasks, from 0 to log2(n_tasks) bits.
        mean_pairwise, mean_total : ndarray of shape (n_tasks, n_tasks) and float
            The same of the tasks' mean attention over the rows: less, as differences that come and
            go from row to row cancel.
        p_values, p_value : ndarray of shape (n_tasks, n_tasks) and float, or None
            How often ``mean_pairwise`` and ``mean_total`` would be as large if it were chance
            which task is which: tasks are swapped within each row or, of several fits, within each
            fit. Then six fits at least are needed for 0.05.
        across_samples : ndarray of shape (n_tasks,)
            Divergence between the rows, :math:`H(\mathrm{E}_x \alpha_i) - \mathrm{E}_x
            H(\alpha_i)`: how much a task's attention depends on the row.
        effective_features : ndarray of shape (n_tasks,)
            :math:`2^H`, the number of features among which a task spreads its attention.
        noise_floor : ndarray of shape (n_tasks,) or None
            Divergence between the same task's mean attention in two fits, the mean over all
            pairs; None for a single fit.
        task_names : list of str
            Names of the tasks.

    Raises
    ------
    TypeError
        If an estimator has no ``attend``.
    ValueError
        If ``n_permutations`` is no integer or negative, there is no estimator, fits differ in
        tasks or features, or no row holds anything to look at.

    See Also
    --------
    attention_drift : Compares groups of rows instead of tasks.

    References
    ----------
    .. [1] Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on
       Information Theory, 1991.

    Examples
    --------
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import attention_shift
    >>> data = make_planted_tasks(n_samples=100, n_tasks=2, random_state=0)
    >>> model = MultiTaskAttentionClassifier(n_members=2, max_epochs=5, random_state=0)
    >>> shift = attention_shift(model.fit(data.data, data.target), data.data)
    >>> shift.pairwise.shape
    (2, 2)
    >>> bool(0 <= shift.total <= 1)
    True
    """
    fits = list(estimator) if isinstance(estimator, (list, tuple)) else [estimator]
    if not fits:
        raise ValueError("estimator is an empty list: at least one fitted estimator is needed.")
    check_counts(0, n_permutations=n_permutations)
    looked = [looks(fit, X, "attention_shift") for fit in fits]
    of_fits = look_alike(looked)  # fits, rows, tasks, features
    means = of_fits.mean(axis=1)
    entropies = [entropy_bits(weights) for weights in of_fits]
    shift = Bunch(
        pairwise=np.mean([pairwise_bits(weights).mean(axis=0) for weights in of_fits], axis=0),
        total=float(np.mean([divergence_bits(weights).mean() for weights in of_fits])),
        mean_pairwise=pairwise_bits(means).mean(axis=0),
        mean_total=float(divergence_bits(means).mean()),
        p_values=None,
        p_value=None,
        across_samples=np.mean(
            [
                entropy_bits(weights.mean(axis=0)) - entropy.mean(axis=0)
                for weights, entropy in zip(of_fits, entropies, strict=True)
            ],
            axis=0,
        ).clip(0.0),
        effective_features=np.mean([np.exp2(own).mean(axis=0) for own in entropies], axis=0),
        noise_floor=None if len(fits) == 1 else _noise_floor(means),
        task_names=looked[0].task_names,
    )
    if n_permutations:
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        units = of_fits[0] if len(fits) == 1 else means
        shift.p_values, shift.p_value = _p_values(units, n_permutations, rng)
    return shift


def _noise_floor(means: Floats) -> Floats:
    """Return the mean divergence between two fits, task by task, of (fits, tasks, features)."""
    pairs = pairwise_bits(means.swapaxes(0, 1))
    n_fits = len(means)
    floor: Floats = pairs.sum(axis=(1, 2)) / (n_fits * (n_fits - 1))
    return floor


def _p_values(units: Floats, n_permutations: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Return p-values of each two tasks, and of all, of (units, tasks, features)."""
    n_tasks = units.shape[1]
    p_values = np.ones((n_tasks, n_tasks))
    for one in range(n_tasks):
        for other in range(one):
            p = swap_test(units[:, one], units[:, other], n_permutations, rng)
            p_values[one, other] = p_values[other, one] = p
    if n_tasks < 3:
        return p_values, float(p_values[0, -1])
    return p_values, shuffle_test(units, n_permutations, rng)
