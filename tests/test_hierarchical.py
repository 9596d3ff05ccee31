"""attention="hierarchical": within fields, then across them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tests._estimators import classifier, numbers, one_pass, outputs, over_kinds, regressor, small
from tests.test_text import reviews

X = pd.DataFrame(numbers(120, 6), columns=list("abcdef"))
Y = np.column_stack([X["a"] + X["b"] > 0, X["e"] > 0]).astype(int)
FIELDS = {"first": ["a", "b", "c"], "last": ["e", 5]}


def hierarchical(**parameters):
    return classifier(attention="hierarchical", **parameters)


@pytest.mark.parametrize("fields", [None, FIELDS, {"all": list("abcdef")}])
def test_weights_of_features_sum_to_one_and_tasks_are_learned(fields):
    model = hierarchical(fields=fields and {k: _names(v) for k, v in fields.items()}).fit(X, Y)
    assert model.score(X, Y) > 0.95
    assert_allclose(model.attend(X).sum(axis=-1), 1, rtol=1e-6)
    assert_allclose(model.attention_weights_.sum(axis=1), 1)


def _names(chosen):
    return [X.columns[own] if isinstance(own, int) else own for own in chosen]


def test_positions_and_names_give_the_same_model():
    by_name = one_pass(hierarchical(fields={"one": ["a", "b"], "two": ["e", "f"]}), X, Y)
    by_position = one_pass(hierarchical(fields={"one": [0, 1], "two": [4, 5]}), X, Y)
    assert_allclose(outputs(by_name, X), outputs(by_position, X))
    no_groups = one_pass(hierarchical(), X, Y)
    assert (outputs(no_groups, X) != outputs(by_name, X)).any()


def test_parts_of_dates_and_texts_are_pooled_with_their_field():
    frame, y = reviews()
    frame = frame.assign(when=pd.date_range("2024", periods=120, freq="7h"))
    model = hierarchical(
        fields={"both": ["text", "size"]}, text_features=["text"], max_epochs=40
    ).fit(frame, y)
    assert model.net_.module_.pooling.n_fields == 2
    assert model.score(frame, y) > 0.95
    seen = model.attend(frame, level="token")
    total = np.zeros((120, 3, 2))
    np.add.at(total, (seen.row, seen.feature), seen.weights)
    assert_allclose(total.transpose(0, 2, 1), model.attend(frame), rtol=1e-6)


@over_kinds
def test_rows_do_not_depend_on_each_other(kind):
    model = one_pass(small(kind, attention="hierarchical", fields={"one": ["a", "b"]}), X, Y)
    alone = np.vstack([outputs(model, X[i : i + 1]) for i in range(0, 120, 17)])
    assert_allclose(outputs(model, X)[::17], alone, rtol=1e-7)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"one": ["z"]}, r"fields\['one'\] names 'z', which is not a feature of X"),
        ({"one": [9]}, r"fields\['one'\] must hold positions from 0 to 5; got 9"),
        ({"one": []}, r"fields\['one'\] must be a list of columns; got \[\]"),
        ({"one": "a"}, r"fields\['one'\] must be a list of columns; got 'a'"),
        ({"one": ["a"], "two": ["b", "a"]}, r"'a' is named in fields\['one'\] and fields\['two'\]"),
        (["a"], "The 'fields' parameter .* must be"),
    ],
)
def test_impossible_fields_are_refused(fields, match):
    with pytest.raises(ValueError, match=match):
        hierarchical(fields=fields).fit(X, Y)


def test_fields_without_hierarchy_are_refused():
    with pytest.raises(ValueError, match=r"got attention=.cross"):
        regressor(fields={"one": ["a"]}).fit(X, Y)
