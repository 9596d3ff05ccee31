import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from sk_attention._labels import label_columns
from sk_attention.data.targets import (
    ClassEncoder,
    NumberEncoder,
    class_weight_factors,
    label_weights,
)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

NAN = float("nan")


def classes(y, missing_label=None, weight=None, given_classes=None):
    labels = label_columns(y)
    weight = np.ones(labels.n_samples) if weight is None else np.asarray(weight, dtype=float)
    encoder = ClassEncoder(missing_label).fit(labels, weight, given_classes)
    return encoder, encoder.transform(labels)


def numbers(y, weight=None):
    labels = label_columns(y)
    weight = np.ones(labels.n_samples) if weight is None else np.asarray(weight, dtype=float)
    encoder = NumberEncoder().fit(labels, weight)
    return encoder, encoder.transform(labels)


VECTORS = {
    "strings": (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
    "integers": ([7, -3, 7], [-3, 7], [1, 0, 1]),
    "booleans": ([True, False, True], [False, True], [1, 0, 1]),
    "floats": ([1.0, 0.0, 1.0], [0.0, 1.0], [1, 0, 1]),
    "one class": (["a", "a"], ["a"], [0, 0]),
    "object with None": (np.array(["b", None, "a"], dtype=object), ["a", "b"], [1, -1, 0]),
    "object with nan": (np.array(["b", NAN, "a"], dtype=object), ["a", "b"], [1, -1, 0]),
    "object with NA": (np.array([3, pd.NA, 1], dtype=object), [1, 3], [1, -1, 0]),
    "booleans with None": (np.array([True, None], dtype=object), [True], [0, -1]),
    "floats with nan": ([3.0, NAN, 1.0], [1, 3], [1, -1, 0]),
    "pandas Int64": (pd.Series([3, None, 1], dtype="Int64"), [1, 3], [1, -1, 0]),
    "pandas boolean": (
        pd.Series([True, None, False], dtype="boolean"),
        [False, True],
        [1, -1, 0],
    ),
    "pandas str": (pd.Series(["b", None, "a"], dtype="str"), ["a", "b"], [1, -1, 0]),
    "pandas category": (pd.Series(["b", None], dtype="category"), ["b"], [0, -1]),
    "polars": (pl.Series([3, None, 1]), [1, 3], [1, -1, 0]),
    "polars str": (pl.Series(["b", None, "a"]), ["a", "b"], [1, -1, 0]),
}


@pytest.mark.parametrize(("y", "expected", "codes"), VECTORS.values(), ids=VECTORS)
def test_labels_of_every_kind_become_codes(y, expected, codes):
    encoder, targets = classes(y)
    codes = np.array(codes)
    assert encoder.classes_[0].tolist() == expected
    assert [type(label) for label in encoder.classes_[0].tolist()] == list(map(type, expected))
    assert_array_equal(targets.observed[:, 0], codes >= 0)
    assert targets.values.dtype == np.int64
    assert_array_equal(targets.values[:, 0], np.maximum(codes, 0))
    (labels,) = encoder.inverse_transform(targets.values)
    assert labels[codes >= 0].tolist() == [expected[code] for code in codes[codes >= 0]]


@pytest.mark.parametrize(
    ("y", "missing_label"),
    [
        ([2, -1, 0], -1),
        ([2.0, -1.0, 0.0], -1),
        ([2.0, NAN, 0.0], -1),
        ([2, -1, 0], np.int64(-1)),
        (["2", "?", "0"], "?"),
        (pl.Series([2, None, 0]), -1),
    ],
    ids=str,
)
def test_a_label_may_mean_missing(y, missing_label):
    encoder, targets = classes(y, missing_label)
    assert_array_equal(targets.observed[:, 0], [True, False, True])
    assert encoder.classes_[0].tolist() in ([0, 2], ["0", "2"])
    assert_array_equal(targets.values[:, 0], [1, 0, 0])


@given(
    hnp.arrays(
        np.int64, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(-1, 3)
    )
)
def test_codes_of_several_tasks_give_the_labels_back(y):
    y[0] = 0  # a task without labels is an error
    encoder, targets = classes(y, -1)
    assert_array_equal(targets.observed, y != -1)
    back = np.column_stack(encoder.inverse_transform(targets.values))
    assert_array_equal(np.where(targets.observed, back, -1), y)
    for own in encoder.classes_:
        assert_array_equal(own, np.unique(own))


def test_tasks_may_differ_in_their_kind_of_label():
    frame = pd.DataFrame(
        {"topic": ["x", None, "y"], "stars": [5, 3, 5], "late": [True, False, None]}
    )
    encoder, targets = classes(frame)
    assert [own.tolist() for own in encoder.classes_] == [["x", "y"], [3, 5], [False, True]]
    assert_array_equal(targets.values, [[0, 1, 1], [0, 0, 0], [1, 1, 0]])
    assert_array_equal(targets.observed, [[1, 1, 1], [0, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("y", "missing_label"),
    [([NAN, NAN], None), ([-1, -1], -1), (np.array([None, NAN], dtype=object), None)],
)
def test_a_task_without_a_label_is_refused(y, missing_label):
    with pytest.raises(
        ValueError, match="Task 'y' of y has no observed label: every label is miss"
    ):
        classes(y, missing_label)


def test_the_task_without_a_label_is_named():
    frame = pd.DataFrame({"late": [1, 2], "early": [None, None]})
    with pytest.raises(ValueError, match="Task 'early' of y has no observed label"):
        classes(frame)
    with pytest.raises(ValueError, match="Task 'early' of y has no observed label"):
        numbers(frame)


@pytest.mark.parametrize("y", [[0.5, 1.5, 2.0], [0.5, NAN, 2.0]])
def test_continuous_labels_are_no_classes(y):
    with pytest.raises(ValueError, match="In task 'y' of y: Unknown label type: continuous"):
        classes(y)


@pytest.mark.parametrize("y", [[1.0, np.inf], [1.0, np.inf, NAN]])
@pytest.mark.parametrize("encode", [classes, numbers])
def test_infinite_labels_are_refused(encode, y):
    with pytest.raises(ValueError, match=r"Input y contains infinity .* in task 'y'\."):
        encode(y)


def test_labels_that_cannot_be_sorted_are_refused():
    with pytest.raises(
        ValueError,
        match=r"Task 'y' of y mixes labels of types that cannot be sorted: int, str\. Give all",
    ):
        classes(np.array(["a", 1, None], dtype=object))


@pytest.mark.parametrize(
    ("train", "query", "found", "known"),
    [
        (["a", "c"], ["a", "b"], "'b'", r"\['a', 'c'\]"),
        (["a", "c"], ["a", "d"], "'d'", r"\['a', 'c'\]"),
        ([1, 2], [2, 0], "0", r"\[1, 2\]"),
        ([1, 2], ["a", "b"], "'a'", r"\[1, 2\]"),
        (["a", "b"], [1, 2], "1", r"\['a', 'b'\]"),
        (np.array(["a", "b"], dtype=object), [1, 2], "1", r"\['a', 'b'\]"),
    ],
)
def test_a_label_that_is_no_class_is_refused(train, query, found, known):
    encoder, _ = classes(train)
    with pytest.raises(ValueError) as caught:
        encoder.transform(label_columns(query))
    assert str(caught.value).startswith(
        f"Task 'y' of y has the label {found}, which is none of its"
    )
    assert caught.match(known)


def test_classes_may_be_given():
    encoder, targets = classes(["b", None], given_classes=[["c", "b", "a", "a"]])
    assert encoder.classes_[0].tolist() == ["a", "b", "c"]
    assert_array_equal(targets.values[:, 0], [1, 0])


def test_classes_must_be_given_for_every_task():
    with pytest.raises(ValueError, match=r"classes must have one entry per task, 2; got 1\."):
        classes([[0, 1], [1, 0]], given_classes=[[0, 1]])


def test_rows_of_targets_are_taken():
    _, targets = classes([2.0, NAN, 0.0])
    own = targets.take(np.array([2, 1]))
    assert_array_equal(own.values[:, 0], [0, 0])
    assert_array_equal(own.observed[:, 0], [True, False])


def test_null_loss_is_the_log_loss_of_the_shares_of_the_classes():
    y, weight = np.array([0, 0, 1, 2]), np.array([1.0, 2.0, 1.0, 4.0])
    encoder, _ = classes(y, weight=weight)
    share = np.tile(np.array([3.0, 1.0, 4.0]) / 8, (4, 1))
    expected = log_loss(y, share, sample_weight=weight)
    assert_allclose(encoder.null_loss_, [expected])


def test_null_loss_looks_only_at_labels_that_are_there():
    encoder, _ = classes([[0.0, 0.0], [1.0, NAN], [1.0, NAN], [0.0, 1.0]], weight=[1, 9, 1, 1])
    shares = np.array([0.5, 0.5])
    assert_allclose(encoder.null_loss_[1], -(shares * np.log(shares)).sum())


def test_null_loss_of_a_single_class_divides_nothing_by_zero():
    assert_array_equal(classes(["a", "a"])[0].null_loss_, [1.0])


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 12), st.integers(2, 3)), elements=st.floats(-1e3, 1e3)
    )
)
def test_numbers_are_standardised_and_given_back(y):
    weight = np.arange(1.0, len(y) + 1)
    encoder, targets = numbers(y, weight)
    scaler = StandardScaler().fit(y, sample_weight=weight)
    varies = encoder.scale_ != 1.0
    assert_allclose(encoder.mean_, scaler.mean_, atol=1e-9)
    assert_allclose(encoder.scale_[varies], np.sqrt(scaler.var_)[varies], rtol=1e-6)
    assert_allclose(encoder.inverse_transform(targets.values), y, atol=1e-9)
    assert_array_equal(encoder.null_loss_, np.ones(y.shape[1]))


