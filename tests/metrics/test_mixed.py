import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import jaccard_score
from sklearn.preprocessing import MultiLabelBinarizer

from sk_attention.metrics import (
    multi_task_accuracy_score,
    multi_task_balanced_accuracy_score,
    multi_task_jaccard_score,
    multi_task_r2_score,
    multi_task_score,
)

CELLS = st.frozensets(st.integers(0, 3))
TRUE = pd.DataFrame(
    {"late": ["a", "b", None], "delay": [1.0, np.nan, 3.0], "tags": [["x"], ["x", "y"], None]}
)
PREDICTED = pd.DataFrame(
    {"late": ["a", "a", "a"], "delay": [1.0, 5.0, 2.0], "tags": [["x"], ["x"], []]}
)
TYPES = ["classification", "regression", "multilabel"]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_jaccard_index_equals_that_of_scikit_learn(pairs):
    true, predicted = zip(*pairs, strict=True)
    binary = MultiLabelBinarizer(classes=range(4)).fit([[0]])
    one, other = binary.transform(true), binary.transform(predicted)
    expected = jaccard_score(one, other, average="samples", zero_division=1.0)
    series = (pd.Series(list(own), dtype=object) for own in (true, predicted))
    assert_allclose(multi_task_jaccard_score(*series), expected)


def test_each_task_has_the_score_of_its_kind():
    scores = multi_task_score(TRUE, PREDICTED, task_types=TYPES, average=None)
    assert_allclose(scores, [0.5, 0.5, 0.75])
    assert_allclose(multi_task_score(TRUE, PREDICTED, task_types=TYPES), scores.mean())
    weight = [1.0, 3.0, 1.0]
    scores = multi_task_score(TRUE, PREDICTED, task_types=TYPES, sample_weight=weight, average=None)
    assert_allclose(scores, [0.25, 0.5, (1 + 3 / 2) / 4])
    arrays = (own.to_numpy() for own in (TRUE, PREDICTED))
    assert_allclose(multi_task_score(*arrays, task_types=TYPES), np.mean([0.5, 0.5, 0.75]))


def test_missing_label_is_a_class():
    y = np.array([[0, 0], [-1, -1]])
    options = {"task_types": TYPES[:2], "missing_label": -1, "average": None}
    assert_allclose(multi_task_score(y, np.zeros((2, 2)), **options), [1.0, -1.0])


def test_tasks_of_one_kind_have_its_score():
    y = np.array([[0, 1], [1, 1], [1, 0]])
    other = np.array([[0, 0], [1, 1], [0, 0]])
    pairs = {"classification": multi_task_accuracy_score, "regression": multi_task_r2_score}
    for kind, score in pairs.items():
        assert multi_task_score(y, other, task_types=[kind] * 2) == score(y, other)


def test_scores_that_are_not_defined_are_left_out():
    with pytest.warns(UndefinedMetricWarning, match="No task has a defined score"):
        assert np.isnan(multi_task_score([1.0], [1.0], task_types=["regression"]))


def test_unknown_kinds_and_what_is_no_set_are_errors():
    with pytest.raises(ValueError, match=r"task_types must hold .* only; got 'number'"):
        multi_task_score([1], [1], task_types=["number"])
    with pytest.raises(ValueError, match="Task 'y' must hold sets of labels, got 'a'"):
        multi_task_jaccard_score(["a"], [{"a"}])
    for score in (multi_task_accuracy_score, multi_task_balanced_accuracy_score):
        with pytest.raises(ValueError, match=r"y is ragged.*such as \['x'\].* by multi_task_jac"):
            score(TRUE["tags"], PREDICTED["tags"])
