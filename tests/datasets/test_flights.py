import socket

import numpy as np
import pytest

from sk_attention.datasets import load_flights

pd = pytest.importorskip("pandas")

NUMBERS = [
    "month",
    "day",
    "dayofweek",
    "sched_dep_time",
    "sched_arr_time",
    "hour",
    "minute",
    "distance",
]
CATEGORIES = ["carrier", "origin", "dest"]
TARGETS = ["late_departure", "late_arrival", "cancelled"]


@pytest.fixture(scope="module")
def flights():
    return load_flights()


def test_flights_have_the_promised_columns(flights):
    assert flights.feature_names == list(flights.data.columns) == NUMBERS + CATEGORIES
    assert flights.target_names == list(flights.target.columns) == TARGETS
    assert flights.data.shape == (10_000, 11)
    assert flights.target.shape == (10_000, 3)
    assert (flights.data.dtypes[NUMBERS] == np.int64).all()
    assert all(flights.data[name].dtype == "category" for name in CATEGORIES)
    assert (flights.target.dtypes == "Int64").all()
    pd.testing.assert_frame_equal(flights.frame, flights.data.join(flights.target))


def test_flights_have_no_missing_features_and_known_categories(flights):
    assert not flights.data.isna().to_numpy().any()
    assert list(flights.data["origin"].cat.categories) == ["EWR", "JFK", "LGA"]


def test_labels_of_cancelled_flights_are_missing(flights):
    target = flights.target
    cancelled = target["cancelled"] == 1
    assert 0.02 < cancelled.mean() < 0.03
    assert (target["late_departure"].isna() == cancelled).all()
    assert target.loc[cancelled, "late_arrival"].isna().all()
    assert target["late_arrival"].isna().sum() > cancelled.sum()  # diverted flights
    assert not target["cancelled"].isna().any()
    assert all(set(target[name].dropna()) == {0, 1} for name in TARGETS)
    assert 0.15 < target["late_departure"].mean() < target["late_arrival"].mean() < 0.3


def test_flights_are_in_the_order_of_their_departure(flights):
    order = flights.data[["month", "day", "sched_dep_time"]]
    assert list(order.itertuples(index=False)) == sorted(order.itertuples(index=False))
    assert (order["sched_dep_time"] == flights.data["hour"] * 100 + flights.data["minute"]).all()


def test_flights_can_be_had_as_a_pair(flights):
    X, y = load_flights(return_X_y=True)
    pd.testing.assert_frame_equal(X, flights.data)
    pd.testing.assert_frame_equal(y, flights.target)


def test_flights_tell_their_licence(flights):
    assert "CC0 1.0" in flights.DESCR
    assert all(name in flights.DESCR for name in NUMBERS + CATEGORIES + TARGETS)


def test_flights_need_no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(load_flights().frame) == 10_000
