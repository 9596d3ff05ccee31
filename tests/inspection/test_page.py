import base64
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sk_attention.inspection._page import as_json, pack, page

HOSTILE = "</script><img src=x onerror=alert(1)> & ' \" \u2028 \u202e \x00 \ud800 <!-- <script>"

scalars = st.none() | st.booleans() | st.text() | st.integers(-(2**40), 2**40)


@settings(max_examples=40)
@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_the_same_and_holds_no_markup(content):
    text = as_json(content)
    assert json.loads(text) == content
    assert text.isascii()
    assert not set(text) & set("<>&")


def test_what_is_no_finite_number_is_null():
    content = {"numbers": np.array([1.0, np.nan, np.inf]), "one": np.float64("nan")}
    assert json.loads(as_json(content)) == {"numbers": [1, None, None], "one": None}


def test_numbers_keep_four_digits_and_whole_ones_all():
    assert json.loads(as_json([1.23456, 2013.0, 1234567.0, 0.000123456])) == [
        1.235,
        2013,
        1234567,
        0.0001235,
    ]


@pytest.mark.parametrize("size", [0.0, 1e-9, 3.0, 1e12])
def test_packed_numbers_differ_by_half_a_step_at_most(size):
    values = size * np.random.default_rng(0).normal(size=(20, 3))
    packed = pack(values)
    whole = np.frombuffer(base64.b64decode(packed["data"]), dtype="<i2")
    step = np.abs(values).max() / 32767
    assert_allclose(whole * packed["scale"], values.ravel(), rtol=0, atol=0.51 * step)


def test_page_allows_its_own_script_and_style_only():
    text = page("title", {})
    for tag in ("script", "style"):
        own = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_page_asks_nothing_of_a_network_and_writes_no_markup():
    text = page("title", {}).replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    for word in ("http:", "https:", "src=", "url(", "@import", "fetch", "innerHTML", "eval("):
        assert word not in text


def test_hostile_strings_are_inert_in_title_and_content():
    text = page(HOSTILE, {HOSTILE: HOSTILE})
    assert text.count("</script>") == 2
    assert "<img" not in text
    text.encode("utf-8")


def test_title_is_not_filled_in_again():
    assert "<title>{{data}} {{x}}</title>" in page("{{data}} {{x}}", {})
