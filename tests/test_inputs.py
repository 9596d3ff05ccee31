"""Whatever X comes as: arrays, lists, frames, categories, datetimes, missing values, sizes."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import dump, load
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer

from tests._estimators import (
    assert_same_outputs,
    classifier,
    data_for,
    labels_for,
    numbers,
    one_pass,
    outputs,
    over_kinds,
    regressor,
    small,
)


def mixed_columns(n_samples=60, seed=0):
    """One column of each kind, with gaps, as plain Python lists of the same length."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_samples)
    size[::7] = np.nan
    colour = rng.choice(["red", "green", "blue"], n_samples).astype(object)
    colour[3::11] = None
    start = dt.datetime(2024, 1, 1)
    when = [start + dt.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n_samples)]
    when[5] = None
    return {
        "colour": list(colour),
        "size": size,
        "old": rng.random(n_samples) < 0.5,
        "when": when,
        "count": rng.integers(0, 5, n_samples),
    }


def pandas_frame(columns):
    frame = pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})
    return frame.astype({"when": "datetime64[us]"})


def mixed_labels(columns):
    red = np.array([colour == "red" for colour in columns["colour"]])
    return np.column_stack([red, np.nan_to_num(columns["size"]) > 0]).astype(int)


# ---- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.astype(np.float64),
        lambda X: X.astype(np.float32),
        lambda X: X.astype(np.int8),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        lambda X: np.asfortranarray(X, dtype=float),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        pd.DataFrame,
    ],
    ids=["float64", "float32", "int8", "object", "list", "fortran", "strided", "pandas"],
)
@over_kinds
def test_numbers_in_any_container_give_the_same_model(kind, convert):
    X = np.random.default_rng(0).integers(-4, 5, size=(40, 3))
    y = labels_for(kind, X)
    expected = one_pass(small(kind), X, y)
    model = one_pass(small(kind), convert(X), y)
    assert_array_equal(outputs(model, convert(X)), outputs(expected, X))


def test_boolean_array_is_read_as_zero_and_one():
    X = numbers() > 0
    y = X[:, 0]
    model = classifier().fit(X, y)
    assert_same_outputs(model, classifier().fit(X.astype(float), y), X)
    assert model.score(X, y) == 1.0


@over_kinds
def test_read_only_memory_map_is_welcome(kind, tmp_path):
    X, y = data_for(kind)
    dump((X, y), tmp_path / "data.joblib")
    X_map, y_map = load(tmp_path / "data.joblib", mmap_mode="r")
    assert not X_map.flags.writeable
    model = small(kind).fit(X_map, y_map)
    assert_same_outputs(model, small(kind).fit(X, y), X_map)


def test_datetime_array_is_read_as_datetimes():
    hours = np.random.default_rng(0).integers(0, 9000, size=(60, 2)).astype("timedelta64[h]")
    X = np.datetime64("2024-01-01") + hours
    model = classifier().fit(X, hours[:, 0].astype(int) > 4500)
    assert model.attend(X).shape == (60, 1, 2)
    assert model.score(X, hours[:, 0].astype(int) > 4500) == 1.0
    assert_allclose(outputs(model, X[::-1])[::-1], outputs(model, X))


def test_datetimes_among_the_columns_of_an_array_are_read_as_datetimes():
    columns = mixed_columns()
    frame = pandas_frame(columns)[["size", "when"]]
    X = ColumnTransformer([("both", "passthrough", ["size", "when"])]).fit_transform(frame)
    assert X.dtype == object
    y = mixed_labels(columns)
    model, expected = one_pass(classifier(), X, y), one_pass(classifier(), frame, y)
    assert_array_equal(outputs(model, X), outputs(expected, frame))


@pytest.mark.parametrize("dtype", [float, np.float32, int, object])
def test_masked_values_are_missing(dtype):
    X = np.random.default_rng(0).integers(1, 9, (60, 3)).astype(dtype)
    y = X[:, 0] > 4
    hidden = np.random.default_rng(1).random((60, 3)) < 0.3
    masked = np.ma.masked_array(X, hidden)
    gaps = np.where(hidden, np.nan, X.astype(float))
    model = one_pass(classifier(), masked, y)
    assert_same_outputs(model, one_pass(classifier(), gaps, y), masked)
    assert_array_equal(masked.data, X)


