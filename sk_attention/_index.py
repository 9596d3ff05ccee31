"""An index of the items' vectors: it finds most of the best without a look at all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Cells that a query looks into: with 2 sqrt(I) cells that is 1 of 31 items of a million.
CELLS_PROBED = 64

# Items of each cell that its place is found from, and the fewest that make a cell.
ITEMS_PER_CELL = 64


class CellIndex:
    r"""The items in :math:`2 \sqrt I` cells; a query looks into those nearest to it.

    An item's vector and bias become one vector, of 8 bits a number; a query's vector ends in a 1.
    What is best among them by their products is to be scored exactly.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_dims), dtype float32
        Vectors of the items.
    bias : ndarray of shape (n_items,), dtype float32
        What an item scores whatever the history.

    Raises
    ------
    ImportError
        If faiss is not installed.
    """

    def __init__(self, items: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        faiss = import_faiss()
        vectors = np.ascontiguousarray(np.hstack([items, bias[:, None]]), dtype=np.float32)
        n_items, n_dims = vectors.shape
        n_cells = max(min(round(2 * n_items**0.5), n_items // ITEMS_PER_CELL), 1)
        self._index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(n_dims),
            n_dims,
            n_cells,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
        )
        self._index.cp.min_points_per_centroid = 1
        self._index.cp.max_points_per_centroid = ITEMS_PER_CELL
        self._index.train(vectors)
        self._index.add(vectors)

    def search(
        self, hidden: NDArray[np.float32], n_wanted: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return items that are likely to score high.

        Parameters
        ----------
        hidden : ndarray of shape (n_queries, n_dims)
            Histories.
        n_wanted : int
            Items wanted for each.
        allowed : ndarray of shape (n_items,), dtype bool
            Items to look among.

        Returns
        -------
        items : ndarray of shape (n_queries, n_wanted), dtype int64
            Positions, -1 where fewer were found.
        """
        faiss = import_faiss()
        queries = np.hstack([hidden, np.ones((len(hidden), 1))]).astype(np.float32)
        options: dict[str, Any] = {"nprobe": CELLS_PROBED}
        if not allowed.all():
            options["sel"] = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        options = faiss.SearchParametersIVF(**options)
        _, found = self._index.search(queries, n_wanted, params=options)
        items: NDArray[np.int64] = found
        return items

    def __getstate__(self) -> dict[str, Any]:
        return {"_index": import_faiss().serialize_index(self._index)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._index = import_faiss().deserialize_index(state["_index"])


def import_faiss() -> Any:
    """Import faiss.

    Returns
    -------
    faiss : module
        The library.

    Raises
    ------
    ImportError
        If it is not installed; the message says which extra brings it.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "index='faiss' of AttentionRecommender needs faiss: install sk-attention[ann], or "
            "pass index=None, which compares with all items."
        ) from error
    return faiss
