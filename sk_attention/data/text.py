"""Texts: their words, pairs of words and parts of words."""

from __future__ import annotations

from .bags import PART, Link
from .columns import Column
from .words import split_words, word_pairs, word_parts


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
        self._parts: dict[str, list[str]] = {}  # every word is taken apart once
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
        """Return the words of a text, pairs such as "credit card", and parts of words.

        Parameters
        ----------
        row : str
            A text.

        Returns
        -------
        units : list of str
            As often as they occur.
        """
        words = split_words(row)
        units = [*words, *word_pairs(words)]
        for word in words:
            units += self._parts_of(word)
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
        words = split_words(row)
        links: list[Link] = []
        for place, word in enumerate(words):
            links += [((place,), unit) for unit in (word, *self._parts_of(word))]
        pairs = word_pairs(words)
        return links + [((place, place + 1), pair) for place, pair in enumerate(pairs)]

    def _parts_of(self, word: str) -> list[str]:
        if word not in self._parts:
            self._parts[word] = _parts(word)
        return self._parts[word]

    def __getstate__(self) -> dict[str, dict[str, list[str]]]:
        """Leave out what is only remembered."""
        return {"_parts": {}}


def _parts(word: str) -> list[str]:
    """Return the parts of a word, marked: "cat" may be a word as well."""
    return [PART + part for part in word_parts(word)]
