import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_attention.data.columns import array_columns, table_columns
from sk_attention.data.roles import ROLES, id_codes, is_dated, resolve_role, times

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

FRAMES = [pd.DataFrame, pl.DataFrame]
BERLIN = ZoneInfo("Europe/Berlin")


def column(values, frame=pd.DataFrame):
    (only,) = table_columns(frame({"a": values}))
    return only


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, names in ROLES.items() for name in names]
)
def test_role_is_found_by_its_own_names(role, name):
    assert resolve_role(["price", name, "shop"], role, "auto") == 1
    assert resolve_role(["price", name.upper(), "shop"], role, "auto") is None


def test_array_columns_never_say_what_they_are():
    names = [column.name for column in array_columns(np.zeros((2, 3)))]
    assert [resolve_role(names, role, "auto") for role in ROLES] == [None] * 4
    assert resolve_role(names, "user", 2) == 2
    assert resolve_role(names, "user", np.int64(0)) == 0


def test_given_name_or_position_is_taken():
    names = ["user", "visitor", "timestamp"]
    assert resolve_role(names, "user", "visitor") == 1
    assert resolve_role(names, "user", 2) == 2
    assert resolve_role(names, "timestamp", None) is None


def test_two_columns_for_a_role_are_an_error():
    with pytest.raises(ValueError, match="user=\"auto\" matches the columns 'user_id' and 'user'"):
        resolve_role(["user_id", "item", "user"], "user", "auto")
    assert resolve_role(["user_id", "item", "user"], "user", "user") == 2


def test_unknown_name_is_an_error():
    with pytest.raises(ValueError, match=r"item='thing' is not a column of X; .* \['a', 'b'\]"):
        resolve_role(["a", "b"], "item", "thing")


@pytest.mark.parametrize("value", [-1, 2, 0.0, ["a"]])
def test_impossible_position_is_an_error(value):
    with pytest.raises(
        ValueError, match=r"session must be .* a position from 0 to 1; got"
    ) as error:
        resolve_role(["a", "b"], "session", value)
    assert str(error.value).endswith(f"got {value!r}.")


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("ids", [[7, 3, 7], ["b", "a", "b"], [0.5, 0.25, 0.5], [True, False, True]])
def test_equal_ids_have_equal_codes(frame, ids):
    codes = id_codes(column(ids, frame))
    assert codes.dtype == np.intp
    assert_array_equal(codes, [1, 0, 1])
    assert_array_equal(id_codes(array_columns(np.array([ids]).T)[0]), codes)


def test_ids_of_an_object_array_may_be_mixed():
    (own,) = array_columns(np.array([["b"], [7], ["b"], [(1, 2)], [7.0]], dtype=object))
    codes = id_codes(own)
    assert codes[0] == codes[2]
    assert codes[1] == codes[4]
    assert sorted(set(codes.tolist())) == [0, 1, 2]


@pytest.mark.parametrize(
    "ids",
    [
        [1.0, float("nan")],
        ["a", None],
        pd.array([1, None], dtype="Int64"),
        pd.Categorical(["a", None]),
    ],
)
def test_missing_ids_are_an_error(ids):
    with pytest.raises(ValueError, match=r"'a' holds ids, of which none may be missing.* row 1"):
        id_codes(column(ids))


def test_ids_that_cannot_be_hashed_are_an_error():
    with pytest.raises(ValueError, match=r"found \[1\]: a category must be a hashable value"):
        id_codes(column([[1], [2]]))


@pytest.mark.parametrize("frame", FRAMES)
def test_integer_times_keep_all_their_digits(frame):
    large = [2**60 + 1, 2**60]
    assert_array_equal(times(column(large, frame)), large)
    assert_array_equal(times(array_columns(np.array([large]).T)[0]), large)
    nullable = column(pd.array(large, dtype="Int64"))
    assert_array_equal(times(nullable), large)


@pytest.mark.parametrize("frame", FRAMES)
def test_other_numbers_and_dates_are_times(frame):
    assert_array_equal(times(column([0.5, -1.5], frame)), [0.5, -1.5])
    moments = [dt.datetime(2024, 1, 2, 3), dt.datetime(2023, 1, 1)]
    expected = np.array(moments, dtype="datetime64[us]")
    assert_array_equal(times(column(moments, frame)), expected)
    assert_array_equal(times(array_columns(expected[:, None])[0]), expected)
    assert times(column(pl.Series([dt.date(2024, 1, 2)]), pl.DataFrame))[0] == np.datetime64(
        "2024-01-02"
    )


def test_times_are_in_utc_as_local_clocks_go_back():
    hours = [
        dt.datetime(2024, 10, 27, hour, tzinfo=dt.UTC).astimezone(BERLIN) for hour in (0, 1, 2)
    ]
    assert [hour.hour for hour in hours] == [2, 2, 3]
    expected = np.array(["2024-10-27T00", "2024-10-27T01", "2024-10-27T02"], "datetime64[us]")
    assert_array_equal(times(column(hours)), expected)
    series = pl.Series(hours, dtype=pl.Datetime("us", "Europe/Berlin"))
    assert_array_equal(times(column(series, pl.DataFrame)), expected)


@pytest.mark.parametrize("frame", FRAMES)
def test_strings_that_are_moments_are_times(frame):
    cells = ["2024-05-06", "2024-05-06 07:08", "2024-05-06T07:08:09.5+09:00", "2024-05-06T07:08Z"]
    expected = ["2024-05-06", "2024-05-06T07:08", "2024-05-05T22:08:09.5", "2024-05-06T07:08"]
    assert_array_equal(times(column(cells, frame)), np.array(expected, dtype="datetime64[us]"))
    assert is_dated(column(cells, frame))
    assert not is_dated(column([1, 2], frame))


@pytest.mark.parametrize(
    "missing",
    [
        [1.5, None],
        pd.array([1, None], dtype="Int64"),
        [dt.datetime(2024, 1, 1), None],
        ["2024-01-01", None],
    ],
)
def test_missing_times_are_an_error(missing):
    with pytest.raises(
        ValueError, match=r"'a' holds times, .* missing; 1 of 2 are, the first in row 1\."
    ):
        times(column(missing))


def test_objects_that_are_dates_are_times():
    expected = np.array(["2024-01-01", "2024-02-01"], dtype="datetime64[us]")
    assert_array_equal(times(column([dt.date(2024, 1, 1), dt.date(2024, 2, 1)])), expected)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["yesterday"], "String"),
        (["2024-01-01", "5"], "String"),
        ([float("inf")], "Float64"),
        ([[1]], "Object"),
    ],
)
def test_other_things_are_no_times(values, dtype):
    with pytest.raises(
        ValueError, match=f"finite numbers or datetimes, or strings .* dtype {dtype}"
    ):
        times(column(values))


def test_what_kind_of_times_strings_are_is_known_without_parsing_them(monkeypatch):
    monkeypatch.delattr("sk_attention.data.roles.moment")
    assert is_dated(column(["2024-05-06", None]))
    assert not is_dated(column(pd.Categorical([1, 2])))
