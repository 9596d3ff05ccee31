import datetime as dt
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from sk_attention.data.columns import Column, array_columns, is_table, table_columns, take_rows

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

FRAMES = [pd.DataFrame, pl.DataFrame]
NAN = float("nan")


def column(values):
    """A single column: of a frame made from a dictionary, or from a Series."""
    frame = values.to_frame("a") if isinstance(values, (pd.Series, pl.Series)) else values
    (only,) = table_columns(frame)
    return only


def arrow(values, kind):
    pa = pytest.importorskip("pyarrow")
    return pd.Series(values, dtype=pd.ArrowDtype(kind(pa)))


def sparse(values):
    return pd.Series(pd.arrays.SparseArray(values))


def as_number(one):
    """The same column, where fit saw numbers."""
    return Column(one.name, one.values)


NUMBERS = {
    "pandas int": (lambda: pd.Series([3, 1]), [3.0, 1.0]),
    "pandas bool": (lambda: pd.Series([True, False]), [1.0, 0.0]),
    "pandas float32": (lambda: pd.Series([0.5, NAN], dtype="float32"), [0.5, NAN]),
    "pandas Int64": (lambda: pd.Series([3, None], dtype="Int64"), [3.0, NAN]),
    "pandas UInt8": (lambda: pd.Series([3, None], dtype="UInt8"), [3.0, NAN]),
    "pandas Float64": (lambda: pd.Series([0.5, None], dtype="Float64"), [0.5, NAN]),
    "pandas boolean": (lambda: pd.Series([True, None], dtype="boolean"), [1.0, NAN]),
    "pandas object": (lambda: pd.Series([3, None, 0.5, NAN], dtype=object), [3.0, NAN, 0.5, NAN]),
    "pandas object NA": (lambda: pd.Series([3, pd.NA], dtype=object), [3.0, NAN]),
    "pandas object bool": (lambda: pd.Series([True, None], dtype=object), [1.0, NAN]),
    "pandas duration": (lambda: pd.to_timedelta(pd.Series(["12h", None])), [0.5, NAN]),
    "pandas object decimal": (
        lambda: pd.Series([Decimal("1.5"), None, NAN, pd.NaT, 2], dtype=object),
        [1.5, NAN, NAN, NAN, 2.0],
    ),
    "pandas object duration": (
        lambda: pd.Series([dt.timedelta(hours=12), None, pd.Timedelta("6h")], dtype=object),
        [0.5, NAN, 0.25],
    ),
    "pandas sparse": (lambda: sparse([0.0, 2.5, NAN]), [0.0, 2.5, NAN]),
    "pandas sparse int": (lambda: sparse([0, 3, 0]), [0.0, 3.0, 0.0]),
    "pandas sparse bool": (lambda: sparse([False, True]), [0.0, 1.0]),
    "arrow int": (lambda: arrow([3, None], lambda pa: pa.int64()), [3.0, NAN]),
    "arrow double": (lambda: arrow([0.5, None], lambda pa: pa.float64()), [0.5, NAN]),
    "arrow bool": (lambda: arrow([True, None], lambda pa: pa.bool_()), [1.0, NAN]),
    "arrow duration": (
        lambda: arrow([dt.timedelta(hours=12), None], lambda pa: pa.duration("us")),
        [0.5, NAN],
    ),
    "arrow decimal": (
        lambda: arrow([Decimal("1.5"), None], lambda pa: pa.decimal128(5, 2)),
        [1.5, NAN],
    ),
    "polars int": (lambda: pl.Series([3, None]), [3.0, NAN]),
    "polars int8": (lambda: pl.Series([3, None], dtype=pl.Int8), [3.0, NAN]),
    "polars uint64": (lambda: pl.Series([3, None], dtype=pl.UInt64), [3.0, NAN]),
    "polars float": (lambda: pl.Series([0.5, None, NAN]), [0.5, NAN, NAN]),
    "polars bool": (lambda: pl.Series([True, None]), [1.0, NAN]),
    "polars decimal": (lambda: pl.Series([Decimal("1.5"), None]), [1.5, NAN]),
    "polars object decimal": (
        lambda: pl.Series([Decimal("1.5"), None], dtype=pl.Object),
        [1.5, NAN],
    ),
    "polars duration": (lambda: pl.Series([dt.timedelta(hours=12), None]), [0.5, NAN]),
}


