"""Texts: their words, pairs of words, parts of words and how they are written."""

from __future__ import annotations

from .bags import MADE, PART, Link
from .columns import Column
from .words import split_words, word_looks, word_pairs, word_parts, written_words


class TextReader:
    """Reads a column of texts; a missing text is an empty one."""

    def fit(self, column: Column) -> TextReader:
        """Return itself: texts can be read as they are.

        Parameters
        ----------
        column : Column
            The column of the training table.

        Returns
        -------
        self : TextReader
            The same.
        """
        self._made: dict[str, list[str]] = {}  # every word is taken apart once
        return self

    def rows(self, column: Column) -> list[str]:
        """Return the texts.

        Parameters
        ----------
        column : Column
            Strings.

        Returns
        -------
        texts : list of str
            One per row.
        """
        return column.as_texts()

    def units(self, row: str) -> list[str]:
        """Return the words of a text, pairs such as "credit card", parts of words and their looks.

        Parameters
        ----------
        row : str
            A text.

        Returns
        -------
        units : list of str
            As often as they occur.
        """
        written = written_words(row)
        words = [word.casefold() for word in written]
        units = [*words, *_pairs(words)]
        for word in written:
            units += self._made_of(word)
        return units

    def names(self, row: str) -> list[str]:
        """Return the words of a text.

        Parameters
        ----------
        row : str
            A text.

        Returns
        -------
        names : list of str
            In order.
        """
        return split_words(row)

    def links(self, row: str) -> list[Link]:
        """Return the units of a text, and what they are about: a pair, both of its words.

        Parameters
        ----------
        row : str
            A text.

        Returns
        -------
        links : list of (positions, unit)
            Each unit, with the positions of the words that it is about.
        """
        written = written_words(row)
        words = [word.casefold() for word in written]
        links: list[Link] = []
        for place, word in enumerate(words):
            links += [((place,), unit) for unit in (word, *self._made_of(written[place]))]
        pairs = _pairs(words)
        return links + [((place, place + 1), pair) for place, pair in enumerate(pairs)]

    def _made_of(self, written: str) -> list[str]:
        if written not in self._made:
            self._made[written] = _made(written)
        return self._made[written]

    def __getstate__(self) -> dict[str, dict[str, list[str]]]:
        """Leave out what is only remembered."""
        return {"_made": {}}


def _pairs(words: list[str]) -> list[str]:
    """Return the pairs of words, marked."""
    return [MADE + pair for pair in word_pairs(words)]


def _made(written: str) -> list[str]:
    """Return the parts and the looks of a word, marked: "cat" may be a word as well."""
    parts = [PART + part for part in word_parts(written.casefold())]
    return parts + [MADE + look for look in word_looks(written)]
