import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score

from sk_attention.datasets import make_planted_tasks
from sk_attention.inspection import faithfulness, faithfulness_card
from sk_attention.inspection._card import objections
from sk_attention.inspection._deletion import (
    area,
    draw_donors,
    permutation_importances,
    ranks,
    steps,
)
from sk_attention.inspection._token_model import TokenModel
from tests._estimators import KINDS, classifier, data_for, one_pass, over_kinds, small
from tests.test_attention import mixed_frame
from tests.test_text import reviews

FAST = {"n_steps": 4, "n_repeats": 1, "n_bootstrap": 50, "random_state": 0}


@pytest.fixture(scope="module")
def planted():
    """A model that works, rows it has not seen, and what they depend on."""
    data = make_planted_tasks(
        n_samples=1000, n_features=6, n_tasks=2, n_relevant=2, correlation=0.0, random_state=0
    )
    X, y = data.data, data.target
    model = classifier(explainable=True, max_epochs=40, n_members=4).fit(X[:500], y[:500])
    return model, X, y, data.relevant


@pytest.fixture(scope="module")
def found(planted):
    model, X, y, relevant = planted
    return faithfulness(model, X[500:], y[500:], relevant=relevant, **FAST)


# ---- deletion ----------------------------------------------------------------------------------


def test_steps_go_from_none_to_all():
    assert steps(6, 3).tolist() == [0, 2, 4, 6]
    assert steps(2, 10).tolist() == [0, 1, 2]


def test_ranks_put_the_largest_first_and_draw_among_equals():
    rng = np.random.default_rng(0)
    found = ranks(np.tile([0.0, 3.0, 0.0, 5.0], (200, 1)), rng)
    assert (found[:, 3] == 0).all()
    assert (found[:, 1] == 1).all()
    assert 0.3 < (found[:, 0] == 2).mean() < 0.7


def test_donors_keep_the_distribution_of_every_feature():
    donors = draw_donors(50, 3, np.random.default_rng(0))
    assert_allclose(np.sort(donors, axis=0), np.tile(np.arange(50)[:, None], 3))
    assert (donors[:, 0] != donors[:, 1]).any()


def test_area_is_a_mean_over_the_share_of_features():
    assert area(np.array([1.0, 0.5, 0.5]), np.array([0, 1, 4])) == pytest.approx(0.5625)


def test_replaced_features_come_from_their_donors_with_all_their_tokens():
    frame = mixed_frame()
    model = one_pass(classifier(explainable=True), frame, frame["weight"] > 0)
    tokens = TokenModel(model, frame)
    donors = draw_donors(60, 5, np.random.default_rng(0))
    chosen = np.zeros((60, 5), dtype=bool)
    chosen[::2, 2] = True  # the date
    other = frame.copy()
    other.loc[::2, "when"] = frame["when"].to_numpy()[donors[::2, 2]]
    expected = TokenModel(model, other).tokens
    assert_allclose(tokens.replaced(chosen, donors), expected)


def test_permutation_importances_agree_with_scikit_learn(planted):
    model, X, y, _ = planted
    X, y = X[500:], y[500:]
    labels, seen = list(y.T), [np.ones(500, dtype=bool)] * 2
    found = permutation_importances(TokenModel(model, X), labels, seen, 5, np.random.default_rng(0))
    for task in range(2):
        other = permutation_importance(
            model,
            X,
            y,
            scoring=lambda model, X, y, task=task: roc_auc_score(
                y[:, task], model.predict_proba(X)[task][:, 1]
            ),
            n_repeats=5,
            random_state=0,
        )
        assert_allclose(found[task], other.importances_mean, atol=0.03)


# ---- faithfulness ------------------------------------------------------------------------------


def test_what_decides_is_found_faithful(found):
    assert found.method == "contribution"
    assert (found.skill[:, 1] > 0.7).all()
    assert (found.deletion_gain[:, 1] > 0).all()
    assert (found.insertion_gain[:, 1] > 0).all()
    assert (found.gradient_gain[:, 0] > -0.02).all()
    assert (found.agreement > 0.8).all()
    assert (found.precision == 1.0).all()
    assert [objections(found, task) for task in range(2)] == [[], []]


def test_curves_start_with_all_features_and_end_with_none(found):
    assert found.n_deleted.tolist() == [0, 2, 3, 4, 6]
    for name in ("contribution", "integrated_gradients", "random"):
        deletion, insertion = found.deletion[name], found.insertion[name]
        assert deletion.shape == (2, 5, 3)
        assert_allclose(deletion[:, 0], found.skill, atol=1e-12)
        assert_allclose(insertion[:, -1], found.skill, atol=1e-12)
        # with the same values in the place of all features, the order does not matter
        assert_allclose(deletion[:, -1, 0], found.deletion["random"][:, -1, 0])
        assert_allclose(insertion[:, 0], deletion[:, -1])
        assert (deletion[..., 1] <= deletion[..., 2]).all()


def test_what_is_made_up_is_found_out(planted, monkeypatch):
    model, X, y, _ = planted
    noise = np.random.default_rng(0).random((500, 2, 6))
    monkeypatch.setattr(type(model), "attend", lambda self, X: noise)
    found = faithfulness(model, X[500:], y[500:], method="attention", **FAST)
    for task in range(2):
        assert "deleting what it names hurts no more than deleting at random" in objections(
            found, task
        )