@pytest.mark.parametrize(("make", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_understood(make, expected):
    own = column(make())
    assert own.kind == "number"
    numbers = own.as_numbers()
    assert numbers.dtype == np.float64
    assert_array_equal(numbers, expected)


CATEGORIES = {
    "pandas str": (lambda: pd.Series(["b", None]), ["b", None]),
    "pandas object": (lambda: pd.Series(["b", None, 3], dtype=object), ["b", None, 3]),
    "pandas category": (lambda: pd.Series(["b", None], dtype="category"), ["b", None]),
    "pandas category of numbers": (
        lambda: pd.Series(pd.Categorical([2, None], categories=[1, 2])),
        [2, None],
    ),
    "pandas object mixed": (
        lambda: pd.Series([dt.date(2024, 5, 6), 3, "b"], dtype=object),
        [dt.date(2024, 5, 6), 3, "b"],
    ),
    "pandas sparse str": (lambda: sparse(["b", "c", "b"]), ["b", "c", "b"]),
    "pandas period": (
        lambda: pd.Series([pd.Period("2024-05"), None]),
        [pd.Period("2024-05"), None],
    ),
    "pandas nothing": (lambda: pd.Series([None, None], dtype=object), [None, None]),
    "arrow string": (lambda: arrow(["b", None], lambda pa: pa.string()), ["b", None]),
    "polars str": (lambda: pl.Series(["b", None]), ["b", None]),
    "polars category": (lambda: pl.Series(["b", None], dtype=pl.Categorical), ["b", None]),
    "polars enum": (lambda: pl.Series(["b", None], dtype=pl.Enum(["a", "b"])), ["b", None]),
    "polars nothing": (lambda: pl.Series([None, None]), [None, None]),
    "polars time": (lambda: pl.Series([dt.time(7), None]), [dt.time(7), None]),
}


@pytest.mark.parametrize(("make", "expected"), CATEGORIES.values(), ids=CATEGORIES)
def test_categories_are_understood(make, expected):
    own = column(make())
    assert own.kind == "category"
    assert own.as_objects() == expected


MAY_6 = dt.datetime(2024, 5, 6, 7, 30)
DATETIMES = {
    "pandas": lambda: pd.Series([MAY_6, None]),
    "pandas seconds": lambda: pd.Series([MAY_6, None], dtype="datetime64[s]"),
    "pandas zone": lambda: pd.Series([MAY_6, None]).dt.tz_localize("Asia/Tokyo"),
    "arrow": lambda: arrow([MAY_6, None], lambda pa: pa.timestamp("us")),
    "polars": lambda: pl.Series([MAY_6, None]),
    "polars zone": lambda: pl.Series([MAY_6, None]).dt.replace_time_zone("America/Lima"),
    "pandas object": lambda: pd.Series([MAY_6, None], dtype=object),
    "pandas object Timestamp": lambda: pd.Series([pd.Timestamp(MAY_6), pd.NaT], dtype=object),
    "pandas object zone": lambda: pd.Series(
        [pd.Timestamp(MAY_6, tz="Asia/Tokyo"), NAN], dtype=object
    ),
    "pandas object offset": lambda: pd.Series(
        [MAY_6.replace(tzinfo=dt.timezone(dt.timedelta(hours=5.5))), None], dtype=object
    ),
    "polars object": lambda: pl.Series([MAY_6, None], dtype=pl.Object),
    "array": lambda: array_columns(np.array([[MAY_6], [None]], dtype="datetime64[ns]"))[0],
    "array of objects": lambda: array_columns(np.array([[MAY_6], [None]], dtype=object))[0],
}


@pytest.mark.parametrize("make", DATETIMES.values(), ids=DATETIMES)
def test_datetimes_are_local_wall_time(make):
    made = make()
    own = made if isinstance(made, Column) else column(made)
    assert own.kind == "datetime"
    times = own.as_datetimes(own.time_zone)
    assert times.dtype == np.dtype("datetime64[us]")
    assert_array_equal(times, np.array([MAY_6, None], dtype="datetime64[us]"))


def test_datetimes_beside_a_zone_are_read_there():
    times = pd.Series(pd.to_datetime(["2024-01-01 00:30"], utc=True)).dt.tz_convert("Asia/Tokyo")
    assert column(times).time_zone == "Asia/Tokyo"
    assert column(times).as_datetimes("Asia/Tokyo")[0] == np.datetime64("2024-01-01T09:30")


DATES = {
    "arrow": lambda: arrow([MAY_6.date(), None], lambda pa: pa.date32()),
    "polars": lambda: pl.Series([MAY_6.date(), None]),
    "pandas object": lambda: pd.Series([MAY_6.date(), None], dtype=object),
    "polars object": lambda: pl.Series([MAY_6.date(), None], dtype=pl.Object),
}


@pytest.mark.parametrize("make", DATES.values(), ids=DATES)
def test_dates_are_midnights(make):
    own = column(make())
    assert own.kind == "datetime"
    assert_array_equal(
        own.as_datetimes(None), np.array(["2024-05-06", "NaT"], dtype="datetime64[us]")
    )


EMPTY = {
    "pandas object": lambda: pd.Series([None, None], dtype=object),
    "pandas str": lambda: pd.Series([None, None], dtype="str"),
    "pandas category": lambda: pd.Series([None, None], dtype="category"),
    "pandas float": lambda: pd.Series([NAN, NAN]),
    "polars null": lambda: pl.Series([None, None]),
    "polars str": lambda: pl.Series([None, None], dtype=pl.String),
    "polars int": lambda: pl.Series([None, None], dtype=pl.Int64),
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY)
def test_a_column_without_values_is_missing_whatever_its_dtype(make):
    own = column(make())
    assert np.isnan(as_number(own).as_numbers()).all()
    assert own.as_objects() == [None, None]
    if own.kind != "datetime":
        assert np.isnat(own.as_datetimes(None)).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: array_columns(np.array([[0.0], [x]]), ["price"])[0],
        lambda x: array_columns(np.array([[None], [x]], dtype=object), ["price"])[0],
        lambda x: table_columns(pd.DataFrame({"price": [0.0, x]}))[0],
        lambda x: table_columns(pl.DataFrame({"price": [0.0, x]}))[0],
        lambda x: table_columns(pd.DataFrame({"price": [1, x]}, dtype=object))[0],
    ],
    ids=["array", "object array", "pandas", "polars", "object"],
)
def test_infinite_numbers_are_refused(make, value):
    with pytest.raises(ValueError, match="infinity or a value too large") as caught:
        make(value).as_numbers()
    assert f"feature 'price' is {value} in row 1. Give NaN where" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: pd.Series(["3.5", "cheap"]), "'cheap'"),
        (lambda: pd.Series(["3.5", None]), "'3.5'"),
        (lambda: pd.Series(["cheap", None], dtype="category"), "'cheap'"),
        (lambda: pd.Series([1.0, "cheap"], dtype=object), "'cheap'"),
        (lambda: pl.Series(["3.5", "cheap"]), "'cheap'"),
        (lambda: pd.Series([3, dt.timedelta(1)], dtype=object), "datetime.timedelta(days=1)"),
        (lambda: pl.Series(["a"], dtype=pl.Enum(["a"])), "'a'"),
    ],
)
def test_text_in_numbers_is_refused(make, found):
    with pytest.raises(ValueError, match="is read as numbers") as caught:
        as_number(column(make())).as_numbers()
    assert str(caught.value) == (
        f"Feature 'a' is read as numbers, found {found}. Name it in categorical_features, or give "
        "it a string or category dtype before fit, to have it read as categories."
    )


