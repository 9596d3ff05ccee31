"""Small tables keep the networks of two splits beside the one that is trained on all rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import make_planted_tasks
from sk_attention.inspection import attribute
from tests._estimators import KINDS, classifier, data_for, outputs, over_kinds, small


def fitted(kind, n_samples=90, **parameters):
    X, y = data_for(kind, n_samples)
    defaults = {"early_stopping": "auto", "max_epochs": 2, "attention": "double"}
    return small(kind, **{**defaults, **parameters}).fit(X, y), X, y


@over_kinds
def test_predictions_are_means_over_the_networks_of_the_splits(kind):
    model, X, _ = fitted(kind)
    networks = list(model.net_.module_.networks)
    together, attention = outputs(model, X), model.attend(X)
    assert_allclose(model.attention_weights_, attention.mean(axis=0), rtol=1e-6)
    alone, looks = [], []
    for network in networks:
        model.net_.module_ = network
        alone.append(np.asarray(outputs(model, X)))
        looks.append(model.attend(X))
    assert len(alone) == 3
    assert np.ptp(np.stack(alone), axis=0).max() > 1e-3
    assert_allclose(together, np.mean(alone, axis=0), rtol=1e-6)
    assert_allclose(attention, np.mean(looks, axis=0), rtol=1e-6)


@over_kinds
def test_networks_of_splits_are_pickled_learn_on_and_are_explained(kind):
    model, X, y = fitted(kind)
    copied = pickle.loads(pickle.dumps(model))
    assert_array_equal(np.asarray(outputs(copied, X)), np.asarray(outputs(model, X)))
    found = attribute(model, X[:9], "rollout").attributions
    assert_allclose(np.asarray(found).sum(axis=-1), 1.0, rtol=1e-5)
    before = [network.reading.query.clone() for network in copied.net_.module_.networks]
    copied.partial_fit(X, y)
    after = [network.reading.query for network in copied.net_.module_.networks]
    assert not any(
        np.array_equal(a.detach(), b.detach()) for a, b in zip(after, before, strict=True)
    )


@pytest.mark.parametrize("asked", [{"refit": False}, {"explainable": True}])
@over_kinds
def test_one_network_answers_without_refit_and_where_sums_are_to_be_exact(kind, asked):
    model, _, _ = fitted(kind, **asked)
    assert model.net_.module_.like is model.net_.module_


def test_one_network_answers_for_texts():
    X = pd.DataFrame({"text": ["good stuff", "bad stuff", "so so"] * 30})
    model = classifier(early_stopping="auto", max_epochs=2, text_features=["text"])
    model.fit(X, np.arange(90) % 3)
    assert model.net_.module_.like is model.net_.module_


def test_no_more_networks_join_in_a_warm_start():
    model, X, y = fitted(KINDS[0], warm_start=True, refit=True)
    before = model.predict_proba(X)
    model.fit(X, y)
    assert len(model.net_.module_.networks) == 3
    assert np.abs(model.predict_proba(X)[0] - before[0]).max() > 1e-6


def test_labels_of_a_task_and_not_rows_say_how_many_networks_answer():
    data = make_planted_tasks(3000, missing=0.8, random_state=0)
    brief = {"n_members": 2, "hidden_layer_sizes": 4, "max_epochs": 1, "random_state": 0}
    few = MultiTaskAttentionClassifier(**brief).fit(data.data, data.target)
    assert len(few.net_.module_.networks) == 3
    all_labels = np.nan_to_num(data.target)
    many = MultiTaskAttentionClassifier(**brief).fit(data.data, all_labels)
    assert many.net_.module_.like is many.net_.module_