NUMBERS = {
    "floats": [1.0, NAN, 3.0],
    "objects": np.array([1, None, 3.0], dtype=object),
    "NA": np.array([1, pd.NA, 3.0], dtype=object),
    "pandas Int64": pd.Series([1, None, 3], dtype="Int64"),
    "pandas Float64": pd.Series([1.0, None, 3.0], dtype="Float64"),
    "polars": pl.Series([1, None, 3]),
}


@pytest.mark.parametrize("y", NUMBERS.values(), ids=NUMBERS)
def test_missing_numbers_are_zero_and_count_for_nothing(y):
    encoder, targets = numbers(y)
    assert_allclose([encoder.mean_[0], encoder.scale_[0]], [2.0, 1.0])
    assert_array_equal(targets.observed[:, 0], [True, False, True])
    assert_allclose(targets.values[:, 0], [-1.0, 0.0, 1.0])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -3e-7])
def test_constant_numbers_keep_their_scale(value):
    encoder, targets = numbers([value] * 7)
    assert encoder.scale_[0] == 1.0
    assert_allclose(targets.values, 0.0, atol=1e-6)


def test_text_is_no_number():
    with pytest.raises(ValueError, match="Task 'y' of y must hold numbers: could not convert"):
        numbers(["1.5", "many"])


