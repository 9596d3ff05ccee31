import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from sk_attention.metrics import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_log_loss,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)

LABEL_SCORES = [
    (multi_task_accuracy_score, sk.accuracy_score),
    (multi_task_balanced_accuracy_score, sk.balanced_accuracy_score),
]
PREDICTION_SCORES = [
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_r2_score,
]
PROBABILITY_SCORES = [multi_task_roc_auc_score, multi_task_log_loss]
LABELS = {2: np.array(["no", "yes"]), 3: np.array([1, 4, 9]), 4: np.array(list("abcd"))}


def draw_tasks(seed, n=60, n_classes=(2, 3, 4)):
    """Labels, predicted labels and probabilities of one task per entry of n_classes."""
    rng = np.random.default_rng(seed)
    y_true, y_pred, y_proba = [], [], []
    for k in n_classes:
        codes = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
        y_true.append(LABELS[k][codes])
        y_pred.append(LABELS[k][rng.permutation(codes)])
        y_proba.append(rng.dirichlet(np.ones(k), size=n))
    return y_true, y_pred, y_proba, rng.uniform(0.1, 3, size=n)


def table(columns):
    out = np.empty((len(columns[0]), len(columns)), dtype=object)
    for j, column in enumerate(columns):
        out[:, j] = column
    return out


def per_task(metric, y_true, y_pred, weight, **options):
    return [
        metric(t, p, sample_weight=weight, **options) for t, p in zip(y_true, y_pred, strict=True)
    ]


@pytest.mark.parametrize(("ours", "theirs"), LABEL_SCORES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_label_scores_equal_scikit_learn(ours, theirs, seed):
    y_true, y_pred, _, weight = draw_tasks(seed)
    expected = per_task(theirs, y_true, y_pred, weight)
    actual = ours(table(y_true), table(y_pred), sample_weight=weight, average=None)
    assert_allclose(actual, expected)
    assert ours(table(y_true), table(y_pred), sample_weight=weight) == pytest.approx(
        np.mean(expected)
    )


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_probability_scores_equal_scikit_learn(seed):
    y_true, _, y_proba, weight = draw_tasks(seed)
    classes = [LABELS[2], LABELS[3], LABELS[4]]
    options = {"classes": classes, "sample_weight": weight, "average": None}
    losses = per_task(sk.log_loss, y_true, y_proba, weight)
    assert_allclose(multi_task_log_loss(table(y_true), y_proba, **options), losses)
    areas = [sk.roc_auc_score(y_true[0], y_proba[0][:, 1], sample_weight=weight)]
    areas += per_task(
        sk.roc_auc_score, y_true[1:], y_proba[1:], weight, multi_class="ovr", average="macro"
    )
    assert_allclose(multi_task_roc_auc_score(table(y_true), y_proba, **options), areas)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_r2_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    y_true, y_pred = rng.normal(size=(2, 30, 3))
    weight = rng.uniform(0.1, 2, size=30)
    expected = sk.r2_score(y_true, y_pred, sample_weight=weight, multioutput="raw_values")
    actual = multi_task_r2_score(y_true, y_pred, sample_weight=weight, average=None)
    assert_allclose(actual, expected)


@pytest.mark.parametrize("score", [*PREDICTION_SCORES, *PROBABILITY_SCORES])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_integer_weights_equal_repeated_rows_and_missing_labels_equal_absent_ones(score, seed):
    rng = np.random.default_rng(seed)
    repeats = rng.integers(0, 3, size=40)
    repeats[:4] = 2
    if score is multi_task_r2_score:
        y_true, prediction, options = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)), {}
    else:
        columns, labels, tables, _ = draw_tasks(seed, n=40, n_classes=(2, 3))
        y_true, prediction, options = table(columns), table(labels), {}
        if score in PROBABILITY_SCORES:
            prediction, options = tables, {"classes": [LABELS[2], LABELS[3]]}
    y_true = y_true.astype(object)
    y_true[rng.random(y_true.shape) < 0.2] = None

    def repeated(values):
        if isinstance(values, list):
            return [repeated(part) for part in values]
        return np.repeat(values, repeats, axis=0)

    weighted = score(y_true, prediction, sample_weight=repeats, average=None, **options)
    copied = score(repeated(y_true), repeated(prediction), average=None, **options)
    assert_allclose(weighted, copied)
    for j in range(2):  # one task at a time, without its missing rows
        observed = np.array([label is not None for label in y_true[:, j]])
        one = {"classes": options["classes"][j]} if options else {}
        part = prediction[j] if options else prediction[:, j]
        alone = score(y_true[observed, j], part[observed], sample_weight=repeats[observed], **one)
        assert alone == pytest.approx(weighted[j])


def test_hand_computed_accuracy_with_missing_labels():
    y_true = np.array([[0, 1], [1, -1], [-1, 1], [1, 0]])
    y_pred = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])
    scores = multi_task_accuracy_score(y_true, y_pred, missing_label=-1, average=None)
    assert_allclose(scores, [2 / 3, 2 / 3])
    weighted = multi_task_accuracy_score(
        y_true, y_pred, missing_label=-1, sample_weight=[1, 1, 5, 2], average=None
    )
    assert_allclose(weighted, [2 / 4, 7 / 8])