# ---- frames ------------------------------------------------------------------------------------


@over_kinds
def test_numpy_pandas_and_polars_numbers_give_the_same_predictions(kind):
    X, y = data_for(kind)
    X[::5, 1] = np.nan
    names = ["a", "b", "c", "d"]
    frames = [pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)]
    expected = one_pass(small(kind), X, y)
    for frame in frames:
        model = one_pass(small(kind), frame, y)
        assert model.feature_names_in_.tolist() == names
        assert_array_equal(outputs(model, frame), outputs(expected, X))


@pytest.mark.parametrize("numeric_embedding", ["piecewise", "periodic"])
def test_mixed_columns_in_pandas_and_polars_give_the_same_predictions(numeric_embedding):
    columns = mixed_columns()
    y = mixed_labels(columns)
    frames = [pandas_frame(columns), pl.DataFrame(columns)]
    pandas_model, polars_model = (
        classifier(numeric_embedding=numeric_embedding).fit(frame, y) for frame in frames
    )
    assert_array_equal(outputs(pandas_model, frames[0]), outputs(polars_model, frames[1]))
    # either kind of frame will do to predict
    assert_array_equal(outputs(pandas_model, frames[0]), outputs(pandas_model, frames[1]))
    assert pandas_model.score(frames[0], y) > 0.9


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string[python]"])
def test_column_of_strings_is_a_category_in_any_dtype(dtype):
    columns = mixed_columns()
    colour = pd.DataFrame({"colour": pd.Series(columns["colour"], dtype=dtype)})
    y = mixed_labels(columns)[:, 0]
    model = classifier().fit(colour, y)
    assert model.score(colour, y) == 1.0


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_nullable_column_equals_floats_with_nan(dtype):
    values = [1, 0, None, 1, 0, 1, None, 0] * 5
    nullable = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    floats = pd.DataFrame({"a": pd.Series(values, dtype=float)})
    y = np.array([0, 1, 0, 0, 1, 0, 1, 1] * 5)
    assert_same_outputs(
        one_pass(classifier(), nullable, y), one_pass(classifier(), floats, y), nullable
    )


def test_object_column_of_numbers_is_read_as_numbers():
    X = pd.DataFrame({"a": np.array([1.5, None, 2, 3] * 8, dtype=object)})
    floats = X.astype(float)
    y = np.array([0, 1, 0, 1] * 8)
    assert_same_outputs(one_pass(classifier(), X, y), one_pass(classifier(), floats, y), X)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_of_any_resolution_give_the_same_predictions(unit):
    columns = mixed_columns()
    y = mixed_labels(columns)
    frame = pandas_frame(columns)
    other = frame.astype({"when": f"datetime64[{unit}]"})
    assert_same_outputs(one_pass(classifier(), other, y), one_pass(classifier(), frame, y), other)


def test_datetimes_with_a_time_zone_are_read_as_local_time():
    columns = mixed_columns()
    y = mixed_labels(columns)
    naive = pandas_frame(columns)
    local = naive.assign(when=naive["when"].dt.tz_localize("Asia/Tokyo"))
    of_local, of_naive = (one_pass(classifier(), frame, y) for frame in (local, naive))
    assert_array_equal(outputs(of_local, local), outputs(of_naive, naive))


def test_instants_are_the_same_in_any_time_zone():
    hours = np.random.default_rng(0).integers(0, 5000, 80)
    when = pd.Series(pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(hours, "h"))
    utc = pd.DataFrame({"when": when})
    tokyo = utc.assign(when=when.dt.tz_convert("Asia/Tokyo"))
    model = classifier().fit(utc, hours % 24 < 12)
    assert model.score(utc, hours % 24 < 12) == 1.0
    instants = pl.Series(when.dt.tz_localize(None).tolist()).dt.replace_time_zone("UTC")
    polars = pl.DataFrame({"when": instants.dt.convert_time_zone("Asia/Tokyo")})
    for there in (tokyo, tokyo.astype(object), polars):
        assert_array_equal(outputs(model, there), outputs(model, utc))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_objects_that_are_numbers_or_dates_are_read_so(frame):
    days = np.random.default_rng(0).integers(0, 700, 60)
    price = days[::-1] / 4
    plain = pd.DataFrame({"price": price, "day": np.datetime64("2022-01-01") + days})
    objects = {
        "price": [Decimal(f"{value:.2f}") for value in price],
        "day": [dt.date(2022, 1, 1) + dt.timedelta(days=int(day)) for day in days],
    }
    y = days > 350
    model = one_pass(classifier(), frame(objects), y)
    assert_array_equal(
        outputs(model, frame(objects)), outputs(one_pass(classifier(), plain, y), plain)
    )


