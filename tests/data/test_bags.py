from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data.bags import MADE, BagEncoder, Vocabulary
from sk_attention.data.columns import Column, table_columns
from sk_attention.data.ragged import side_by_side
from sk_attention.data.text import TextReader

TEXTS = ["good film", "bad film", "", "good good day"]


def fitted(texts=TEXTS, weight=None):
    weight = np.ones(len(texts)) if weight is None else np.array(weight)
    return Vocabulary(TextReader()).fit(Column("t", np.array(texts, dtype=object)), weight)


def held(own, texts, dtype=np.float64):
    return own.transform(Column("t", np.array(texts, dtype=object)), dtype)


def test_what_two_distinct_texts_hold_has_a_code_of_its_own():
    known = fitted(["good film", "good film", "a film", "day"]).codes_
    assert {"film", "\0<fi"} <= set(known)
    assert "good" not in known and "good film" not in known


def test_codes_do_not_depend_on_the_order_of_the_rows():
    assert fitted().codes_ == fitted(TEXTS[::-1]).codes_


def test_a_row_of_weight_two_is_the_same_as_two_rows():
    twice, heavy = fitted([*TEXTS, TEXTS[0]]), fitted(weight=[2.0, 1, 1, 1])
    assert twice.codes_ == heavy.codes_
    assert_allclose(twice.prior_, heavy.prior_)


def test_prior_is_larger_for_what_few_texts_hold():
    own = fitted(["film one", "film two", "film one", "film four two"])
    film, two = own.prior_[own.codes_["film"]], own.prior_[own.codes_["two"]]
    assert film == 1.0
    assert_allclose(two, 1 + np.log(2))
    assert_allclose(own.prior_[own.codes_["\0fil"]], 0.25)


def test_bags_hold_codes_and_how_often():
    own = fitted()
    length, parts = held(own, ["good film good", ""], np.float32)
    assert length.tolist() == [len(parts["id"]), 0]
    assert (np.diff(parts["id"]) > 0).all()
    times = dict(zip(parts["id"].tolist(), parts["value"].tolist(), strict=True))
    assert times[own.codes_["film"]] == 1.0
    assert_allclose(times[own.codes_["good"]], 1 + np.log(2), rtol=1e-6)
    assert parts["value"].dtype == np.float32


def test_unknown_words_have_the_same_bucket_in_every_process():
    own = fitted()
    first = len(own.codes_)
    assert first <= own.code("unheard") < first + own.n_buckets_ == len(own.prior_)
    assert own.code("unheard") - first == crc32(b"unheard") % own.n_buckets_


def test_unknown_word_shares_parts_with_known_ones():
    own = fitted(["payment due", "late payment"])
    _, parts = held(own, ["repayments"])
    assert own.codes_["\0ment"] in parts["id"].tolist()


def test_pairs_and_parts_of_a_single_text_are_left_out():
    own = fitted(["late payment", "late payment due", "soon"])
    words, position, code = own.words("soon late payment")
    pair = own.codes_[MADE + "late payment"]
    assert words == ["soon", "late", "payment"]
    assert code[position == 0].tolist() == [own.code("soon")]  # in a bucket, and nothing else of it
    assert pair in code[position == 1] and pair in code[position == 2]
    assert set(held(own, ["soon late payment"])[1]["id"].tolist()) == set(code.tolist())


def test_capitals_and_digits_are_about_their_word():
    own = fitted(["WIN 100", "WIN 250", "win"])
    assert {"win", MADE + "WIN", MADE + "A", MADE + "000"} <= set(own.codes_)
    _, position, code = own.words("win 777")
    assert own.codes_[MADE + "000"] in code[position == 1]
    assert own.codes_[MADE + "WIN"] not in code
    assert own.codes_[MADE + "WIN"] in own.words("WIN")[2]


def test_words_and_the_codes_about_them():
    own = fitted([*TEXTS, "a good film"])
    words, position, code = own.words("good film")
    assert words == ["good", "film"]
    about = {word: set(code[position == place].tolist()) for place, word in enumerate(words)}
    pair = own.codes_[MADE + "good film"]
    assert about["good"] & about["film"] == {pair}
    assert own.codes_["good"] in about["good"]


def test_shares_of_tokens_sum_to_what_the_text_holds():
    frame = pd.DataFrame({"a": ["x", *TEXTS, None], "b": ["", "day by day", *TEXTS]})
    columns = table_columns(frame)
    encoder = BagEncoder([TextReader(), TextReader()]).fit(columns, np.ones(6))
    bags = encoder.transform(columns, np.float64)
    ragged = side_by_side(bags)
    length, ids = ragged.length.numpy(), ragged.parts["id"].numpy()
    weights = np.random.default_rng(0).random((len(ids), 2))
    total = np.zeros((12, 2))
    np.add.at(total, np.arange(12).repeat(length.ravel()), weights)
    for j, own in enumerate(encoder.token_shares(columns, length, ids)):
        by_row = np.zeros((6, 2))
        np.add.at(by_row, own.row, own.by_word(weights))
        assert_allclose(by_row, total[j::2])


def test_columns_have_codes_of_their_own():
    frame = pd.DataFrame({"a": TEXTS, "b": TEXTS})
    encoder = BagEncoder([TextReader(), TextReader()]).fit(table_columns(frame), np.ones(4))
    (length, one), (_, other) = encoder.transform(table_columns(frame), np.float64)
    n_codes = len(encoder.prior_) // 2
    assert_array_equal(one["id"] + n_codes, other["id"])
    assert length.tolist() == [len(set(encoder.vocabularies_[0].words(t)[2])) for t in TEXTS]


@pytest.mark.parametrize("value", [3, b"good", ["good"]])
def test_what_is_no_text_is_refused(value):
    (column,) = table_columns(pd.DataFrame({"t": ["good", None, value]}, dtype=object))
    with pytest.raises(ValueError, match=r"Feature 't' is read as text, found .* of type "):
        BagEncoder([TextReader()]).fit([column], np.ones(3))
