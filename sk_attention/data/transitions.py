"""What followed what: sequential rules, counted in histories."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .histories import Histories

# An item follows another up to so many events later; so many of the latest events are asked.
REACH = 10

# Items that are kept of those that followed one: the most frequent ones.
N_FOLLOWERS = 100

# Without this much more an item that was followed once would be sure of what follows.
CAUTION = 1.0


class Transitions:
    r"""How often items followed each other, and how much that speaks for an item now.

    .. math:: C_{ij} = \sum_{m=1}^{10} \frac{c_{ijm}}{m}, \qquad
              P_{ij} = \frac{C_{ij}}{1 + \sum_k C_{ik}}, \qquad
              f_i = \log\Big(1 + I \sum_{l=1}^{10} w_l P_{x_l i}\Big)

    with :math:`c_{ijm}` the weight, 1 in the mean, of the events of item *j* that came *m* events
    after one of item *i*, :math:`x_l` the item *l* events ago, :math:`w_l \propto 1 / l` of sum 1,
    and *I* the number of items. Of each item the 100 that followed it most are kept, also in the
    sum over *k*. Nothing is learned: these are the sequential rules of [1]_, for the latest events
    together.

    Parameters
    ----------
    histories : Histories
        All events.
    n_items : int
        I.
    counted : ndarray of shape (n_events,), dtype bool, default=None
        Which events count as followers; None takes all.

    Attributes
    ----------
    shares : csr_array of shape (n_items, n_items)
        P.

    References
    ----------
    .. [1] Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018.
    """

    def __init__(
        self, histories: Histories, n_items: int, counted: NDArray[np.bool_] | None = None
    ) -> None:
        weight = histories.weight / histories.weight[histories.weight > 0].mean()
        if counted is not None:
            weight = weight * counted
        total: Any = sp.csr_array((n_items, n_items))
        for step in range(1, REACH + 1):
            total = total + _followed(histories, n_items, weight, step) / step
        kept = _largest(total, N_FOLLOWERS)
        size = np.asarray(kept.sum(axis=1)).ravel() + CAUTION
        kept.data /= np.repeat(size, np.diff(kept.indptr))
        self.shares = kept.astype(np.float32)

    def gains(self, latest: NDArray[np.int64]) -> sp.csr_array:
        """Return how much what followed the latest events speaks for each item.

        Parameters
        ----------
        latest : ndarray of shape (n_queries, n_lags), dtype int64
            Codes of items, the latest first; 0 or a code above n_items where there is none.

        Returns
        -------
        gains : csr_array of shape (n_queries, n_items), dtype float32
            f.
        """
        n_items = self.shares.shape[0]
        query, lag = np.nonzero(self._there(latest))
        reading = sp.csr_array(
            (_lag_weights(latest.shape[1])[lag], (query, latest[query, lag] - 1)),
            shape=(len(latest), n_items),
        )
        gains: sp.csr_array = reading @ self.shares
        gains.data = np.log1p(gains.data * np.float32(n_items))
        return gains

    def pair_gains(
        self, latest: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return `gains` of one item for each query.

        Parameters
        ----------
        latest : ndarray of shape (n_queries, n_lags), dtype int64
            As `gains` takes them.
        items : ndarray of shape (n_queries,), dtype int64
            Positions of items.

        Returns
        -------
        gains : ndarray of shape (n_queries,), dtype float32
            f of these.
        """
        there = self._there(latest)
        query, _ = np.nonzero(there)
        share = np.zeros(latest.shape, dtype=np.float32)
        if len(query):  # scipy returns something else for no cells
            share[there] = self.shares[latest[there] - 1, items[query]]
        total = share @ _lag_weights(latest.shape[1])
        gains: NDArray[np.float32] = np.log1p(total * np.float32(self.shares.shape[0]))
        return gains

    def _there(self, latest: NDArray[np.int64]) -> NDArray[np.bool_]:
        there: NDArray[np.bool_] = (latest > 0) & (latest <= self.shares.shape[0])
        return there


def _followed(
    histories: Histories, n_items: int, weight: NDArray[np.float64], step: int
) -> sp.csr_array:
    """Return the weight of the events of each item that came ``step`` events after each other."""
    item, user = histories.items, histories.users
    follows = (user[step:] == user[:-step]) & (item[step:] > 0) & (item[:-step] > 0)
    first = np.flatnonzero(follows & (weight[step:] > 0))
    pairs = item[first] - 1, item[first + step] - 1
    return sp.csr_array((weight[first + step], pairs), shape=(n_items, n_items))


def _largest(matrix: sp.csr_array, n: int) -> sp.csr_array:
    """Return the n largest values of each row, of equal ones the first."""
    matrix.sort_indices()
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    best = order[np.arange(len(order)) - matrix.indptr[row] < n]
    cells = row[best], matrix.indices[best]
    return sp.csr_array((matrix.data[best], cells), shape=matrix.shape)


def _lag_weights(n_lags: int) -> NDArray[np.float32]:
    """Return w of the latest events, 0 beyond the reach."""
    lag = np.arange(1, n_lags + 1)
    total = (1 / np.arange(1, REACH + 1)).sum()
    weights: NDArray[np.float32] = np.where(lag <= REACH, 1 / (lag * total), 0).astype(np.float32)
    return weights
