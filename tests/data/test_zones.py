import datetime as dt

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_attention.data.columns import Column, array_columns, table_columns

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
tz = pytest.importorskip("dateutil.tz")

NAMELESS = tz.tzoffset(None, 9 * 3600)

INSTANTS = [
    dt.datetime(2024, 3, 10, 9, 59),  # a minute before clocks change in Los Angeles
    dt.datetime(2024, 3, 10, 10),
    dt.datetime(2024, 10, 5, 15, 29, 59),  # likewise on Lord Howe, by half an hour
    dt.datetime(2024, 10, 5, 15, 30),
    dt.datetime(1969, 7, 20, 20, 17, 40, 123456),
    None,
]
ZONES = ["America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "UTC-09:30"]


def pandas_in(zone):
    return pd.Series(INSTANTS).dt.tz_localize("UTC").dt.tz_convert(zone)


def local(zone):
    """What pandas says clocks show there."""
    return pandas_in(zone).dt.tz_localize(None).to_numpy().astype("datetime64[us]")


SOURCES = {
    "pandas": lambda: pandas_in("Asia/Tokyo"),
    "pandas offset": lambda: pandas_in("UTC+03:00"),
    "pandas objects": lambda: pandas_in("Asia/Tokyo").astype(object),
    "polars": lambda: (
        pl.Series(INSTANTS).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    ),
}


def column(series):
    return table_columns(series.to_frame("a"))[0]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_instants_are_read_on_the_clocks_of_any_zone(source, zone):
    assert_array_equal(column(source()).as_datetimes(zone), local(zone))


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_read_there_is_wall_time(zone):
    own = column(pandas_in(zone))
    assert own.time_zone == zone
    assert_array_equal(own.as_datetimes(zone), local(zone))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_last_day_there_is_may_lie_in_another_zone(frame):
    last = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC)
    own = table_columns(frame({"a": pl.Series([last]) if frame is pl.DataFrame else [last]}))[0]
    assert own.as_datetimes("Asia/Tokyo")[0] == np.datetime64("10000-01-01T08:59")


def objects(values):
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array_columns(array)[0]


def in_zone(zone):
    return pd.Timestamp("2024-05-06 07:30", tz=zone)


@pytest.mark.parametrize(
    ("values", "zone"),
    [
        ([in_zone("Asia/Tokyo"), None], "Asia/Tokyo"),
        ([in_zone(dt.timezone(dt.timedelta(hours=3)))], "UTC+03:00"),
        ([in_zone("Asia/Tokyo"), in_zone("America/Lima")], "UTC"),
        ([in_zone(NAMELESS)], "UTC"),
        ([in_zone(None), dt.date(2024, 5, 6), np.datetime64("2024-05-06")], None),
    ],
    ids=["one", "offset", "several", "nameless", "none"],
)
def test_zone_of_objects(values, zone):
    assert objects(values).time_zone == zone


def test_a_zone_without_a_name_is_read_in_utc():
    own = column(pd.Series([in_zone(NAMELESS), pd.NaT]))
    assert own.kind == "datetime"
    assert own.time_zone == "UTC"
    assert_array_equal(own.as_datetimes("UTC"), np.array(["2024-05-05T22:30", "NaT"], "M8[us]"))


def test_a_column_with_and_without_zones_is_refused():
    own = objects([in_zone("UTC"), in_zone(None)])
    with pytest.raises(ValueError, match="mixes") as caught:
        own.as_datetimes("UTC")
    assert str(caught.value) == "Feature 'x0' mixes datetimes with and without a time zone."


def test_arrays_of_datetimes_have_no_zone():
    assert Column("a", np.array(["2024-05-06"], dtype="datetime64[D]")).time_zone is None
