import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention.data.columns import array_columns, table_columns
from sk_attention.data.datetimes import PARTS, DatetimeEncoder

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

# Tuesday; Sunday, a leap day; before 1970, a Wednesday
TIMES = [dt.datetime(2024, 1, 2, 6, 30), dt.datetime(2004, 2, 29), dt.datetime(1969, 12, 31, 18)]
BY_HAND = {
    "elapsed": [19724 + 6.5 / 24, 12477.0, -0.25],
    "month": [1, 2, 12],
    "day": [2, 29, 31],
    "weekday": [1, 6, 2],
    "hour": [6.5, 0, 18],
}


def encode(columns):
    encoder = DatetimeEncoder().fit(columns)
    return encoder, list(encoder.transform(columns))


def of(times):
    return array_columns(np.array([times], dtype="datetime64[us]").T)


@pytest.mark.parametrize(
    "columns",
    [
        of(TIMES),
        table_columns(pd.DataFrame({"t": TIMES})),
        table_columns(pd.DataFrame({"t": pd.Series(TIMES).dt.tz_localize("Asia/Kolkata")})),
        table_columns(pl.DataFrame({"t": TIMES})),
        table_columns(pl.DataFrame({"t": pl.Series(TIMES).dt.replace_time_zone("Asia/Tokyo")})),
    ],
    ids=["array", "pandas", "pandas zone", "polars", "polars zone"],
)
def test_parts_by_hand(columns):
    encoder, numbers = encode(columns)
    assert encoder.parts_ == [list(BY_HAND)]
    for own, expected in zip(numbers, BY_HAND.values(), strict=True):
        assert_allclose(own, expected, atol=1e-9)


@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1))
def test_parts_agree_with_python(times):
    time = np.array(times, dtype="datetime64[us]")
    assert_array_equal(PARTS["month"](time), [t.month for t in times])
    assert_array_equal(PARTS["day"](time), [t.day for t in times])
    assert_array_equal(PARTS["weekday"](time), [t.weekday() for t in times])
    hours = [t.hour + t.minute / 60 + (t.second + t.microsecond / 1e6) / 3600 for t in times]
    assert_allclose(PARTS["hour"](time), hours, atol=1e-9)
    days = [(t - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1) for t in times]
    assert_allclose(PARTS["elapsed"](time), days, rtol=1e-12)


def test_missing_datetimes_are_missing_in_every_part():
    encoder, numbers = encode(of([*TIMES, "NaT"]))
    assert encoder.n_parts_ == [5]
    for own in numbers:
        assert_array_equal(np.isnan(own), [False, False, False, True])


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        ([dt.date(2024, 1, 1), dt.date(2024, 2, 3)], ["elapsed", "month", "day", "weekday"]),
        (["2024-01-01T05", "2024-01-08T05"], ["elapsed", "day"]),
        (["2024-01-01T05", "2024-01-01T06"], ["elapsed", "hour"]),
        (["2024-01-01"], ["elapsed"]),
        (["NaT", "NaT"], ["elapsed"]),
    ],
)
def test_parts_that_never_vary_are_left_out(times, parts):
    encoder, numbers = encode(of(times))
    assert encoder.parts_ == [parts]
    assert len(numbers) == len(parts)


def test_parts_are_chosen_in_fit_and_stay():
    encoder = DatetimeEncoder().fit(of(["2024-01-01", "2024-01-08"]))
    (elapsed, day) = encoder.transform(of(TIMES))
    assert_allclose(elapsed, BY_HAND["elapsed"])
    assert_allclose(day, BY_HAND["day"])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_every_part_is_read_in_the_zone_seen_in_fit(frame):
    utc = table_columns(frame({"t": [time.replace(tzinfo=dt.UTC) for time in TIMES]}))
    tokyo = pd.Series(TIMES).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    if frame is pl.DataFrame:
        tokyo = pl.Series(TIMES).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    encoder = DatetimeEncoder().fit(utc)
    assert encoder.zones_ == ["UTC"]
    for own, expected in zip(
        encoder.transform(table_columns(frame({"t": tokyo}))), BY_HAND.values(), strict=True
    ):
        assert_allclose(own, expected, atol=1e-9)


def test_dates_are_midnights():
    dates = [time.date() for time in TIMES]
    encoder, numbers = encode(table_columns(pl.DataFrame({"t": dates})))
    assert encoder.parts_ == [["elapsed", "month", "day", "weekday"]]
    assert_allclose(numbers[0], [19724, 12477, -1])


def test_columns_come_one_after_the_other():
    columns = of(["2024-01-01", "2024-01-08"]) + of(["2024-01-01T05", "2024-01-01T06"])
    encoder, numbers = encode(columns)
    assert encoder.n_parts_ == [2, 2]
    assert_array_equal(numbers[1], [1, 8])
    assert_array_equal(numbers[3], [5, 6])
