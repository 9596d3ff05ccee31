import socket

import numpy as np
import pytest

from sk_attention.datasets import load_online_retail

pd = pytest.importorskip("pandas")

COLUMNS = ["user_id", "item_id", "timestamp", "session_id", "quantity", "price", "country"]


@pytest.fixture(scope="module")
def purchases():
    return load_online_retail()


def test_purchases_have_the_promised_columns(purchases):
    data = purchases.data
    assert list(data.columns) == COLUMNS
    assert data.shape == (71_247, 7)
    assert (data.dtypes[["user_id", "session_id", "quantity"]] == np.int64).all()
    assert data["timestamp"].dtype == "datetime64[ns]"
    assert data["price"].dtype == np.float64
    assert data["country"].dtype == "category"
    assert data["item_id"].map(type).eq(str).all()
    assert not data.isna().to_numpy().any()
    assert (data[["user_id", "item_id", "session_id"]].nunique() == [800, 3165, 3405]).all()


def test_purchases_are_in_the_order_of_time(purchases):
    times = purchases.data["timestamp"]
    assert times.is_monotonic_increasing
    assert str(times.iloc[0]) == "2010-12-01 09:00:00"
    assert str(times.iloc[-1]) == "2011-12-09 12:49:00"


def test_customers_have_as_many_purchases_as_promised(purchases):
    data = purchases.data
    sizes = data.groupby("user_id").size()
    assert (sizes.min(), sizes.max(), round(sizes.mean())) == (1, 5064, 89)
    assert data.duplicated(["user_id", "item_id"]).mean() == pytest.approx(0.3, abs=0.01)


def test_an_invoice_belongs_to_one_customer_and_holds_a_product_once(purchases):
    data = purchases.data
    assert (data.groupby("session_id")["user_id"].nunique() == 1).all()
    assert not data.duplicated(["session_id", "item_id"]).any()
    spans = data.groupby("session_id")["timestamp"].agg(np.ptp)
    assert spans.max() <= pd.Timedelta("1min")


def test_quantities_and_prices_are_sensible(purchases):
    assert purchases.data["quantity"].min() == 1
    assert purchases.data["price"].min() == 0
    assert purchases.data["price"].median() == pytest.approx(1.95)


def test_every_item_has_one_description_and_its_median_price(purchases):
    items = purchases.item_features
    assert list(items.columns) == ["item_id", "description", "price"]
    assert items["item_id"].is_unique
    assert set(items["item_id"]) == set(purchases.data["item_id"])
    assert items["description"].map(type).eq(str).all()
    assert items["description"].str.len().min() >= 8
    medians = purchases.data.groupby("item_id")["price"].median()
    np.testing.assert_allclose(items["price"], medians[items["item_id"]], atol=6e-4)


def test_purchases_tell_source_and_licence(purchases):
    description = purchases.DESCR
    wanted = ["CC BY 4.0", "Chen, D. (2015)", "https://doi.org/10.24432/C5BW33", "Changes"]
    assert [text for text in [*wanted, *COLUMNS, "description"] if text not in description] == []


def test_purchases_need_no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(load_online_retail().data) == 71_247
