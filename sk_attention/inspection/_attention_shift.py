"""How attention shifts from task to task, in bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.utils import Bunch


def attention_shift(estimator: Any, X: Any) -> Bunch:
    r"""Measure how differently the tasks look at the same rows.

    With :math:`\alpha_i(x)` the attention of task *i* in row *x*, *H* the entropy in bits and *M*
    the mean of the distributions compared, the Jensen-Shannon divergence is

    .. math:: \mathrm{JSD}(\alpha_1, \dots, \alpha_K) =
              H\Big(\tfrac1K \sum_i \alpha_i\Big) - \tfrac1K \sum_i H(\alpha_i).

    It is 0 where the tasks look alike, and the information, in bits, that a glance at a random
    feature gives about which task is looking [1]_. Values are means over the rows.

    Parameters
    ----------
    estimator : object
        A fitted estimator with ``attend``.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows to look at.

    Returns
    -------
    shift : Bunch
        pairwise : ndarray of shape (n_tasks, n_tasks)
            Divergence between each two tasks, from 0 to 1 bit.
        total : float
            Divergence between all tasks, from 0 to log2(n_tasks) bits.
        effective_features : ndarray of shape (n_tasks,)
            :math:`2^H`, the number of features among which a task spreads its attention.
        task_names : list of str
            Names of the tasks.

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
    weights = estimator.attend(X)  # rows, tasks, features
    entropies = entropy_bits(weights)  # rows, tasks
    n_tasks = weights.shape[1]
    pairwise = np.zeros((n_tasks, n_tasks))
    for one in range(n_tasks):
        for other in range(one):
            between = (weights[:, one] + weights[:, other]) / 2
            alone = (entropies[:, one] + entropies[:, other]) / 2
            pairwise[one, other] = pairwise[other, one] = np.mean(entropy_bits(between) - alone)
    total = np.mean(entropy_bits(weights.mean(axis=1)) - entropies.mean(axis=1))
    return Bunch(
        pairwise=np.maximum(pairwise, 0.0),
        total=max(float(total), 0.0),
        effective_features=np.exp2(entropies).mean(axis=0),
        task_names=list(estimator.task_names_),
    )


def entropy_bits(distribution: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy along the last axis, in bits.

    Parameters
    ----------
    distribution : ndarray of shape (..., n)
        Not negative; sums to 1 along the last axis.

    Returns
    -------
    entropy : ndarray of shape (...)
        From 0 to log2(n).
    """
    entropy: NDArray[np.float64] = entr(distribution).sum(axis=-1) / np.log(2.0)
    return entropy