def test_sparse_columns_are_the_numbers_they_hold():
    X = np.where(np.random.default_rng(0).random((60, 3)) < 0.7, 0.0, numbers(60, 3))
    y = X[:, 0] > 0
    dense = pd.DataFrame(X, columns=list("abc"))
    sparse = dense.astype(pd.SparseDtype(float, 0.0))
    assert_same_outputs(one_pass(classifier(), sparse, y), one_pass(classifier(), dense, y), sparse)


def test_dates_and_durations_are_understood():
    days = np.random.default_rng(0).integers(0, 700, 60)
    frame = pl.DataFrame(
        {
            "date": [dt.date(2022, 1, 1) + dt.timedelta(days=int(day)) for day in days],
            "lasted": [dt.timedelta(days=int(day)) for day in days[::-1]],
        }
    )
    y = days > 350
    model = classifier().fit(frame, y)
    assert model.score(frame, y) == 1.0
    assert_allclose(outputs(model, frame[::-1])[::-1], outputs(model, frame))


# ---- what the columns are ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen",
    [[2], [False, False, True], np.array([2]), (2,)],
    ids=["int", "mask", "array", "tuple"],
)
def test_categorical_features_of_an_array_are_positions_or_a_mask(chosen):
    # the classes alternate along the numbers: easy by category, hard as numbers of one bin
    X = np.random.default_rng(0).integers(0, 8, size=(80, 3)).astype(float)
    y = X[:, 2] % 2
    assert classifier(categorical_features=chosen, n_bins=1).fit(X, y).score(X, y) == 1.0
    assert classifier(n_bins=1).fit(X, y).score(X, y) < 1.0


@pytest.mark.parametrize("chosen", [["kind"], [1], [False, True]])
def test_categorical_features_of_a_frame_may_be_names(chosen):
    kind = np.random.default_rng(0).integers(0, 8, size=80)
    frame = pd.DataFrame({"noise": numbers(80, 1)[:, 0], "kind": kind})
    y = kind % 2
    as_strings = frame.astype({"kind": str})
    model = one_pass(classifier(categorical_features=chosen), frame, y)
    polars_model = one_pass(classifier(categorical_features=chosen), pl.from_pandas(frame), y)
    assert_same_outputs(model, polars_model, frame)
    string_model = one_pass(classifier(), as_strings, y)
    assert_allclose(outputs(model, frame), outputs(string_model, as_strings), rtol=1e-9)


def test_categorical_features_let_an_array_hold_strings():
    columns = mixed_columns()
    X = np.column_stack([np.array(columns["colour"], dtype=object), columns["count"]])
    y = mixed_labels(columns)[:, 0]
    model = one_pass(classifier(categorical_features=[0]), X, y)
    frame = pd.DataFrame({"colour": columns["colour"], "count": columns["count"]})
    assert_array_equal(outputs(model, X), outputs(one_pass(classifier(), frame, y), frame))


def test_rows_as_a_list_an_array_or_a_frame_give_the_same_predictions():
    rng = np.random.default_rng(0)
    rows = [["ab"[i % 2], int(i)] for i in rng.integers(0, 6, 90)]
    rows[4][0] = float("nan")
    y = [number % 2 for _, number in rows]
    same = [rows, [tuple(row) for row in rows], np.array(rows, dtype=object), pd.DataFrame(rows)]
    chosen = {"categorical_features": [0, 1]}
    models = [one_pass(classifier(**chosen), X, y) for X in same]
    assert models[0]._table_encoder.categories.cardinalities_ == [4, 7]
    for X in same[:3]:
        for model in models[:3]:
            assert_array_equal(outputs(model, X), outputs(models[0], rows))
    assert_array_equal(outputs(models[3], same[3]), outputs(models[0], rows))
    text = np.array(rows)  # NumPy made text of the numbers
    assert text.dtype.kind == "U"
    assert (outputs(models[0], text) != outputs(models[0], rows)).any()


