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

# Counts are held in single precision: nearer than that by this share of one, they are equal.
ROUNDING = 1e-6

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
    counts : csr_array of shape (n_items, n_items), dtype float32
        C, of the items that are kept.
    size : ndarray of shape (n_items,), dtype float64
        What counts are divided by.

    References
    ----------
    .. [1] Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018.
    """

    def __init__(
        self, histories: Histories, n_items: int, counted: NDArray[np.bool_] | None = None
    ) -> None:
        self._usual_weight = float(histories.weight[histories.weight > 0].mean())
        weight = histories.weight / self._usual_weight
        if counted is not None:
            weight = weight * counted
        total: Any = sp.csr_array((n_items, n_items))
        for step in range(1, REACH + 1):
            total = total + _followed(histories, n_items, weight, step) / step
        kept = _largest(total.astype(np.float32), N_FOLLOWERS)
        self.counts, self._next_item, self._next_count = kept
        self.size = np.asarray(self.counts.sum(axis=1, dtype=np.float64)).ravel() + CAUTION

    @property
    def shares(self) -> sp.csr_array:
        """P, csr_array of shape (n_items, n_items), dtype float32."""
        shares = self.counts.copy()
        shares.data /= np.repeat(self.size, np.diff(shares.indptr)).astype(np.float32)
        return shares

    def counted_of(self, histories: Histories, own: sp.csr_array) -> sp.csr_array:
        """Return what events added to the counts when they followed others.

        Parameters
        ----------
        histories : Histories
            Those that were counted, perhaps with events recorded since, which ``codes["counted"]``
            tells apart.
        own : csr_array of shape (n_queries, n_events), dtype bool
            The events of each query that are asked about.

        Returns
        -------
        counted : csr_array of shape (n_queries, n_items**2), dtype float32
            What is in C_ij of them, in column i * n_items + j.
        """
        n_items = len(self.size)
        known = histories.codes.get("counted", np.ones(len(histories), dtype=bool))
        order = np.cumsum(known) - 1
        items, users = histories.items[known], histories.users[known]
        asked = own.tocoo()
        some = known[asked.col]
        query, event = asked.row[some].astype(np.int64), order[asked.col[some]]
        step = np.arange(1, REACH + 1)
        before = event[:, None] - step
        follows = (before >= 0) & (users[before] == users[event][:, None])
        follows &= (items[before] > 0) & (items[event] > 0)[:, None]
        row, lag = np.nonzero(follows)
        pair = (items[before[row, lag]] - 1) * n_items + items[event[row]] - 1
        weight = histories.weight[known][event[row]] / self._usual_weight / step[lag]
        shape = own.shape[0], n_items**2
        return sp.csr_array((weight, (query[row], pair)), shape=shape).astype(np.float32)

    def gains(self, latest: NDArray[np.int64], own: sp.csr_array | None = None) -> sp.csr_array:
        """Return how much what followed the latest events speaks for each item.

        Parameters
        ----------
        latest : ndarray of shape (n_queries, n_lags), dtype int64
            Codes of items, the latest first; 0 or a code above n_items where there is none.
        own : csr_array of shape (n_queries, n_items**2), default=None
            What is left out of the counts for each query, as `counted_of` returns it. An item that
            is no more among those that are kept without it gives its place to the next one; of
            several that leave one row, the first.

        Returns
        -------
        gains : csr_array of shape (n_queries, n_items), dtype float32
            f.
        """
        reading, change = self._reading(latest, own)
        gains: sp.csr_array = reading @ self.counts + change
        gains.data = self._logarithm(gains.data)
        return gains

    def pair_gains(
        self, latest: NDArray[np.int64], items: NDArray[np.int64], own: sp.csr_array | None = None
    ) -> NDArray[np.float32]:
        """Return `gains` of one item for each query.

        Parameters
        ----------
        latest : ndarray of shape (n_queries, n_lags), dtype int64
            As `gains` takes them.
        items : ndarray of shape (n_queries,), dtype int64
            Positions of items.
        own : csr_array of shape (n_queries, n_items**2), default=None
            As `gains` takes it.

        Returns
        -------
        gains : ndarray of shape (n_queries,), dtype float32
            f of these.
        """
        reading, change = self._reading(latest, own)
        read = reading.tocoo()
        total = cells(change, np.arange(len(items)), items).astype(np.float64)
        count = cells(self.counts, read.col, items[read.row])
        total += np.bincount(read.row, read.data * count, minlength=len(items))
        return self._logarithm(total.astype(np.float32))

    def _logarithm(self, share: NDArray[np.float32]) -> NDArray[np.float32]:
        n_items = np.float32(len(self.size))
        gains: NDArray[np.float32] = np.log1p(np.maximum(share, 0) * n_items)  # rounding
        return gains

    def _reading(
        self, latest: NDArray[np.int64], own: sp.csr_array | None
    ) -> tuple[sp.csr_array, sp.csr_array]:
        """Return what rows of C are multiplied with for each query, and what comes on top of it.

        Both of shape (n_queries, n_items).
        """
        n_items = len(self.size)
        shape = len(latest), n_items
        query, lag = np.nonzero((latest > 0) & (latest <= n_items))
        weight = _lag_weights(latest.shape[1])[lag]
        reading = sp.csr_array((weight, (query, latest[query, lag] - 1)), shape=shape)
        size = self.size[reading.indices]
        if own is None or not own.nnz:
            reading.data = (reading.data / size).astype(np.float32)
            return reading, 0 * reading
        query, item, follower, added = self._changes(own)
        larger = sp.csr_array((added, (query, item)), shape=shape)
        size += cells(
            larger, np.repeat(np.arange(shape[0]), np.diff(reading.indptr)), reading.indices
        )
        reading.data = (reading.data / size).astype(np.float32)
        change = added * cells(reading, query, item)
        return reading, sp.csr_array((change, (query, follower)), shape=shape)

    def _changes(self, own: sp.csr_array) -> tuple[NDArray[Any], ...]:
        """Return queries, items, followers, and what their counts change by without ``own``."""
        n_items = len(self.size)
        pairs = own.tocoo()
        query, pair = pairs.row.astype(np.int64), pairs.col.astype(np.int64)
        item, follower = pair // n_items, pair % n_items
        count = cells(self.counts, item, follower)
        rest = np.maximum(count - pairs.data, 0)
        next_item = self._next_item[item]
        next_count = self._next_count[item] - cells(own, query, item * n_items + next_item)
        even = np.abs(rest - next_count) <= ROUNDING * count
        out = np.where(even, next_item < follower, rest < next_count)
        out &= (next_count > 0) & (count > 0)
        added = np.where(out, -count, rest - count)
        _, first = np.unique(query[out] * n_items + item[out], return_index=True)
        enters = np.flatnonzero(out)[first]
        return (
            np.concatenate([query, query[enters]]),
            np.concatenate([item, item[enters]]),
            np.concatenate([follower, next_item[enters]]),
            np.concatenate([added, next_count[enters]]),
        )


def cells(matrix: sp.csr_array, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
    """Return single cells of a sparse matrix.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
        The matrix.
    rows, columns : ndarray of shape (n_cells,), of integers
        Which.

    Returns
    -------
    values : ndarray of shape (n_cells,)
        0 where nothing is stored.
    """
    if not len(rows) or not matrix.nnz:  # scipy returns something else for no cells
        return np.zeros(len(rows), dtype=matrix.dtype)
    taken: Any = matrix[rows, columns]
    values: NDArray[np.float32] = taken.toarray() if hasattr(taken, "toarray") else taken
    return np.asarray(values).ravel()


def _followed(
    histories: Histories, n_items: int, weight: NDArray[np.float64], step: int
) -> sp.csr_array:
    """Return the weight of the events of each item that came ``step`` events after each other."""
    item, user = histories.items, histories.users
    follows = (user[step:] == user[:-step]) & (item[step:] > 0) & (item[:-step] > 0)
    first = np.flatnonzero(follows & (weight[step:] > 0))
    pairs = item[first] - 1, item[first + step] - 1
    return sp.csr_array((weight[first + step], pairs), shape=(n_items, n_items))


def _largest(
    matrix: sp.csr_array, n: int
) -> tuple[sp.csr_array, NDArray[np.int64], NDArray[np.float32]]:
    """Return the n largest values of each row, of equal ones the first, and those that come next.

    The next ones are columns and values (n_rows,), 0 where there is none.
    """
    matrix.sort_indices()
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    rank = np.arange(len(order)) - matrix.indptr[row]
    best, after = order[rank < n], order[rank == n]
    kept = (row[best], matrix.indices[best])
    column, value = np.zeros(matrix.shape[0], dtype=np.int64), np.zeros(matrix.shape[0], np.float32)
    column[row[after]], value[row[after]] = matrix.indices[after], matrix.data[after]
    return sp.csr_array((matrix.data[best], kept), shape=matrix.shape), column, value


def _lag_weights(n_lags: int) -> NDArray[np.float32]:
    """Return w of the latest events, 0 beyond the reach."""
    lag = np.arange(1, n_lags + 1)
    total = (1 / np.arange(1, REACH + 1)).sum()
    weights: NDArray[np.float32] = np.where(lag <= REACH, 1 / (lag * total), 0).astype(np.float32)
    return weights