def test_text_in_an_array_of_objects_is_refused():
    X = np.array([[1.0, "x"], [2.0, None]], dtype=object)
    with pytest.raises(ValueError, match="Feature 'x1' is read as numbers, found 'x'"):
        array_columns(X)[1].as_numbers()


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: column(pd.Series([pd.Timestamp(MAY_6)])), "Timestamp('2024-05-06 07:30:00')"),
        (lambda: column(pd.Series([3, MAY_6], dtype=object)), repr(MAY_6)),
        (lambda: column(pl.Series([MAY_6.date()])), repr(MAY_6.date())),
        (lambda: array_columns(np.array([[MAY_6]], dtype="M8[s]"), ["a"])[0], repr(MAY_6)),
        (lambda: array_columns(np.array([[MAY_6]], dtype="M8[ns]"), ["a"])[0], repr(MAY_6)),
        (lambda: array_columns(np.array([[3], [MAY_6]], dtype=object), ["a"])[0], repr(MAY_6)),
    ],
)
def test_datetimes_in_numbers_are_refused(make, found):
    with pytest.raises(ValueError, match="is read as numbers") as caught:
        make().as_numbers()
    assert str(caught.value) == (
        f"Feature 'a' is read as numbers, found {found}: a feature is read as datetimes only if it "
        "held nothing else in fit."
    )


