import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError

from sk_attention import AttentionRecommender
from sk_attention.inspection import attribute
from sk_attention.inspection._attribute import importance
from sk_attention.inspection._token_model import TokenModel
from tests._estimators import (
    ATTENTIONS,
    KINDS,
    classifier,
    data_for,
    numbers,
    one_pass,
    over_attentions,
    over_kinds,
    small,
)
from tests.test_attention import mixed_frame
from tests.test_text import BAD, GOOD, reviews


def three_classes(n_samples=60):
    X = numbers(n_samples)
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


@pytest.mark.parametrize("n_tasks", [1, 4])
@over_attentions
@over_kinds
def test_contributions_come_task_by_task(kind, attention, n_tasks):
    X, y = data_for(kind, n_tasks=n_tasks)
    model = one_pass(small(kind, attention=attention, explainable=True), X, y)
    found = attribute(model, X)
    assert found.method == "contribution"
    assert found.task_names == model.task_names_
    assert found.feature_names == ["x0", "x1", "x2", "x3"]
    assert [own.shape for own in found.attributions] == [(60, 4)] * n_tasks
    given = model.contributions(X)
    logits = given.logits if isinstance(given.logits, list) else given.logits.reshape(60, -1).T
    intercept = np.reshape(given.intercept, -1)
    for own, logit, start in zip(found.attributions, logits, intercept, strict=True):
        assert_allclose(own.sum(axis=1) + start, logit, atol=1e-5)


@over_kinds
def test_attention_is_that_of_attend(kind):
    X, y = data_for(kind)
    model = one_pass(small(kind), X, y)
    found = attribute(model, X, "attention").attributions
    assert_allclose(np.stack(found, axis=1), model.attend(X))


@pytest.mark.parametrize(
    ("attention", "explainable"),
    [*((attention, True) for attention in ATTENTIONS), *((kind, False) for kind in ATTENTIONS)],
)
@over_kinds
def test_integrated_gradients_sum_to_the_logit_less_that_of_the_mean_tokens(
    kind, attention, explainable
):
    X, y = data_for(kind)
    sizes = {"explainable": explainable, "attention": attention, "precision": "float64"}
    model = one_pass(small(kind, **sizes), X, y)
    found = attribute(model, X, "integrated_gradients").attributions
    tokens = TokenModel(model, X)
    baseline = tokens.logits(tokens.tokens.mean(0, keepdim=True))
    for own, logits, start in zip(found, tokens.logits(tokens.tokens), baseline, strict=True):
        assert own.shape == (60, 4)
        # a path over the kinks of the towers' relus is integrated less exactly
        assert_allclose(own.sum(axis=1), logits - start, atol=1e-6 if explainable else 0.02)


def test_integrated_gradients_equal_those_of_captum():
    captum = pytest.importorskip("captum.attr")
    X, y = three_classes()
    model = one_pass(classifier(precision="float64"), X, y)
    found = attribute(model, X, "integrated_gradients").attributions[0]
    tokens = TokenModel(model, X)

    def logits(values):
        outputs = tokens.outputs(values)[:, 0]
        return outputs - outputs.mean(1, keepdim=True)

    other = captum.IntegratedGradients(logits)
    for c in range(3):
        baseline = tokens.tokens.mean(0, keepdim=True)
        expected = other.attribute(tokens.tokens, baseline, target=c, n_steps=24)
        assert_allclose(found[:, c], expected.sum(-1).detach().numpy(), atol=1e-8)


@pytest.mark.parametrize("method", ["contribution", "integrated_gradients"])
def test_several_classes_have_an_axis_of_their_own(method):
    X, y = three_classes()
    model = one_pass(classifier(explainable=True), X, y)
    (own,) = attribute(model, X, method).attributions
    assert own.shape == (60, 3, 4)
    assert_allclose(own.sum(axis=1), 0.0, atol=1e-5)


@pytest.mark.parametrize("explainable", [False, True])
def test_tasks_of_different_numbers_of_classes_are_kept_apart(explainable):
    X, three = three_classes()
    y = np.column_stack([X[:, 1] > 0, three])
    model = one_pass(classifier(explainable=explainable, precision="float64"), X, y)
    found = attribute(model, X, "integrated_gradients").attributions
    assert [own.shape for own in found] == [(60, 4), (60, 3, 4)]
    tokens = TokenModel(model, X)
    baseline = tokens.logits(tokens.tokens.mean(0, keepdim=True))
    for own, logits, start in zip(found, tokens.logits(tokens.tokens), baseline, strict=True):
        assert_allclose(own.sum(axis=-1), logits - start, atol=1e-6 if explainable else 0.02)
    if explainable:
        shapes = [own.shape for own in attribute(model, X).attributions]
        assert shapes == [(60, 4), (60, 3, 4)]


@pytest.mark.parametrize("attention", ["self", "double"])
def test_rollout_traces_attention_back_to_the_features(attention):
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(attention=attention, embedding_dim=8, n_layers=2), X, y)
    found = np.stack(attribute(model, X, "rollout").attributions, axis=1)
    assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-5)
    network = model.net_.module_
    tokens = TokenModel(model, X).tokens
    with torch.no_grad():
        flow = network.encoder.rollout(tokens).numpy()
    assert_allclose(found, model.attend(X) @ flow, rtol=1e-4)


