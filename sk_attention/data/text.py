"""Texts -> bags of codes: words, pairs of words and parts of words, each known or hashed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .columns import Column
from .words import split_words, word_pairs, word_parts

# What occurs in fewer distinct texts shares codes with others that do.
MIN_TEXTS = 2
MIN_BUCKETS = 16
MAX_BUCKETS = 8192
MAX_KNOWN = 200_000

# Parts of words are many and say the same several times over.
PART_SHARE = 0.25

Bag = tuple[NDArray[np.intp], dict[str, NDArray[Any]]]


class TokenShares(NamedTuple):
    """The words of all texts of a column, and the tokens that are about them.

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
    """The codes of one column of texts.

    What occurs in at least two distinct texts has a code of its own; everything else shares those
    of some buckets, which a checksum chooses: the same in every process.

    Attributes
    ----------
    codes_ : dict
        Words, pairs such as "credit card", and parts, marked by a leading zero -> code.
    n_buckets_ : int
        Codes of all that is not in ``codes_``: those that follow.
    prior_ : ndarray of shape (n_codes,)
        How much a code stands out before anything is learned: 1 plus the logarithm of one over the
        share of texts that hold it; a quarter of it for parts of words.
    """

    codes_: dict[str, int]
    n_buckets_: int
    prior_: NDArray[np.float64]

    def fit(self, texts: Sequence[str], weight: NDArray[np.float64]) -> Vocabulary:
        """Learn the codes.

        Parameters
        ----------
        texts : sequence of str
            One per row.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : Vocabulary
            The fitted vocabulary.
        """
        distinct, position = np.unique(np.array(texts, dtype=object), return_inverse=True)
        share = np.bincount(position, weights=weight) / weight.sum()
        count: dict[str, int] = {}
        total: dict[str, float] = {}
        split = _Splitter()
        for text, own in zip(distinct, share.tolist(), strict=True):
            for unit in set(split(text)):
                count[unit] = count.get(unit, 0) + 1
                total[unit] = total.get(unit, 0.0) + own
        known = sorted(
            (unit for unit, times in count.items() if times >= MIN_TEXTS),
            key=lambda unit: (-count[unit], unit),
        )
        known = sorted(known[:MAX_KNOWN])
        self.codes_ = {unit: code for code, unit in enumerate(known)}
        n_rare = max(len(count) - len(known), 1)
        self.n_buckets_ = min(max(2 ** int(np.log2(n_rare)), MIN_BUCKETS), MAX_BUCKETS)
        rare = [own for unit, own in total.items() if unit not in self.codes_]
        shares = np.array([*(total[unit] for unit in known), np.mean(rare) if rare else 1.0])
        prior = 1.0 - np.log(np.minimum(shares, 1.0))
        prior[:-1][[_is_part(unit) for unit in known]] *= PART_SHARE
        self.prior_ = np.concatenate([prior[:-1], np.full(self.n_buckets_, prior[-1])])
        return self

    def transform(self, texts: Sequence[str], dtype: DTypeLike) -> Bag:
        """Return what each text holds.

        Parameters
        ----------
        texts : sequence of str
            One per row.
        dtype : dtype
            Of the values.

        Returns
        -------
        length : ndarray of shape (n_rows,)
            Distinct codes of each text.
        parts : dict of ndarray of shape (n_tokens,)
            "id": the codes, increasing in each row; "value": 1 plus the logarithm of how often the
            text holds each.
        """
        split, ids, n_units = _Splitter(), [], []
        for text in texts:
            own = [self.code(unit) for unit in split(text)]
            ids.extend(own)
            n_units.append(len(own))
        n_codes = len(self.prior_)
        row = np.repeat(np.arange(len(texts)), n_units)
        held, times = np.unique(row * n_codes + np.array(ids, dtype=np.intp), return_counts=True)
        length = np.bincount(held // n_codes, minlength=len(texts))
        return length, {"id": held % n_codes, "value": (1.0 + np.log(times)).astype(dtype)}

    def words(self, text: str) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
        """Return the words of a text, and which codes are about which of them.

        Parameters
        ----------
        text : str
            One of a row.

        Returns
        -------
        words : list of str
            In order; a word may occur several times.
        position : ndarray of shape (n_links,)
            Which word.
        code : ndarray of shape (n_links,)
            A code that this word, a part of it, or a pair with the word before or after has.
        """
        words = split_words(text)
        position, units = [], []
        for place, word in enumerate(words):
            own = [word, *_parts(word)]
            units += own
            position += [place] * len(own)
        for place, pair in enumerate(word_pairs(words)):
            units += [pair, pair]
            position += [place, place + 1]
        codes = np.array([self.code(unit) for unit in units], dtype=np.intp)
        return words, np.array(position, dtype=np.intp), codes

    def code(self, unit: str) -> int:
        """Return the code of a word, a pair of words or a part of a word.

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


class TextEncoder:
    """Texts as bags of codes, a `Vocabulary` per column.

    Attributes
    ----------
    vocabularies_ : list of Vocabulary
        One per column.
    prior_ : ndarray of shape (n_codes,), dtype float64
        Those of all columns; their codes follow each other.
    """

    vocabularies_: list[Vocabulary]
    prior_: NDArray[np.float64]

    def fit(self, columns: Sequence[Column], weight: NDArray[np.float64]) -> TextEncoder:
        """Learn the codes of each column.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts; missing ones are read as empty.
        weight : ndarray of shape (n_rows,), dtype float64
            Weight of each row, positive.

        Returns
        -------
        self : TextEncoder
            The fitted encoder.
        """
        self.vocabularies_ = [Vocabulary().fit(own.as_texts(), weight) for own in columns]
        self.prior_ = np.concatenate([np.empty(0), *(own.prior_ for own in self.vocabularies_)])
        return self

    def token_shares(
        self, columns: Sequence[Column], length: NDArray[np.intp], ids: NDArray[np.intp]
    ) -> Iterator[TokenShares]:
        """Say for each column which words its tokens stand for.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts.
        length : ndarray of shape (n_rows, n_columns)
            Tokens of each text.
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
            for row, text in enumerate(column.as_texts()):
                words, position, code = vocabulary.words(text)
                start = end[row, j] - length[row, j]
                held = ids[start : end[row, j]] - first
                of_token.append(start + held.searchsorted(code))
                of_word.append(n_words + position)
                rows.append(np.full(len(words), row))
                names += words
                n_words += len(words)
            yield TokenShares(
                np.concatenate(rows), names, np.concatenate(of_word), np.concatenate(of_token)
            )
            first += len(vocabulary.prior_)

    def transform(self, columns: Sequence[Column], dtype: DTypeLike) -> list[Bag]:
        """Return what each text holds, column by column; see `Vocabulary.transform`.

        Parameters
        ----------
        columns : sequence of Column
            Columns of texts.
        dtype : dtype
            Of the values.

        Returns
        -------
        bags : list of (length, parts)
            One per column.
        """
        bags, first = [], 0
        for column, vocabulary in zip(columns, self.vocabularies_, strict=True):
            length, parts = vocabulary.transform(column.as_texts(), dtype)
            bags.append((length, {**parts, "id": parts["id"] + first}))
            first += len(vocabulary.prior_)
        return bags


class _Splitter:
    """Splits texts, and every word once."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {}

    def __call__(self, text: str) -> list[str]:
        words = split_words(text)
        units = [*words, *word_pairs(words)]
        for word in words:
            parts = self._parts.get(word)
            if parts is None:
                parts = self._parts[word] = _parts(word)
            units += parts
        return units


def _parts(word: str) -> list[str]:
    """Return the parts of a word, marked: "cat" may be a word as well."""
    return [f"\0{part}" for part in word_parts(word)]


def _is_part(unit: str) -> bool:
    return unit.startswith("\0")
