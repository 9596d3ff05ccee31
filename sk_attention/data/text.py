"""Texts: their words, pairs of words and parts of words."""

from __future__ import annotations

from .bags import PART
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
            if word not in self._parts:
                self._parts[word] = _parts(word)
            units += self._parts[word]
        return units

    def words(self, row: str) -> tuple[list[str], list[int], list[str]]:
        """Return the words of a text, and what is about them: a pair is about both of its words.

        Parameters
        ----------
        row : str
            A text.

        Returns
        -------
        words : list of str
            In order.
        position, units : list
            Positions of words, and a unit about each.
        """
        words = split_words(row)
        position, units = [], []
        for place, word in enumerate(words):
            own = [word, *_parts(word)]
            units += own
            position += [place] * len(own)
        for place, pair in enumerate(word_pairs(words)):
            units += [pair, pair]
            position += [place, place + 1]
        return words, position, units

    def __getstate__(self) -> dict[str, dict[str, list[str]]]:
        """Leave out what is only remembered."""
        return {"_parts": {}}


def _parts(word: str) -> list[str]:
    """Return the parts of a word, marked: "cat" may be a word as well."""
    return [PART + part for part in word_parts(word)]
