import sys

import pytest

from sk_attention.datasets import (
    fetch_movielens,
    load_flights,
    load_online_retail,
    make_interactions,
)
from sk_attention.datasets._frames import import_pandas

pd = pytest.importorskip("pandas")


def test_pandas_is_imported():
    assert import_pandas("anything") is pd


@pytest.mark.parametrize(
    "function", [fetch_movielens, load_flights, load_online_retail, make_interactions]
)
def test_without_pandas_the_extra_is_named(function, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    message = rf"{function.__name__} needs pandas: .*sk-attention\[frame\]"
    with pytest.raises(ImportError, match=message):
        function()