def test_hand_computed_balanced_accuracy_with_missing_labels():
    y_true = [0, 0, 0, 0, 1, 1, None]
    y_pred = [0, 0, 0, 2, 1, 0, 1]
    assert multi_task_balanced_accuracy_score(y_true, y_pred) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_hand_computed_log_loss_with_missing_labels():
    y_proba = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert multi_task_log_loss([0.0, 1.0, np.nan], y_proba, classes=[0, 1]) == pytest.approx(
        -(np.log(0.5) + np.log(0.75)) / 2
    )


def test_log_loss_clips_like_scikit_learn():
    for dtype in (np.float64, np.float32):
        y_proba = np.array([[1, 0], [0, 1]], dtype=dtype)
        ours = multi_task_log_loss([1, 1], y_proba, classes=[0, 1])
        assert ours == pytest.approx(sk.log_loss([1, 1], y_proba, labels=[0, 1]))


def test_hand_computed_roc_auc_with_missing_labels_and_an_absent_class():
    y_proba = np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.4, 0.1, 0.5]])
    # "c" is missing in the only row that could hold it; "a" is ranked perfectly, "b" is not
    y_true = ["a", "b", "b", None]
    expected = (1.0 + (0.5 + 1.0) / 2) / 2
    assert multi_task_roc_auc_score(y_true, y_proba, classes=list("abc")) == expected


def test_roc_auc_takes_an_unknown_label_for_another_class():
    y_proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    assert multi_task_roc_auc_score([0, 1, 5], y_proba, classes=[0, 1]) == 1.0


def test_hand_computed_r2_with_missing_targets():
    y_true = [[1.0, np.nan], [3.0, 1.0], [np.nan, 2.0]]
    y_pred = [[1.0, 9.0], [2.0, 2.0], [9.0, 2.0]]
    assert_allclose(multi_task_r2_score(y_true, y_pred, average=None), [0.5, -1.0])


def test_mean_leaves_undefined_tasks_out():
    y_true = [[0, None], [1, None]]
    y_pred = [[0, 0], [0, 0]]
    assert_array_equal(multi_task_accuracy_score(y_true, y_pred, average=None), [0.5, np.nan])
    assert multi_task_accuracy_score(y_true, y_pred) == 0.5


@pytest.mark.parametrize(
    ("score", "y_true", "prediction", "options"),
    [
        (multi_task_accuracy_score, [np.nan, np.nan], [0, 1], {}),
        (multi_task_accuracy_score, [0, 1], [0, 1], {"sample_weight": [0, 0]}),
        (multi_task_balanced_accuracy_score, [-1, -1], [0, 1], {"missing_label": -1}),
        (multi_task_roc_auc_score, [1, 1], [[0.2, 0.8]] * 2, {"classes": [0, 1]}),
        (multi_task_roc_auc_score, [1, 1], [[1.0]] * 2, {"classes": [1]}),
        (multi_task_roc_auc_score, [None, None], [[0.2, 0.8]] * 2, {"classes": [0, 1]}),
        (multi_task_log_loss, [None, None], [[0.2, 0.8]] * 2, {"classes": [0, 1]}),
        (multi_task_r2_score, [1.0, np.nan], [1.0, 2.0], {}),
        (multi_task_accuracy_score, [], [], {}),
        (multi_task_log_loss, [], np.empty((0, 2)), {"classes": [0, 1]}),
    ],
)
def test_score_of_no_defined_task_is_nan_with_a_warning(score, y_true, prediction, options):
    with pytest.warns(UndefinedMetricWarning, match="No task has a defined score") as caught:
        assert np.isnan(score(y_true, prediction, **options))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(score(y_true, prediction, average=None, **options)).all()


def test_one_class_has_a_log_loss():
    assert multi_task_log_loss([1, 1], [[1.0], [1.0]], classes=[1]) == pytest.approx(0)


def test_certain_probabilities_may_be_integers():
    y_proba = [[1, 0], [0, 1]]
    assert multi_task_log_loss(["a", "b"], y_proba, classes=["a", "b"]) == pytest.approx(0)
    assert multi_task_roc_auc_score(["a", "b"], y_proba, classes=["a", "b"]) == 1.0


def test_roc_auc_of_two_classes_is_that_of_the_second():
    scores = np.array([[3.0, 0.1], [3.0, 0.2], [4.0, 0.3]])
    assert multi_task_roc_auc_score([0, 0, 1], scores, classes=[0, 1]) == 1.0


def test_order_of_classes_is_respected():
    y_proba = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert multi_task_log_loss(["b", "a"], y_proba, classes=["b", "a"]) == pytest.approx(
        -(np.log(0.9) + np.log(0.6)) / 2
    )


def test_probabilities_of_several_tasks_may_be_one_array():
    y_true, _, y_proba, _ = draw_tasks(0, n_classes=(2, 2))
    classes = [LABELS[2]] * 2
    stacked = multi_task_log_loss(table(y_true), np.stack(y_proba), classes=np.stack(classes))
    assert stacked == multi_task_log_loss(table(y_true), y_proba, classes=classes)


