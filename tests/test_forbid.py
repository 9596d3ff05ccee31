"""Columns that a task must not use."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sk_attention import MultiTaskAttentionClassifier
from tests._estimators import KINDS, classifier, data_for, numbers, one_pass, over_kinds, small
from tests.test_attention import mixed_frame


@pytest.mark.parametrize("n_heads", [1, 2])
@over_kinds
def test_a_task_does_not_depend_on_what_it_must_not_use(kind, n_heads):
    X, y = data_for(kind, 200)
    sizes = {"n_heads": n_heads, "embedding_dim": 8, "max_epochs": 5}
    model = small(kind, explainable=True, forbid={"y1": [0, 3]}, **sizes).fit(X, y)
    assert (model.attend(X)[:, 1, [0, 3]] == 0.0).all()
    assert (model.attend(X)[:, 0] > 0.0).all()
    assert (model.contribution_weights_[1, [0, 3]] == 0.0).all()
    other = X.copy()
    other[:, 0] = 1e6 * np.random.default_rng(0).normal(size=200)
    other[:, 3] = np.nan
    before, after = both_tasks(model, X), both_tasks(model, other)
    assert_array_equal(before[1], after[1])
    assert (before[0] != after[0]).mean() > 0.9


def both_tasks(model, X):
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X).T
    return [own[:, -1] if own.ndim == 2 else own for own in found]


def test_names_and_columns_of_several_tokens_can_be_forbidden():
    frame = mixed_frame()
    y = pd.DataFrame({"red": frame["colour"] == "red", "heavy": frame["weight"] > 0})
    forbid = {"red": ["when", "colour"]}
    model = classifier(explainable=True, forbid=forbid, max_epochs=1).fit(frame, y)
    weights = model.attend(frame)
    assert (weights[:, 0, [0, 2]] == 0.0).all()
    assert (weights[:, 1] > 0.0).all()
    other = frame.assign(when=frame["when"].to_numpy()[::-1], colour="never seen")
    assert_array_equal(model.predict_proba(frame)[0], model.predict_proba(other)[0])


def test_what_a_column_alone_tells_cannot_be_learned_without_it():
    X = numbers(400)
    y = X[:, 2] > 0
    free = classifier(explainable=True, max_epochs=30).fit(X, y)
    kept = classifier(explainable=True, max_epochs=30, forbid={"y": [2]}).fit(X, y)
    X_new = numbers(400, seed=1)
    assert free.score(X_new, X_new[:, 2] > 0) > 0.9
    assert kept.score(X_new, X_new[:, 2] > 0) < 0.6


def test_pickled_models_and_clones_keep_it():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(explainable=True, forbid={"y0": [1]}), X, y)
    again = pickle.loads(pickle.dumps(model))
    assert (again.attend(X)[:, 0, 1] == 0.0).all()


@pytest.mark.parametrize(
    "changes", [{"explainable": False}, {"attention": "self"}, {"attention": "double"}]
)
def test_what_cannot_be_guaranteed_is_refused(changes):
    X, y = data_for(KINDS[0])
    options = {"explainable": True, "forbid": {"y0": [1]}, **changes}
    with pytest.raises(ValueError, match="forbid can be kept only with explainable=True and att"):
        classifier(**options).fit(X, y)


@pytest.mark.parametrize(
    ("forbid", "message"),
    [
        ({"y7": [0]}, r"forbid names the task 'y7', but the tasks of y are \['y0', 'y1'\]"),
        ({"y0": "abc"}, r"forbid\['y0'\] must be a list of columns, got 'abc'"),
        ({"y0": [4]}, r"forbid\['y0'\] names the column 4; .* positions from 0 to 3"),
        ({"y0": ["size"]}, r"forbid\['y0'\] names the column 'size'"),
        ({"y0": [0, 1, 2, 3]}, r"forbid\['y0'\] leaves the task no column to read"),
    ],
)
def test_tasks_and_columns_must_be_there(forbid, message):
    X, y = data_for(KINDS[0])
    with pytest.raises(ValueError, match=message):
        classifier(explainable=True, forbid=forbid).fit(X, y)


def test_unknown_names_are_told_those_there_are():
    frame = mixed_frame()
    model = MultiTaskAttentionClassifier(explainable=True, forbid={"y": ["sise"]})
    with pytest.raises(ValueError, match=r"names the column 'sise'; .* the names \['colour', "):
        model.fit(frame, frame["weight"].to_numpy() > 0)