def test_what_is_neither_number_nor_category_is_refused_in_numbers():
    (own,) = array_columns(np.array([[1.0], [{"size": 3}]], dtype=object))
    with pytest.raises(TypeError) as caught:
        own.as_numbers()
    assert str(caught.value) == (
        "Feature 'x0' is read as numbers, found {'size': 3}: the argument must be a string or a "
        "number."
    )


COMPLEX = {
    "pandas": lambda: column(pd.Series([1j, 2])),
    "pandas object": lambda: column(pd.Series([1j, None, 2.0], dtype=object)),
    "polars object": lambda: column(pl.Series([1j, None], dtype=pl.Object)),
    "array of objects": lambda: array_columns(np.array([[1j], ["a"]], dtype=object))[0],
}


@pytest.mark.parametrize("make", COMPLEX.values(), ids=COMPLEX)
def test_complex_numbers_are_refused(make):
    own = make()
    sentence = f"Complex data not supported: feature '{own.name}' holds 1j."
    with pytest.raises(ValueError, match="Complex") as caught:
        own.kind  # noqa: B018
    assert str(caught.value) == sentence
    with pytest.raises(ValueError, match="Complex") as caught:
        own.as_numbers()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pd.Series([1, 2]), "1 of dtype Int64"),
        (pl.Series(["2024-05-06"]), "'2024-05-06' of dtype String"),
        (pd.Series([MAY_6, 3.5], dtype=object), "3.5 of dtype Object"),
        (
            pd.Series([MAY_6], dtype="category"),
            "Timestamp('2024-05-06 07:30:00') of dtype Categorical",
        ),
    ],
)
def test_anything_else_where_fit_saw_datetimes_is_refused(values, found):
    with pytest.raises(ValueError, match="held datetimes") as caught:
        column(values).as_datetimes(None)
    assert str(caught.value) == f"Feature 'a' held datetimes in fit, found {found}."


@pytest.mark.parametrize("library", [pd.Series, pl.Series])
def test_datetimes_with_and_without_a_zone_do_not_meet(library):
    naive = column(library([MAY_6, None]))
    aware = column(library([MAY_6.replace(tzinfo=dt.UTC), None]))
    with pytest.raises(ValueError, match="Feature 'a'") as caught:
        naive.as_datetimes("Asia/Tokyo")
    assert str(caught.value) == (
        "Feature 'a' held datetimes in the time zone Asia/Tokyo in fit, found datetimes without a "
        "time zone."
    )
    with pytest.raises(ValueError, match="Feature 'a'") as caught:
        aware.as_datetimes(None)
    assert str(caught.value) == (
        "Feature 'a' held datetimes without a time zone in fit, found datetimes in the time zone "
        "UTC."
    )


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_missing_datetimes_need_no_zone(zone):
    nothing = column(pd.Series([None], dtype="datetime64[ns]"))
    assert np.isnat(nothing.as_datetimes(zone)).all()
    there = column(pd.Series([None], dtype="datetime64[ns, UTC]"))
    assert np.isnat(there.as_datetimes(zone)).all()


