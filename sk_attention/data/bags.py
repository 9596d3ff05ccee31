"""Texts and sequences -> bags of codes: words, known or hashed, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .columns import Column

# Words that occur in fewer distinct rows share codes with others that do; what is made of words is
# then left out: what a single row holds tells that row from all others, and nothing else.
MIN_ROWS = 2
MIN_BUCKETS = 16
MAX_BUCKETS = 8192
MAX_KNOWN = 200_000

# What is made of words is marked. Parts of words are many and say the same several times over.
PART_SHARE = 0.25
PART = "\0"
MADE = "\1"

Bag = tuple[NDArray[np.intp], dict[str, NDArray[Any]]]
Link = tuple[tuple[int, ...], str]


class Reader(Protocol):
    """What one kind of column holds: units such as words, pairs of them and parts of them."""

    def fit(self, column: Column) -> Reader:
        """Learn what has to be known to read the column."""

    def rows(self, column: Column) -> list[Any]:
        """Return what each row holds, as values that can be sorted and compared."""

    def units(self, row: Any) -> list[str]:
        """Return the units of a row: words, and what is made of them, marked `PART` or `MADE`."""

    def names(self, row: Any) -> list[str]:
        """Return the words of a row, in order."""

    def links(self, row: Any) -> list[Link]:
        """Return the units of a row, each with the positions of the words that it is about."""


class TokenShares(NamedTuple):
    """The words of all rows of a column, and the tokens that are about them.

    A token that is about several words is shared among them equally.

    Attributes
    ----------
    row : ndarray of shape (n_words,)
        The row of each word.
    names : list of str
        The words.
    of_word, of_token : ndarray of shape (n_links,)
        Pairs of a word and a token.
    """

    row: NDArray[np.intp]
    names: list[str]
    of_word: NDArray[np.intp]
    of_token: NDArray[np.intp]

    def by_word(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights of the words.

        Parameters
        ----------
        weights : ndarray of shape (n_tokens, n_tasks)
            Those of the tokens.

        Returns
        -------
        by_word : ndarray of shape (n_words, n_tasks)
            The same in sum.
        """
        times = np.bincount(self.of_token, minlength=len(weights))[self.of_token]
        out = np.zeros((len(self.names), weights.shape[1]))
        np.add.at(out, self.of_word, weights[self.of_token] / times[:, None])
        return out