def test_frames_and_boolean_labels_are_welcome():
    pd = pytest.importorskip("pandas")
    y_true = pd.DataFrame({"a": pd.array([1, None, 0], dtype="Int64"), "b": [True, False, True]})
    y_pred = np.array([[1, 1], [1, 0], [1, 1]])
    assert_allclose(multi_task_accuracy_score(y_true, y_pred, average=None), [0.5, 1.0])


def test_column_vector_is_one_task_without_a_warning():
    assert multi_task_accuracy_score([[1], [0]], [1, 0]) == 1.0
    assert multi_task_r2_score([1.0, 2.0], [[1.0], [2.0]]) == 1.0


@pytest.mark.parametrize("score", PREDICTION_SCORES)
def test_bad_predictions_are_an_error(score):
    with pytest.raises(ValueError, match="y_true has 2 samples but y_pred has 3"):
        score([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="y_true has 2 tasks but y_pred has 1"):
        score([[0, 1], [1, 0]], [0, 1])
    with pytest.raises(ValueError, match="y is ragged"):
        score([[0, 1], [1]], [0, 1])


@pytest.mark.parametrize("score", PROBABILITY_SCORES)
def test_bad_probabilities_are_an_error(score):
    fine = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match="y_true has 3 samples but y_proba has 2"):
        score([0, 1, 1], fine, classes=[0, 1])
    with pytest.raises(ValueError, match="y_true has 2 tasks but y_proba has 1"):
        score([[0, 1], [1, 0]], fine, classes=[0, 1])
    with pytest.raises(ValueError, match="y_true has 1 tasks but classes has 2"):
        score([0, 1], fine, classes=[[0, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"task 'y' must .* the shape \(2, 2\) for 3 classes"):
        score([0, 1], fine, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"one column per class: got the shape \(2,\)"):
        score([0, 1], [0.5, 0.5], classes=[0, 1])
    with pytest.raises(ValueError, match="y_proba of task 'y' contains NaN"):
        score([0, 1], fine * np.nan, classes=[0, 1])


def test_label_outside_the_classes_has_no_log_loss():
    with pytest.raises(ValueError, match=r"task 'y1' contains the label 7, .* classes \[0, 1\]"):
        multi_task_log_loss([[0, 7], [1, 0]], [np.full((2, 2), 0.5)] * 2, classes=[[0, 1], [0, 1]])
    many = list(range(12))
    with pytest.raises(ValueError, match=r"classes \[0, 1, .*, 9, ...\]"):
        multi_task_log_loss([20], np.full((1, 12), 1 / 12), classes=many)


def test_values_that_are_no_probabilities_have_no_log_loss():
    with pytest.raises(ValueError, match=r"task 'y' contains values outside \[0, 1\]"):
        multi_task_log_loss([0, 1], [[-1.0, 2.0], [0.5, 0.5]], classes=[0, 1])


def test_labels_of_which_none_is_among_the_classes_have_no_roc_auc():
    with pytest.raises(ValueError, match=r"such as 0, is among its classes \['0', '1'\]"):
        multi_task_roc_auc_score([0, 1], np.full((2, 2), 0.5), classes=["0", "1"])


@pytest.mark.parametrize("score", PREDICTION_SCORES[:2])
def test_numbers_are_not_compared_with_strings(score):
    with pytest.raises(ValueError, match="task 'y' are numbers in y_true but strings in y_pred"):
        score([0, 1], ["0", "1"])
    with pytest.raises(ValueError, match="task 'y' are strings in y_true but numbers in y_pred"):
        score(["0", None], [0, 1])


@pytest.mark.parametrize("bad", [["a", "b"], [np.inf, 1.0]])
def test_r2_needs_numbers(bad):
    with pytest.raises(ValueError, match="y_true of task 'y' must hold finite numbers only"):
        multi_task_r2_score(bad, [1.0, 2.0])
    with pytest.raises(ValueError, match="y_pred of task 'y' must hold finite numbers only"):
        multi_task_r2_score([1.0, 2.0], bad)


@pytest.mark.parametrize("score", [*PREDICTION_SCORES, *PROBABILITY_SCORES])
def test_bad_options_are_an_error(score):
    options = {"classes": [0, 1]} if score in PROBABILITY_SCORES else {}
    prediction = np.full((2, 2), 0.5) if options else [0, 1]
    with pytest.raises(ValueError, match="average must be \"mean\" or None, got 'macro'"):
        score([0, 1], prediction, average="macro", **options)
    with pytest.raises(ValueError, match=r"sample_weight must have the shape \(2,\), got \(3,\)"):
        score([0, 1], prediction, sample_weight=[1, 1, 1], **options)
    for weight in ([1, -1], [1, np.nan], [np.inf, 1]):
        with pytest.raises(ValueError, match="sample_weight must be finite and must not be"):
            score([0, 1], prediction, sample_weight=weight, **options)
