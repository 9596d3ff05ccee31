"""How attention differs between groups of rows: data sets, or times."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import column_or_1d

from ._counts import check_counts
from ._divergence import divergence_bits, p_value, pairwise_bits
from ._looks import look_alike, looks


def attention_drift(
    estimator: Any, X: Any, groups: Any, *, n_permutations: int = 999, random_state: Any = None
) -> Bunch:
    r"""Measure how each task's attention differs between groups of rows.

    Groups are two data sets, months, regions: whatever says which rows belong together. With
    :math:`\bar\alpha_g` a task's mean attention in group *g*, and :math:`s_g` the group's share of
    the rows, the divergence is

    .. math:: H\Big(\sum_g s_g \bar\alpha_g\Big) - \sum_g s_g H(\bar\alpha_g),

    0 where the task looks alike everywhere. Small groups never look exactly alike: the null says
    how large the divergence is if rows are dealt out to the groups at random.

    Parameters
    ----------
    estimator : object
        A fitted estimator with ``attend``. A recommender has one task, and lags in the place of
        features.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows to look at. Those that hold nothing to look at, such as empty histories, do not count.
    groups : array-like of shape (n_samples,)
        The group of each row.
    n_permutations : int, default=999
        Draws of the permutation test; 0 leaves it out.
    random_state : int, RandomState or None, default=None
        Source of the draws.

    Returns
    -------
    drift : Bunch
        total : ndarray of shape (n_tasks,)
            Divergence between all groups, in bits.
        pairwise : ndarray of shape (n_tasks, n_groups, n_groups)
            Divergence between each two groups, weighed alike, from 0 to 1 bit.
        p_values : ndarray of shape (n_tasks,) or None
            How often ``total`` would be as large if rows were dealt out at random.
        null : ndarray of shape (n_tasks,) or None
            Its mean then.
        mean_attention : ndarray of shape (n_tasks, n_groups, n_features)
            What is compared.
        groups : ndarray of shape (n_groups,)
            The groups, sorted.
        task_names : list of str
            Names of the tasks.

    Raises
    ------
    TypeError
        If the estimator has no ``attend``.
    ValueError
        If ``groups`` has not one entry per row, or fewer than two groups whose rows hold anything
        to look at; or if ``n_permutations`` is no integer or negative.

    See Also
    --------
    attention_shift : Compares tasks instead of groups of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_attention import MultiTaskAttentionClassifier
    >>> from sk_attention.datasets import make_planted_tasks
    >>> from sk_attention.inspection import attention_drift
    >>> data = make_planted_tasks(n_samples=200, n_tasks=2, random_state=0)
    >>> model = MultiTaskAttentionClassifier(n_members=2, max_epochs=5, random_state=0)
    >>> model = model.fit(data.data, data.target)
    >>> drift = attention_drift(model, data.data, np.arange(200) < 100, random_state=0)
    >>> drift.total.shape, drift.pairwise.shape
    ((2,), (2, 2, 2))
    """
    check_counts(0, n_permutations=n_permutations)
    looked = looks(estimator, X, "attention_drift")
    groups = column_or_1d(groups)
    if len(groups) != len(looked.weights):
        raise ValueError(f"groups has {len(groups)} entries, but X has {len(looked.weights)} rows.")
    (weights,) = look_alike([looked])  # rows, tasks, features
    names, codes = np.unique(groups[looked.somewhere], return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"groups must name two groups at least, got {names.tolist()}.")
    members = np.arange(len(names))[:, None] == codes  # groups, rows
    shares = members.mean(axis=1)
    flat = weights.reshape(len(weights), -1)
    shape = (len(names), *weights.shape[1:])

    def group_means(members: Any) -> Any:
        means = (members @ flat / members.sum(axis=1, keepdims=True)).reshape(shape)
        return means.swapaxes(0, 1)  # tasks, groups, features

    means = group_means(members)
    total = divergence_bits(means, shares)
    drift = Bunch(
        total=total,
        pairwise=pairwise_bits(means),
        p_values=None,
        null=None,
        mean_attention=means,
        groups=names,
        task_names=looked.task_names,
    )
    if n_permutations:
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        null = np.stack(
            [
                divergence_bits(group_means(rng.permutation(members, axis=1)), shares)
                for _ in range(n_permutations)
            ]
        )
        drift.p_values = np.array(
            [p_value(found, own) for found, own in zip(total, null.T, strict=True)]
        )
        drift.null = null.mean(axis=0)
    return drift