@pytest.mark.parametrize("method", ["attention", "contribution", "integrated_gradients"])
def test_parts_of_a_date_are_one_feature(method):
    frame = mixed_frame()
    model = one_pass(classifier(explainable=True), frame, frame["weight"] > 0)
    found = attribute(model, frame, method)
    assert found.feature_names == list(frame.columns)
    assert found.attributions[0].shape == (60, 5)


def test_importance_forgets_sign_and_class():
    assert_allclose(importance(np.array([[-2.0, 1.0]])), [[2.0, 1.0]])
    two_classes = np.array([[[3.0, 0.0], [-4.0, 0.0]]])
    assert_allclose(importance(two_classes), [[np.sqrt(12.5), 0.0]])


def test_methods_that_there_are_not_are_refused():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(), X, y)
    with pytest.raises(ValueError, match=r"method must be one of \['attention', .*got 'shap'"):
        attribute(model, X, "shap")
    with pytest.raises(ValueError, match='"contribution" needs an estimator fitted with expl'):
        attribute(model, X)
    with pytest.raises(ValueError, match=r"needs self attention.*with 'cross'"):
        attribute(model, X, "rollout")
    with pytest.raises(NotFittedError):
        attribute(classifier(), X, "attention")
    with pytest.raises(TypeError, match=r"attribute takes a fitted MultiTask.* got AttentionRecom"):
        attribute(AttentionRecommender(), X)


def test_a_text_is_one_feature_and_counts_where_it_decides():
    rng = np.random.default_rng(0)
    good = rng.integers(2, size=120)
    words = np.where(good, "a fine day", "a sad day")
    X = pd.DataFrame({"noise": rng.normal(size=120), "text": words})
    model = classifier(text_features=["text"], max_epochs=20).fit(X, good)
    found = attribute(model, X, "integrated_gradients").attributions[0]
    assert found.shape == (120, 2)
    assert (np.abs(found).mean(axis=0).argmax()) == 1


def test_sparse_rows_have_no_features_to_take_away():
    X = csr_array(np.eye(6))
    model = classifier(max_epochs=2).fit(X, [0, 1] * 3)
    with pytest.raises(ValueError, match="was fitted on a sparse matrix, whose rows have no fixed"):
        attribute(model, X, "integrated_gradients")


def test_rollout_has_nothing_to_follow_where_features_are_pooled_first():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(attention="hierarchical"), X, y)
    with pytest.raises(ValueError, match='Take method="integrated_gradients"'):
        attribute(model, X, "rollout")


# ---- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("explainable", [True, False])
@over_attentions
@over_kinds
def test_attributions_of_tokens_sum_to_those_of_features(kind, attention, explainable):
    X, y = reviews(60)
    X = X.assign(items=[[1, 2], []] * 30)
    sizes = {"attention": attention, "explainable": explainable, "text_features": ["text"]}
    model = one_pass(small(kind, **sizes), X, y)
    for method in ["attention", "integrated_gradients", *["contribution"] * explainable]:
        by_feature, by_token = (
            attribute(model, X, method, level=level) for level in ("feature", "token")
        )
        assert by_token.token[:3].tolist() == ["size", *X["text"][0].split()[:2]]
        both = zip(by_feature.attributions, by_token.attributions, strict=True)
        for feature, token in both:
            total = np.zeros((60, 3))
            np.add.at(total, (by_token.row, by_token.feature), token)
            assert_allclose(total, feature, rtol=1e-5, atol=1e-6)


def test_words_that_decide_have_the_largest_gradients():
    X, y = reviews()
    model = classifier(text_features=["text"], max_epochs=60).fit(X, y[:, 0])
    found = attribute(model, X, "integrated_gradients", level="token")
    (added,) = found.attributions
    assert (added[np.isin(found.token, GOOD)] > 0).all()
    assert (added[np.isin(found.token, BAD)] < 0).all()


def test_several_classes_of_tokens_have_an_axis_of_their_own():
    X, _ = reviews(60)
    model = one_pass(classifier(explainable=True, text_features=["text"]), X, np.arange(60) % 3)
    for method in ("contribution", "integrated_gradients"):
        found = attribute(model, X, method, level="token")
        assert found.attributions[0].shape == (len(found.token), 3)


@pytest.mark.parametrize("method", ["contribution", "attention"])
def test_columns_of_a_sparse_matrix_have_contributions_and_attention(method):
    X = csr_array(np.eye(6))
    model = classifier(max_epochs=2, explainable=True).fit(X, [0, 1] * 3)
    assert attribute(model, X, method).attributions[0].shape == (6, 6)
    assert attribute(model, X, method, level="token").token.tolist() == [f"x{j}" for j in range(6)]


def test_levels_that_there_are_not_are_refused():
    X, y = data_for(KINDS[0])
    model = one_pass(classifier(attention="self"), X, y)
    with pytest.raises(ValueError, match='level must be "feature" or "token"; got \'word\''):
        attribute(model, X, "attention", level="word")
    with pytest.raises(ValueError, match='method="rollout" follows attention between features'):
        attribute(model, X, "rollout", level="token")