@pytest.mark.parametrize("chosen", ["from_dtype", None])
def test_strings_are_categories_without_being_chosen(chosen):
    columns = mixed_columns()
    frame = pandas_frame(columns)
    y = mixed_labels(columns)
    model = one_pass(classifier(categorical_features=chosen), frame, y)
    assert_same_outputs(model, one_pass(classifier(), frame, y), frame)


# ---- missing and unseen ------------------------------------------------------------------------


@over_kinds
def test_missing_numbers_are_information(kind):
    X = numbers(80, 2)
    gone = np.random.default_rng(1).random(80) < 0.5
    X[gone, 0] = np.nan
    y = gone.astype(float)
    model = small(kind, max_epochs=200).fit(X, y)
    assert model.score(X, y) > 0.9


def test_missing_category_is_information():
    colour = np.array(["red", None, "blue", None] * 10, dtype=object)
    frame = pd.DataFrame({"colour": colour})
    y = [value is None for value in colour]
    assert classifier().fit(frame, y).score(frame, y) == 1.0


@over_kinds
def test_rows_may_be_missing_everywhere(kind):
    X, y = data_for(kind)
    X[::3] = np.nan
    model = small(kind).fit(X, y)
    assert np.isfinite(outputs(model, np.full((2, 4), np.nan))).all()


@pytest.mark.parametrize("numeric_embedding", ["piecewise", "periodic"])
@over_kinds
def test_missing_values_may_first_come_in_predict(kind, numeric_embedding):
    X, y = data_for(kind)
    model = one_pass(small(kind, numeric_embedding=numeric_embedding), X, y)
    assert np.isfinite(outputs(model, np.full((2, 4), np.nan))).all()


def test_unseen_categories_are_all_read_alike():
    columns = mixed_columns()
    frame = pandas_frame(columns)
    model = classifier().fit(frame, mixed_labels(columns))
    one, other = (frame.assign(colour=unseen) for unseen in ("violet", "ochre"))
    assert_array_equal(outputs(model, one), outputs(model, other))
    assert (outputs(model, one) != outputs(model, frame)).any()


def test_unseen_category_is_predicted_from_the_other_columns():
    distance = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, city = rng.normal(size=600), rng.integers(0, 6, 600)
        y = rng.random(600) < 1 / (1 + np.exp(np.where(city < 3, -2.0, 2.0) - 1.5 * x))
        frame = pd.DataFrame({"x": x, "city": city.astype(str)})
        model = classifier(n_members=4, max_epochs=40, random_state=seed).fit(frame, y)
        new = pd.DataFrame({"x": [0.0, 3.0, -3.0], "city": "new"})
        neutral, high, low = model.predict_proba(new)[:, 1]
        assert low < neutral < high
        distance.append(abs(neutral - 0.5))
    assert np.mean(distance) < 0.1


@pytest.mark.parametrize("numeric_embedding", ["piecewise", "periodic"])
@pytest.mark.parametrize("value", [3.0, np.nan], ids=["constant", "missing"])
@over_kinds
def test_column_that_says_nothing_does_no_harm(kind, value, numeric_embedding):
    X, y = data_for(kind, n_tasks=1)
    X[:, 3] = value
    model = small(kind, numeric_embedding=numeric_embedding).fit(X, y)
    assert model.score(X, y) > 0.9
    other = np.where(np.arange(4) == 3, 5.0, X)  # never seen in this column
    assert np.isfinite(outputs(model, other)).all()


def test_outliers_do_not_blind_the_model():
    X, y = data_for(type(regressor()), n_tasks=1)
    X[0] = 1e300
    X[1] = -1e300
    assert regressor(max_epochs=200).fit(X, y).score(X[2:], y[2:]) > 0.9