def test_same_seed_same_figures(planted, found):
    model, X, y, relevant = planted
    again = faithfulness(model, X[500:], y[500:], relevant=relevant, **FAST)
    assert_allclose(again.deletion_gain, found.deletion_gain)
    assert_allclose(again.permutation_importances, found.permutation_importances)


@over_kinds
def test_missing_labels_do_not_count(kind):
    X, y = data_for(kind, 200)
    model = one_pass(small(kind), X, y)
    y = y.astype(float)
    y[100:, 0] = np.nan
    found = faithfulness(model, X, y, **FAST)
    whole = faithfulness(model, X, np.where(np.isnan(y), 0.0, y), **FAST)
    fewer = faithfulness(model, X[:100], y[:100], **FAST)
    assert found.method == "attention"
    assert found.skill[0, 0] == pytest.approx(fewer.skill[0, 0])
    assert found.skill[1, 0] == pytest.approx(whole.skill[1, 0])
    assert found.skill[0, 0] != pytest.approx(whole.skill[0, 0])


def test_one_task_of_several_classes_can_be_measured():
    X, _ = data_for(KINDS[0], 200)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    model = one_pass(classifier(explainable=True), X, y)
    found = faithfulness(model, X, y, **FAST)
    assert found.task_names == ["y"]
    assert found.deletion["contribution"].shape == (1, 5, 3)


def test_labels_of_one_class_leave_skill_undefined(planted):
    model, X, y, _ = planted
    y = y[:100].copy()
    y[:, 1] = 1
    found = faithfulness(model, X[:100], y, **FAST)
    assert np.isnan(found.skill[1]).all()
    assert np.isfinite(found.skill[0]).all()
    assert "the model is no better than a guess" in objections(found, 1)


def test_clones_are_fitted_where_rows_to_train_on_are_given(planted):
    model, X, y, _ = planted
    found = faithfulness(model, X[500:], y[500:], train=(X[:500], y[:500]), n_refits=1, **FAST)
    assert found.stability.shape == (2,)
    assert (found.stability > 0.5).all()
    assert found.uniform_loss.shape == (2, 3)
    assert np.abs(found.uniform_loss[:, 0]).max() < 0.2
    assert found.precision is None
    assert "agrees over seeds" in faithfulness_card(found)


def test_bad_arguments_are_refused(planted):
    model, X, y, _ = planted
    with pytest.raises(ValueError, match="n_steps must be an integer of at least 1, got 0"):
        faithfulness(model, X, y, n_steps=0)
    with pytest.raises(ValueError, match=r"n_bootstrap must be an integer of at least 1, got 2\.5"):
        faithfulness(model, X, y, n_bootstrap=2.5)
    with pytest.raises(ValueError, match=r"train must be a tuple of two, \(X, y\); got ndarray"):
        faithfulness(model, X, y, train=X)
    with pytest.raises(TypeError, match=r"faithfulness takes a fitted MultiTask.* got NoneType"):
        faithfulness(None, X, y)
    with pytest.raises(ValueError, match=r"relevant must be of shape .* = \(2, 6\) and bool; got"):
        faithfulness(model, X, y, relevant=[[1]], **FAST)
    with pytest.raises(ValueError, match="X has 1000 rows, but y has 10"):
        faithfulness(model, X, y[:10], **FAST)
    with pytest.raises(ValueError, match="Task 'y0' of y has no observed label"):
        faithfulness(model, X, np.where([True, False], np.nan, y), **FAST)
    with pytest.raises(ValueError, match="y has 1 task"):
        faithfulness(model, X, y[:, 0], **FAST)


# ---- card --------------------------------------------------------------------------------------


def test_card_says_what_was_found(found, tmp_path):
    path = tmp_path / "card.md"
    card = faithfulness_card(found, path)
    assert path.read_text(encoding="utf-8") == card
    assert card.startswith("# How faithful: contribution\n")
    assert "- **y0**: may be shown." in card
    assert "| y1 | 0." in card


@pytest.mark.parametrize(
    ("name", "value", "objection"),
    [
        ("skill", [0.6, 0.49, 0.7], "no better than a guess"),
        ("deletion_gain", [0.1, -0.01, 0.2], "no more than deleting at random"),
        ("gradient_gain", [-0.03, -0.04, -0.02], "what gradients name hurts clearly more"),
        ("agreement", 0.49, "other features than permutation importance"),
        ("agreement", np.nan, "other features than permutation importance"),
        ("stability", 0.49, "another seed names other features"),
    ],
)
def test_each_rule_can_speak_against_showing(found, name, value, objection):
    changed = found.copy()
    changed[name] = np.array([value, value])
    changed["uniform_loss"] = np.zeros((2, 3))
    (only,) = objections(type(found)(**changed), 0)
    assert objection in only
    assert f"- **y0**: do not show: {only}." in faithfulness_card(type(found)(**changed))


def test_a_text_that_decides_is_found_beside_noise():
    X, y = reviews(240)
    options = {"explainable": True, "attention": "hierarchical", "text_features": ["text"]}
    model = classifier(max_epochs=40, **options)
    found = faithfulness(model.fit(X[:120], y[:120]), X[120:], y[120:], **FAST)
    assert (found.deletion_gain[:, 1] > 0).all()
    assert (found.importances.argmax(axis=1) == 1).all()
    assert not any(objections(found, task) for task in range(2))


def test_one_feature_has_no_order():
    X, y = reviews(60)
    model = classifier(text_features=["text"], max_epochs=1).fit(X[["text"]], y)
    with pytest.raises(ValueError, match=r"needs two at least; .* was fitted on one"):
        faithfulness(model, X[["text"]], y)