@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 3))),
    st.booleans(),
    st.integers(0, 99),
)
def test_label_weights_of_each_task_have_the_same_mean(observed, per_task, seed):
    rng = np.random.default_rng(seed)
    shape = observed.shape if per_task else len(observed)
    row_weight, null_loss = rng.uniform(0.1, 3, shape), rng.uniform(0.1, 3, observed.shape[1])
    weight = label_weights(observed, row_weight, null_loss)
    assert (weight[~observed] == 0.0).all()
    labelled = observed.any(axis=0)
    assert_allclose(weight.mean(axis=0)[labelled], 1 / null_loss[labelled])
    row_weight = row_weight if per_task else row_weight[:, None]
    for task in np.flatnonzero(labelled):  # proportions are those of the rows
        own = observed[:, task]
        ratio = weight[own, task] / np.broadcast_to(row_weight, observed.shape)[own, task]
        assert_allclose(ratio, ratio[0])


def test_label_weights_by_hand():
    observed = np.array([[True, True], [True, False], [True, False], [True, True]])
    weight = label_weights(observed, np.array([1.0, 1.0, 1.0, 3.0]), np.array([1.0, 0.5]))
    assert_allclose(weight[:, 0], [4 / 6, 4 / 6, 4 / 6, 2.0])
    assert_allclose(weight[:, 1], [2.0, 0.0, 0.0, 6.0])


Y = np.array([0, 0, 0, 1, 1, 2])


def factors(class_weight, y=Y, weight=None):
    encoder, targets = classes(y, weight=weight)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    return class_weight_factors(class_weight, targets, encoder.classes_, weight)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5, 2: 7.0}, {1: 3.0}])
def test_class_weights_are_those_of_scikit_learn(class_weight):
    expected = (
        compute_sample_weight(class_weight, Y)
        if class_weight != {1: 3.0}
        else np.where(Y == 1, 3.0, 1.0)
    )
    assert_allclose(factors(class_weight)[:, 0], expected)


def test_balanced_class_weights_count_with_the_weights_of_the_rows():
    weight = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    repeated = np.repeat(Y, weight.astype(int))
    by_class = compute_class_weight("balanced", classes=np.unique(Y), y=repeated)
    assert_allclose(factors("balanced", weight=weight)[:, 0], by_class[Y])


def test_balanced_class_weights_leave_every_class_the_same_total():
    own = factors("balanced")[:, 0]
    totals = np.bincount(Y, weights=own)
    assert_allclose(totals, totals[0])


def test_tasks_may_have_class_weights_of_their_own():
    y = np.array([["a", "x"], ["b", "x"], ["b", "y"]])
    own = factors([{"a": 5.0}, None], y)
    assert_array_equal(own, [[5.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    own = factors([None, "balanced"], y)
    assert_allclose(own, [[1.0, 0.75], [1.0, 0.75], [1.0, 1.5]])


def test_missing_labels_have_the_factor_one_and_balance_nothing():
    y = np.array([[0.0], [NAN], [1.0], [1.0]])[:, 0]
    assert_allclose(factors("balanced", y)[:, 0], [1.5, 1.0, 0.75, 0.75])


def test_class_weights_must_be_given_for_every_task():
    with pytest.raises(ValueError, match=r"class_weight must have one entry per task, 1; got 2\."):
        factors([None, None])
