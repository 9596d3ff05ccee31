import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, mean_absolute_error, recall_score

from sk_attention import AttentionRecommender
from sk_attention.inspection import FairnessDisplay, fairness
from sk_attention.inspection._fairness import interval
from sk_attention.metrics import multi_task_jaccard_score
from tests._estimators import KINDS, classifier, data_for, mixed, numbers, one_pass, regressor
from tests.test_mixed_tasks import GAPS
from tests.test_mixed_tasks import X as X_MIXED

pytest.importorskip("fairlearn", reason="needs sk-attention[fair]")

FAST = {"n_permutations": 50, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    """A model of two tasks, rows of which some labels are missing, and their groups."""
    X, y = data_for(KINDS[0], 200)
    model = classifier(max_epochs=20).fit(X, y)
    y = y.astype(float)
    y[::7] = 1.0 - y[::7]  # so that predictions differ from labels
    y[::4, 1] = np.nan
    return model, X, y, np.where(np.arange(200) % 5 < 2, "few", "many")


def values(found, task, measure):
    """Values of the groups."""
    own = found.by_group.query("task == @task and measure == @measure")
    return own.set_index("group")


# ---- values ------------------------------------------------------------------------------------


def test_values_are_those_of_the_rows_of_each_group_that_have_a_label(fitted):
    model, X, y, groups = fitted
    found = fairness(model, X, y, groups, **FAST)
    assert found.groups.tolist() == ["few", "many"]
    assert found.task_names == ["y0", "y1"]
    predicted = model.predict(X)[:, 1]
    for group in found.groups:
        rows = (groups == group) & ~np.isnan(y[:, 1])
        own = {
            name: values(found, "y1", name).loc[group]
            for name in ("accuracy", "selection rate: 1", "true positive rate: 1")
        }
        assert own["accuracy"].n_rows == rows.sum()
        assert own["accuracy"].value == accuracy_score(y[rows, 1], predicted[rows])
        assert own["selection rate: 1"].value == predicted[rows].mean()
        assert own["true positive rate: 1"].n_rows == y[rows, 1].sum()
        recall = recall_score(y[rows, 1], predicted[rows])
        assert own["true positive rate: 1"].value == pytest.approx(recall)
    gaps = found.gaps.set_index(["task", "measure"]).gap
    both = values(found, "y1", "accuracy").value
    assert gaps["y1", "accuracy"] == pytest.approx(both.max() - both.min())


def test_every_class_of_several_has_its_rates():
    X = numbers(90)
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    found = fairness(one_pass(classifier(), X, y), X, y, np.arange(90) % 2, **FAST)
    rates = [f"{what}: {c}" for c in "abc" for what in ("selection rate", "true positive rate")]
    assert found.gaps["measure"].tolist() == ["accuracy", *rates]
    chosen = found.by_group[found.by_group["measure"].str.startswith("selection")]
    assert_allclose(chosen.groupby("group")["value"].sum(), 1.0)


def test_numbers_have_errors_and_means():
    X, y = data_for(KINDS[1], n_tasks=1)
    model = one_pass(regressor(), X, y)
    groups = np.arange(60) % 3
    found = fairness(model, X, y, groups, **FAST)
    predicted = model.predict(X)
    for group in range(3):
        rows = groups == group
        error = mean_absolute_error(y[rows], predicted[rows])
        assert values(found, "y", "mean absolute error").loc[group].value == pytest.approx(error)
        mean = values(found, "y", "mean prediction").loc[group].value
        assert mean == pytest.approx(predicted[rows].mean())


def test_attention_to_protected_columns_is_that_of_all_rows(fitted):
    model, X, y, groups = fitted
    found = fairness(model, X, y, groups, protected=[0, 2, 2], **FAST)
    own = values(found, "y1", "attention to protected columns")
    mass = model.attend(X)[groups == "few", 1][:, [0, 2]].sum(axis=1)
    assert own.loc["few"].value == pytest.approx(mass.mean())
    assert own.loc["few"].n_rows == 80


def test_columns_and_groups_have_names(fitted):
    _, X, y, groups = fitted
    frame = pd.DataFrame(X, columns=list("abcd")).assign(sex=groups)
    model = one_pass(classifier(), frame, np.nan_to_num(y))
    found = fairness(model, frame, y, frame["sex"].astype("category"), protected=["sex"], **FAST)
    assert values(found, "y0", "attention to protected columns").index.tolist() == ["few", "many"]


def test_tasks_of_several_kinds_have_the_measures_of_their_kind():
    model = mixed(max_epochs=5).fit(X_MIXED, GAPS)
    groups = np.arange(80) % 2
    found = fairness(model, X_MIXED, GAPS, groups, protected=[3], **FAST)
    measures = found.gaps.groupby("task", sort=False)["measure"].agg(list)
    paid = "attention to protected columns"
    rates = [f"{what} rate: {c}" for c in "pqr" for what in ("selection", "true positive")]
    yes = ["selection rate: yes", "true positive rate: yes"]
    assert measures["late"] == ["accuracy", *yes, paid]
    assert measures["delay"] == ["mean absolute error", "mean prediction", paid]
    assert measures["tags"] == ["Jaccard index", *rates, paid]
    predicted = model.predict(X_MIXED)
    for group in (0, 1):
        own = (groups == group) & GAPS["tags"].notna().to_numpy()
        score = multi_task_jaccard_score(GAPS["tags"][own], predicted["tags"][own])
        assert values(found, "tags", "Jaccard index").loc[group].value == pytest.approx(score)
        have = own & np.array(["q" in tags for tags in GAPS["tags"].where(own, "")])
        chosen = np.mean(["q" in tags for tags in predicted["tags"][have]])
        rate = values(found, "tags", "true positive rate: q").loc[group]
        assert (rate.n_rows, rate.value) == (have.sum(), pytest.approx(chosen))
        mean = values(found, "delay", "mean prediction").loc[group].value
        seen = (groups == group) & GAPS["delay"].notna().to_numpy()
        assert mean == pytest.approx(predicted["delay"][seen].mean())


def test_a_task_without_labels_has_attention_alone(fitted):
    model, X, y, groups = fitted
    y = np.where([False, True], np.nan, y)
    found = fairness(model, X, y, groups, protected=[0], **FAST)
    own = found.gaps.query("task == 'y1'")
    assert own["measure"].tolist() == ["attention to protected columns"]
    assert FairnessDisplay(found).plot().axes_.shape == (2, 4)
    without = fairness(model, X, y, groups, **FAST)
    assert without.gaps["task"].unique().tolist() == ["y0"]
    assert FairnessDisplay(without).plot().axes_.shape == (1, 3)
    with pytest.raises(ValueError, match="y has no observed label: nothing can be compared"):
        fairness(model, X, np.full(y.shape, np.nan), groups, **FAST)


def test_a_group_without_labels_has_no_value(fitted):
    model, X, y, _ = fitted
    groups = np.where(np.isnan(y[:, 1]), 0, np.arange(200) % 2 + 1)
    own = values(fairness(model, X, y, groups, **FAST), "y1", "accuracy")
    assert own.loc[0].n_rows == 0
    assert own.loc[0, ["value", "low", "high"]].isna().all()
    assert own.loc[1:].notna().all(axis=None)


# ---- intervals and gaps ------------------------------------------------------------------------


def test_interval_of_shares_is_wilsons():
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263, and 0 of 20
    assert_allclose(interval(np.r_[np.ones(81), np.zeros(182)]), (0.2553, 0.3662), atol=5e-5)
    assert_allclose(interval(np.zeros(20)), (0.0, 0.1611), atol=5e-5)


def test_interval_of_means_is_like_a_bootstrap():
    sample = np.random.default_rng(0).exponential(size=200)
    other = bootstrap((sample,), np.mean, random_state=0, n_resamples=2000).confidence_interval
    assert_allclose(interval(sample), other, atol=0.03)


def test_small_groups_get_wide_intervals():
    low, high = interval(np.ones(1))
    assert high - low > 0.7
    assert np.isnan(interval(np.array([0.3]))).all()
    assert np.isnan(interval(np.array([]))).all()


def test_chance_gaps_are_told_from_real_ones(fitted):
    model, X, y, _ = fitted
    rng = np.random.default_rng(0)
    dealt = fairness(model, X, y, rng.integers(3, size=200), n_permutations=199, random_state=0)
    gaps = dealt.gaps.set_index(["task", "measure"])
    assert gaps.loc[("y0", "selection rate: 1"), "p_value"] > 0.05
    real = fairness(model, X, y, X[:, 0] > 0, n_permutations=199, random_state=0)
    gaps = real.gaps.set_index(["task", "measure"])
    assert gaps.loc[("y0", "selection rate: 1"), "p_value"] == pytest.approx(1 / 200)
    assert gaps.loc[("y0", "selection rate: 1"), "gap"] > gaps["null"].max()


def test_same_seed_same_draws_and_none_are_left_out(fitted):
    one, other = (fairness(*fitted, **FAST).gaps for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    without = fairness(*fitted, n_permutations=0).gaps
    assert without[["null", "p_value"]].isna().all(axis=None)
    assert_allclose(without["gap"], one["gap"])


# ---- errors ------------------------------------------------------------------------------------


def test_bad_arguments_are_refused(fitted):
    model, X, y, groups = fitted
    with pytest.raises(TypeError, match=r"fairness takes a fitted MultiTask.* got AttentionRecom"):
        fairness(AttentionRecommender(), X, y, groups)
    with pytest.raises(ValueError, match="groups has 10 entries, but X has 200 rows"):
        fairness(model, X, y, groups[:10])
    with pytest.raises(ValueError, match=r"groups must name two groups at least, got \['a'\]"):
        fairness(model, X, y, ["a"] * 200)
    with pytest.raises(ValueError, match="groups has 100 missing entries: give these rows a group"):
        fairness(model, X, y, [None, "a"] * 100)
    with pytest.raises(ValueError, match="groups mixes texts and numbers"):
        fairness(model, X, y, [1, "a"] * 100)
    with pytest.raises(ValueError, match="groups must be one column, got 2"):
        fairness(model, X, y, y)
    with pytest.raises(ValueError, match="protected names the column 'sex'; columns of X have pos"):
        fairness(model, X, y, groups, protected=["sex"])
    with pytest.raises(ValueError, match="protected must be a list of columns, got 'sex'"):
        fairness(model, X, y, groups, protected="sex")
    with pytest.raises(ValueError, match="n_permutations must be an integer of at least 0"):
        fairness(model, X, y, groups, n_permutations=-1)


def test_missing_fairlearn_is_named(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "fairlearn", None)
    with pytest.raises(ImportError, match=r"fairness needs fairlearn: pip install sk-.*\[fair\]"):
        fairness(*fitted)


# ---- display -----------------------------------------------------------------------------------


def test_display_draws_each_measure_with_its_intervals(fitted):
    found = fairness(*fitted, protected=[0], **FAST)
    display = FairnessDisplay(found).plot()
    assert display.axes_.shape == (2, 4)
    ax = display.axes_[1, 0]
    own = values(found, "y1", "accuracy")
    assert ax.get_title() == "accuracy"
    assert display.axes_[1, 0].get_ylabel() == "y1"
    assert_allclose(ax.lines[0].get_xdata(), own["value"])
    ends = np.array([segment[:, 0] for segment in ax.collections[0].get_segments()])
    assert_allclose(ends, own[["low", "high"]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["few", "many"]
    assert FairnessDisplay(found).plot(axes=display.axes_).figure_ is display.figure_


def test_tasks_with_fewer_measures_leave_axes_empty(fitted):
    _, X, y, groups = fitted
    y = np.column_stack([np.digitize(X[:, 0], [-0.5, 0.5]), X[:, 1] > 0])
    model = one_pass(classifier(), X, y)
    display = FairnessDisplay.from_estimator(model, X, y, groups, **FAST)
    assert [ax.get_visible() for ax in display.axes_[1]] == [True] * 3 + [False] * 4


def test_missing_matplotlib_is_named(fitted, monkeypatch):
    found = fairness(*fitted, **FAST)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"FairnessDisplay.plot needs .*\[plot\]"):
        FairnessDisplay(found).plot()