@given(hnp.arrays(st.sampled_from([np.float64, np.float32, np.int16, np.bool_]), (3, 2)))
def test_array_columns_are_its_columns(X):
    columns = array_columns(X)
    assert [(own.name, own.kind) for own in columns] == [("x0", "number"), ("x1", "number")]
    if np.isfinite(X).all():
        for j in range(2):
            assert_array_equal(columns[j].as_numbers(), X[:, j].astype(np.float64))


def test_array_columns_copy_no_numbers():
    X = np.zeros((4, 3))
    assert np.shares_memory(array_columns(X)[1].as_numbers(), X)


def test_array_of_objects_knows_every_missing_value():
    X = np.array([[None], [NAN], [pd.NA], [2], [True]], dtype=object)
    assert_array_equal(array_columns(X)[0].as_numbers(), [NAN, NAN, NAN, 2.0, 1.0])
    assert array_columns(X)[0].as_objects() == [None, None, None, 2, True]
    assert X[2, 0] is pd.NA


def test_array_of_datetimes_is_understood():
    X = np.array([["2024-05-06", "NaT"]], dtype="datetime64[D]").T
    (own,) = array_columns(X)
    assert own.kind == "datetime"
    assert_array_equal(own.as_datetimes(None), X[:, 0])


def test_names_of_an_array_may_be_given():
    assert [own.name for own in array_columns(np.zeros((1, 2)), ["a", "b"])] == ["a", "b"]


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_are_tables(frame):
    assert is_table(frame({"a": [1]}))


def test_lazy_frames_are_refused():
    with pytest.raises(TypeError, match="X is a lazy data frame") as caught:
        is_table(pl.DataFrame({"a": [1]}).lazy())
    assert str(caught.value) == (
        "X is a lazy data frame (LazyFrame), but its rows must be there: pass X.collect()."
    )


@pytest.mark.parametrize("X", [np.zeros((2, 2)), [[1, 2]], pd.Series([1]), pl.Series([1])])
def test_anything_else_is_no_table(X):
    assert not is_table(X)


def test_column_names_that_are_no_strings_become_some():
    assert [own.name for own in table_columns(pd.DataFrame({0: [1], 1: [2]}))] == ["0", "1"]


@pytest.mark.parametrize("frame", FRAMES)
def test_pandas_and_polars_agree(frame):
    columns = table_columns(
        frame({"a": [1, 2], "b": ["x", None], "c": [MAY_6, None], "d": [True, False]})
    )
    assert [own.name for own in columns] == ["a", "b", "c", "d"]
    assert [own.kind for own in columns] == ["number", "category", "datetime", "number"]


@pytest.mark.parametrize(
    "columns",
    [
        array_columns(np.array([[1.0], [2.0], [3.0]])),
        table_columns(pd.DataFrame({"a": [1, 2, 3]}, index=[7, 7, 5])),
        table_columns(pl.DataFrame({"a": [1, 2, 3]})),
        table_columns(sparse([1, 2, 3]).to_frame("a")),
        table_columns(pl.DataFrame({"a": pl.Series([1, 2, 3], dtype=pl.Object)})),
    ],
    ids=["array", "pandas", "polars", "sparse", "polars objects"],
)
def test_rows_are_taken(columns):
    (kept,) = take_rows(columns, np.array([True, False, True]))
    assert (kept.name, kept.kind) == (columns[0].name, "number")
    assert_array_equal(kept.as_numbers(), [1.0, 3.0])
    assert take_rows(columns, np.ones(3, dtype=bool)) is columns
