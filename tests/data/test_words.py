import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_attention.data.words import (
    MAX_WORDS,
    split_words,
    word_looks,
    word_pairs,
    word_parts,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t ", []),
        ("Two words", ["two", "words"]),
        ("isn't it?", ["isn", "'", "t", "it", "?"]),
        ("£5.50!", ["£", "5", ".", "50", "!"]),
        ("信用卡 visa", ["信", "用", "卡", "visa"]),
        ("カードb2b", ["カ", "ー", "ド", "b2b"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("\ufb01ne \uff21BC", ["fine", "abc"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("ok👍🏽", ["ok", "👍", "🏽"]),
    ],
)
def test_words_of_any_script_are_found(text, words):
    assert split_words(text) == words


@given(st.text())
def test_no_character_but_spaces_is_lost(text):
    words = split_words(text)
    assert all(word and not word.isspace() for word in words)
    assert len(words) <= len(text) * 18  # one character may stand for 18
    assert split_words(" ".join(words)) == words


def test_only_the_beginning_of_a_long_text_is_read():
    text = " ".join(f"w{i}" for i in range(MAX_WORDS + 5))
    assert split_words(text) == [f"w{i}" for i in range(MAX_WORDS)]


@pytest.mark.parametrize(
    ("written", "looks"),
    [
        ("word", []),
        ("A", []),
        ("OK", ["A", "OK"]),
        ("Covid19", ["covid00"]),
        ("MP3", ["mp0", "A", "MP3"]),
        ("٣", ["0"]),
        ("信", []),
    ],
)
def test_digits_and_capitals_stand_out(written, looks):
    assert word_looks(written) == looks


def test_parts_and_pairs():
    assert word_parts("a") == []
    assert word_parts("ab") == ["<ab", "ab>", "<ab>"]
    assert word_pairs(["a", "b", "c"]) == ["a b", "b c"]
    assert word_pairs(["a"]) == word_pairs([]) == []