class Vocabulary:
    """The codes of one column.

    What occurs in at least two distinct rows has a code of its own. Other words share those of some
    buckets, which a checksum chooses: the same in every process. What else is made of words is
    left out.

    Parameters
    ----------
    reader : Reader
        Knows what a row holds.
    ordered : bool, default=False
        Whether `transform` says where in a row its units are.

    Attributes
    ----------
    codes_ : dict
        Units -> code, in the order of the alphabet.
    n_buckets_ : int
        Codes of all words that are not in ``codes_``: those that follow.
    prior_ : ndarray of shape (n_codes,)
        How much a code stands out before anything is learned: 1 plus the logarithm of one over the
        share of rows that hold it; a quarter of it for parts of words.
    """

    codes_: dict[str, int]
    n_buckets_: int
    prior_: NDArray[np.float64]

    def __init__(self, reader: Reader, ordered: bool = False) -> None:
        self.reader = reader
        self.ordered = ordered

    def fit(self, column: Column, weight: NDArray[np.float64]) -> Vocabulary:
        """Learn the codes.

        Parameters
        ----------
        column : Column
            The column of the training table.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : Vocabulary
            The fitted vocabulary.
        """
        distinct: dict[Any, float] = {}
        for row, own in zip(self.reader.fit(column).rows(column), weight.tolist(), strict=True):
            distinct[row] = distinct.get(row, 0.0) + own
        count: dict[str, int] = {}
        total: dict[str, float] = {}
        for row in sorted(distinct):
            for unit in set(self.reader.units(row)):
                count[unit] = count.get(unit, 0) + 1
                total[unit] = total.get(unit, 0.0) + distinct[row]
        known = sorted(
            (unit for unit, times in count.items() if times >= MIN_ROWS),
            key=lambda unit: (-count[unit], unit),
        )
        known = sorted(known[:MAX_KNOWN])
        self.codes_ = {unit: code for code, unit in enumerate(known)}
        rare = [total[unit] for unit in count if unit not in self.codes_ and self.reads(unit)]
        n_buckets = 2 ** int(np.log2(max(len(rare), 1)))
        self.n_buckets_ = min(max(n_buckets, MIN_BUCKETS), MAX_BUCKETS)
        all_rows = float(weight.sum())
        sums = np.array(
            [*(total[unit] for unit in known), np.mean(sorted(rare)) if rare else all_rows]
        )
        prior = 1.0 - np.log(np.minimum(sums / all_rows, 1.0))
        prior[:-1][[unit.startswith(PART) for unit in known]] *= PART_SHARE
        self.prior_ = np.concatenate([prior[:-1], np.full(self.n_buckets_, prior[-1])])
        return self

    def transform(self, column: Column, dtype: DTypeLike) -> Bag:
        """Return what each row holds.

        Parameters
        ----------
        column : Column
            A column like that of fit.
        dtype : dtype
            Of the values.

        Returns
        -------
        length : ndarray of shape (n_rows,)
            Tokens of each row.
        parts : dict of ndarray of shape (n_tokens,)
            "id": the distinct codes, increasing in each row; "value": 1 plus the logarithm of how
            often the row holds each. Of an ordered column instead the code of every unit, one
            after the other, with a "value" of 1 and its "place", the position of the last word
            that it is about.
        """
        if self.ordered:
            return self._in_order(column, dtype)
        ids: list[int] = []
        n_units = []
        for row in self.reader.rows(column):
            own = [self.code(unit) for unit in self.reader.units(row) if self.reads(unit)]
            ids.extend(own)
            n_units.append(len(own))
        n_codes = len(self.prior_)
        place = np.repeat(np.arange(len(n_units)), n_units)
        held, times = np.unique(place * n_codes + np.array(ids, dtype=np.intp), return_counts=True)
        length = np.bincount(held // n_codes, minlength=len(n_units))
        return length, {"id": held % n_codes, "value": (1.0 + np.log(times)).astype(dtype)}

    def _in_order(self, column: Column, dtype: DTypeLike) -> Bag:
        ids: list[int] = []
        places: list[int] = []
        length = []
        for row in self.reader.rows(column):
            links = self.links(row)
            ids.extend(self.code(unit) for _, unit in links)
            places.extend(about[-1] for about, _ in links)
            length.append(len(links))
        value = np.ones(len(ids), dtype=dtype)
        parts = {"id": np.array(ids, dtype=np.intp), "value": value}
        return np.array(length, dtype=np.intp), {**parts, "place": np.array(places, dtype=np.intp)}

    def links(self, row: Any) -> list[Link]:
        """Return what is read of a row, in the order of the words that complete it.

        Parameters
        ----------
        row : object
            One of the reader's rows.

        Returns
        -------
        links : list of (positions, unit)
            Each unit, with the positions of the words that it is about.
        """
        read = (link for link in self.reader.links(row) if self.reads(link[1]))
        return sorted(read, key=lambda link: link[0][-1])

    def words(self, row: Any) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
        """Return the words of a row, and which codes are about which of them.

        Parameters
        ----------
        row : object
            One of the reader's rows.

        Returns
        -------
        words : list of str
            In order; a word may occur several times.
        position : ndarray of shape (n_links,)
            Which word.
        code : ndarray of shape (n_links,)
            A code of a unit about it.
        """
        links = [(place, unit) for about, unit in self.links(row) for place in about]
        codes = [self.code(unit) for _, unit in links]
        position = np.array([place for place, _ in links], dtype=np.intp)
        return self.reader.names(row), position, np.array(codes, dtype=np.intp)

    def reads(self, unit: str) -> bool:
        """Say whether a unit has a code: every word, and what is made of words if it is known.

        Parameters
        ----------
        unit : str
            One of the reader's.

        Returns
        -------
        reads : bool
            False for what is made of words and not known.
        """
        return unit in self.codes_ or not unit.startswith((PART, MADE))

    def code(self, unit: str) -> int:
        """Return the code of a unit.

        Parameters
        ----------
        unit : str
            As in ``codes_``.

        Returns
        -------
        code : int
            A bucket if it is not known.
        """
        known = self.codes_.get(unit)
        if known is not None:
            return known
        return len(self.codes_) + crc32(unit.encode("utf-8", "surrogatepass")) % self.n_buckets_


class BagEncoder:
    """Columns as bags of codes, a `Vocabulary` each.

    Parameters
    ----------
    readers : sequence of Reader
        One per column.
    ordered : bool, default=False
        Whether `transform` says where in a row its units are.

    Attributes
    ----------
    vocabularies_ : list of Vocabulary
        One per column.
    prior_ : ndarray of shape (n_codes,), dtype float64
        Those of all columns; their codes follow each other.
    """

    vocabularies_: list[Vocabulary]
    prior_: NDArray[np.float64]

    def __init__(self, readers: Sequence[Reader], ordered: bool = False) -> None:
        self.readers = list(readers)
        self.ordered = ordered

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> BagEncoder:
        """Learn the codes of each column.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts or sequences; missing ones are read as empty.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : BagEncoder
            The fitted encoder.
        """
        self.vocabularies_ = [
            Vocabulary(reader, self.ordered).fit(column, weight)
            for reader, column in zip(self.readers, columns, strict=True)
        ]
        self.prior_ = np.concatenate([np.empty(0), *(own.prior_ for own in self.vocabularies_)])
        return self

    def token_shares(
        self, columns: Sequence[Column], length: NDArray[np.intp], ids: NDArray[np.intp]
    ) -> Iterator[TokenShares]:
        """Say for each column which words its tokens stand for.

        Parameters
        ----------
        columns : sequence of Column
            Columns like those of fit.
        length : ndarray of shape (n_rows, n_columns)
            Tokens of each row and column.
        ids : ndarray of shape (n_tokens,)
            Their codes, row by row and column by column, as `transform` gives them.

        Yields
        ------
        shares : TokenShares
            Of a column.
        """
        end = length.ravel().cumsum().reshape(length.shape)
        first = 0
        for j, (column, vocabulary) in enumerate(zip(columns, self.vocabularies_, strict=True)):
            rows, names, of_word, of_token, n_words = [], [], [], [], 0
            for row, its in enumerate(vocabulary.reader.rows(column)):
                start = end[row, j] - length[row, j]
                if self.ordered:
                    links = [about for about, _ in vocabulary.links(its)]
                    words = vocabulary.reader.names(its)
                    position = np.array([place for about in links for place in about], np.intp)
                    held = np.repeat(np.arange(len(links)), [len(about) for about in links])
                else:
                    words, position, code = vocabulary.words(its)
                    held = (ids[start : end[row, j]] - first).searchsorted(code)
                of_token.append(start + held)
                of_word.append(n_words + position)
                rows.append(np.full(len(words), row))
                names += words
                n_words += len(words)
            yield TokenShares(
                np.concatenate(rows), names, np.concatenate(of_word), np.concatenate(of_token)
            )
            first += len(vocabulary.prior_)

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> list[Bag]:
        """Return what each row holds, column by column; see `Vocabulary.transform`.

        Parameters
        ----------
        columns : sequence of Column
            Columns like those of fit.
        dtype : dtype
            Of the values.

        Returns
        -------
        bags : list of (length, parts)
            One per column.
        """
        bags, first = [], 0
        for column, vocabulary in zip(columns, self.vocabularies_, strict=True):
            length, parts = vocabulary.transform(column, dtype)
            bags.append((length, {**parts, "id": parts["id"] + first}))
            first += len(vocabulary.prior_)
        return bags
