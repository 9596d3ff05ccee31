import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_attention.data.objects import (
    array_kind,
    array_numbers,
    as_objects,
    object_array,
    with_none,
)

NAN = float("nan")
DAY = dt.date(2024, 5, 6)

OBJECTS = {
    "numbers": (
        [1, 2.5, True, np.int8(3), np.bool_(False), Decimal("0.1"), Fraction(1, 2)],
        "number",
    ),
    "durations": ([dt.timedelta(1), np.timedelta64(2, "h")], "number"),
    "datetimes": ([DAY, dt.datetime(2024, 5, 6, 7), np.datetime64("2024-05-06")], "datetime"),
    "text": (["a", "b"], "category"),
    "numbers and text": ([1, "a"], "category"),
    "numbers and durations": ([1, dt.timedelta(1)], "category"),
    "numbers and datetimes": ([1, DAY], "category"),
    "times of the day": ([dt.time(7)], "category"),
    "nothing": ([], "category"),
}


@pytest.mark.parametrize(("values", "kind"), OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("missing", [[], [None, NAN, np.datetime64("NaT")]])
def test_kind_of_objects_is_what_they_all_are(values, missing, kind):
    assert array_kind(object_array([*missing, *values]), "a") == kind


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("f4", "number"), ("?", "number"), ("m8[s]", "number"), ("M8[D]", "datetime")],
)
def test_kind_of_an_array_is_that_of_its_dtype(dtype, kind):
    assert array_kind(np.zeros(2, dtype=dtype), "a") == kind


def test_durations_of_any_resolution_are_days():
    hours = np.array([12, "NaT"], dtype="timedelta64[h]")
    assert_array_equal(array_numbers(hours, "a"), [0.5, NAN])
    assert_array_equal(array_numbers(hours.astype("timedelta64[ns]"), "a"), [0.5, NAN])
    assert_array_equal(array_numbers(object_array([None, *hours.tolist()]), "a"), [NAN, 0.5, NAN])


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_datetimes_of_any_resolution_are_the_same_objects(unit):
    days = np.array(["2024-05-06", "NaT"], dtype=f"datetime64[{unit}]")
    assert as_objects(days) == [dt.datetime(2024, 5, 6), None]


def test_missing_objects_are_none_and_others_stay():
    values = object_array([NAN, 0, None, ""])
    assert with_none(values).tolist() == [None, 0, None, ""]
    assert values[0] is NAN
    assert with_none(values[1:2]).base is values
