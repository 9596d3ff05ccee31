"""Texts -> words, pairs of words, parts of words and how they are written, in any script."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise

# Of a longer text only the beginning is read.
MAX_WORDS = 4096

# Parts of a word have so many characters, its ends counted as one each.
PART_SIZES = (3, 4)

# Scripts that are written without spaces between words: each character is a word, and pairs of
# them stand for words of several.
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)


def split_words(text: str) -> list[str]:
    """Return the words of a text, without regard to case and to how characters are encoded.

    A word is a run of letters, marks and digits. Every other character that is not a space is a
    word of its own, and so is each character of scripts without spaces, such as Chinese.

    Parameters
    ----------
    text : str
        Any text; it may be empty.

    Returns
    -------
    words : list of str
        The first 4,096, in order.

    Examples
    --------
    >>> from sk_attention.data.words import split_words
    >>> split_words("Does it cost £5? 多少钱")
    ['does', 'it', 'cost', '£', '5', '?', '多', '少', '钱']
    """
    return [word.casefold() for word in written_words(text)]


def written_words(text: str) -> list[str]:
    """Return the words of a text as they are written: `split_words` before case is lost.

    Parameters
    ----------
    text : str
        Any text; it may be empty.

    Returns
    -------
    words : list of str
        The first 4,096, in order.
    """
    found = _word_pattern().finditer(unicodedata.normalize("NFKC", text))
    return [match.group() for match, _ in zip(found, range(MAX_WORDS), strict=False)]


def word_looks(written: str) -> list[str]:
    """Return what stands out in how a word is written: its digits as such, and capitals.

    Parameters
    ----------
    written : str
        One of `written_words`.

    Returns
    -------
    looks : list of str
        The word with a 0 for every digit, if it has any; the word and "A" if it has several
        characters and no letter that is not a capital.

    Examples
    --------
    >>> from sk_attention.data.words import word_looks
    >>> word_looks("07700-900"), word_looks("WIN"), word_looks("Win"), word_looks("I")
    (['00000-000'], ['A', 'WIN'], [], [])
    """
    looks = []
    if any(letter.isdigit() for letter in written):
        looks.append("".join("0" if c.isdigit() else c for c in written.casefold()))
    if len(written) > 1 and written.isupper():
        looks += ["A", written]
    return looks


def word_parts(word: str) -> list[str]:
    """Return the parts of a word, runs of 3 and 4 characters of ``<word>``, after [1]_.

    Parameters
    ----------
    word : str
        One of `split_words`.

    Returns
    -------
    parts : list of str
        None for a word of one character.

    References
    ----------
    .. [1] Bojanowski et al., "Enriching word vectors with subword information", TACL 2017.

    Examples
    --------
    >>> from sk_attention.data.words import word_parts
    >>> word_parts("cat")
    ['<ca', 'cat', 'at>', '<cat', 'cat>']
    """
    if len(word) < 2:
        return []
    whole = f"<{word}>"
    return [whole[i : i + n] for n in PART_SIZES for i in range(len(whole) - n + 1)]


def word_pairs(words: list[str]) -> list[str]:
    """Return each two words that follow each other.

    Parameters
    ----------
    words : list of str
        The words of a text.

    Returns
    -------
    pairs : list of str
        ``"credit card"``.
    """
    return [f"{one} {other}" for one, other in pairwise(words)]


@cache
def _word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word: Python's own leaves out the marks that many scripts need."""
    marks = [c for c in map(chr, range(0x3000)) if unicodedata.category(c).startswith("M")]
    spaced = rf"(?:(?![{_UNSPACED}])[\w{''.join(marks)}])+"
    return re.compile(rf"{spaced}|\S")
