import base64
import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from sk_attention import AttentionRecommender, MultiTaskAttentionClassifier
from sk_attention.inspection import fairness, faithfulness, report
from sk_attention.inspection._answers import per_task
from sk_attention.metrics import (
    multi_task_jaccard_score,
    multi_task_r2_score,
    multi_task_roc_auc_score,
)
from tests._estimators import (
    KINDS,
    classifier,
    data_for,
    mixed,
    numbers,
    one_pass,
    over_kinds,
    small,
)
from tests.inspection.test_page import HOSTILE
from tests.test_attention import mixed_frame
from tests.test_mixed_tasks import GAPS, Y
from tests.test_mixed_tasks import X as X_MIXED
from tests.test_text import reviews

FAST = {"n_steps": 2, "n_repeats": 1, "n_bootstrap": 10, "random_state": 0}


def content(path):
    """What a page was given to show."""
    text = path.read_text("utf-8")
    return json.loads(re.search(r'id="content">(.*?)</script>', text, re.DOTALL)[1])


def unpacked(packed, n_rows):
    whole = np.frombuffer(base64.b64decode(packed["data"]), dtype="<i2")
    return whole.reshape(n_rows, -1) * packed["scale"]


def written(tmp_path, model, X, y, **options):
    options = {"random_state": 0, **options}
    return content(report(model, X, y, tmp_path / "report.html", **options))


@pytest.fixture(scope="module")
def explained():
    """An explainable model of two tasks, and rows of which some labels are missing."""
    X, y = data_for(KINDS[0], 120)
    y = y.astype(float)
    y[::3, 1] = np.nan
    return one_pass(classifier(explainable=True), X, np.nan_to_num(y)), X, y


# ---- what is shown -----------------------------------------------------------------------------


def test_scores_are_those_of_the_metrics(explained, tmp_path):
    model, X, y = explained
    scores = written(tmp_path, model, X, y)["scores"]
    auc = multi_task_roc_auc_score(y, model.predict_proba(X), classes=model.classes_, average=None)
    (kind,) = scores["kinds"]
    assert (kind["labels"], kind["tasks"]) == ("classes", [0, 1])
    place = kind["names"].index("ROC AUC")
    assert_allclose([own["values"][place] for own in scores["tasks"]], auc, atol=5e-4)
    assert [own["n_labels"] for own in scores["tasks"]] == [120, 80]
    assert [own["n_missing"] for own in scores["tasks"]] == [0, 40]
    share = np.mean(y[:, 0])
    accuracy, balanced, area, loss = scores["tasks"][0]["guess"]
    assert_allclose([accuracy, balanced, area], [max(share, 1 - share), 0.5, 0.5], atol=5e-4)
    assert loss == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share), abs=1e-3)


def test_numbers_are_scored_in_their_units(tmp_path):
    X, y = data_for(KINDS[1], 60, n_tasks=1)
    model = one_pass(small(KINDS[1]), X, y)
    found = written(tmp_path, model, X, 10.0 * y)
    r2, error = found["scores"]["tasks"][0]["values"]
    assert r2 == pytest.approx(multi_task_r2_score(10.0 * y, model.predict(X)), rel=1e-3)
    assert error == pytest.approx(np.abs(10.0 * y - model.predict(X)).mean(), rel=1e-3)
    assert found["rows"]["tasks"][0]["observed"][0] == pytest.approx(10.0 * y[0], rel=1e-3)


def test_rows_show_what_was_read_predicted_and_observed(explained, tmp_path):
    model, X, y = explained
    rows = written(tmp_path, model, X, y)["rows"]
    attention = model.attend(X)
    for task, own in enumerate(rows["tasks"]):
        assert_allclose(unpacked(own["attention"], 120), attention[:, task], rtol=1e-3, atol=1e-4)
        assert own["predicted"] == model.predict(X)[:, task].tolist()
        assert own["sure"] == [
            pytest.approx(sure, abs=1e-3) for sure in model.predict_proba(X)[task].max(axis=1)
        ]
        assert own["observed"] == [None if np.isnan(v) else v for v in y[:, task]]
        assert own["classes"] == ["0", "1"]
    assert_allclose(rows["cells"][2]["numbers"], X[:, 2], rtol=1e-3)
    assert rows["names"][:3] == ["0", "1", "2"]


@pytest.mark.parametrize("n_tasks", [1, 2])
@over_kinds
def test_contributions_shown_add_up_to_the_logits(kind, n_tasks, tmp_path):
    X, y = data_for(kind, n_tasks=n_tasks)
    model = one_pass(small(kind, explainable=True), X, y)
    rows = written(tmp_path, model, X, y)["rows"]
    logits = per_task(model, model.contributions(X).logits)
    for own, logit in zip(rows["tasks"], logits, strict=True):
        total = unpacked(own["contributions"], 60).sum(axis=1) + own["start"]
        assert_allclose(total, logit, atol=2e-3 * np.abs(logit).max())


def test_of_several_classes_the_predicted_one_is_explained(tmp_path):
    X = numbers()
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    model = one_pass(classifier(explainable=True), X, y)
    (own,) = written(tmp_path, model, X, y)["rows"]["tasks"]
    starts = np.array(own["start"])[own["predicted"]]
    total = unpacked(own["contributions"], 60).sum(axis=1) + starts
    logits = model.contributions(X).logits
    assert_allclose(total, logits[np.arange(60), own["predicted"]], atol=2e-3)


def test_tasks_of_several_kinds_are_shown_each_by_its_kind(tmp_path):
    model = mixed(explainable=True, max_epochs=20).fit(X_MIXED, GAPS)
    shown = written(tmp_path, model, X_MIXED, GAPS)
    kinds = [(own["labels"], own["tasks"]) for own in shown["scores"]["kinds"]]
    assert kinds == [("classes", [0]), ("sets of labels", [2]), ("numbers", [1])]
    predicted = model.predict(X_MIXED)
    _, delay, tags = shown["scores"]["tasks"]
    r2 = multi_task_r2_score(GAPS["delay"], predicted["delay"])
    assert delay["values"][0] == pytest.approx(r2, abs=1e-3)
    jaccard = multi_task_jaccard_score(GAPS["tags"], predicted["tags"])
    assert tags["values"][0] == pytest.approx(jaccard, abs=1e-3)
    assert tags["values"][1] > tags["guess"][1] == 0.5
    assert tags["values"][2] < tags["guess"][2]
    late, delay, tags = shown["rows"]["tasks"]
    assert [late["kind"], delay["kind"], tags["kind"]] == model.task_types_
    assert [late["classes"][code] for code in late["predicted"]] == predicted["late"].tolist()
    assert_allclose(delay["predicted"], predicted["delay"], rtol=1e-3)
    named = [[tags["classes"][code] for code in row] for row in tags["predicted"]]
    assert named == predicted["tags"].tolist()
    assert [own is None for own in tags["observed"]] == GAPS["tags"].isna().tolist()
    assert late["explained"] is delay["explained"] is None
    logits = model.contributions(X_MIXED).logits[2]
    assert tags["explained"] == logits.argmax(axis=1).tolist()
    total = (
        unpacked(tags["contributions"], 80).sum(axis=1) + np.array(tags["start"])[tags["explained"]]
    )
    assert_allclose(total, logits.max(axis=1), atol=2e-3 * np.abs(logits).max())


def test_a_guess_of_sets_is_what_most_rows_have(tmp_path):
    model = mixed(max_epochs=1).fit(X_MIXED, Y["tags"])
    sets = pd.Series([["p"], ["p"], ["p", "q"], []] * 20)
    (own,) = written(tmp_path, model, X_MIXED, sets)["scores"]["tasks"]
    p, q = 0.75, 0.25
    loss = -(p * np.log(p) + q * np.log(q)) * 2 / 3  # both labels alike, and one that never occurs
    assert own["guess"] == pytest.approx([(1 + 1 + 0.5 + 0) / 4, 0.5, loss], abs=1e-3)


def test_a_model_that_is_not_explainable_shows_no_contributions(tmp_path):
    X, y = data_for(KINDS[0])
    shown = written(tmp_path, one_pass(classifier(), X, y), X, y)
    assert shown["attention"]["contributions"] is None
    assert shown["rows"]["tasks"][0]["contributions"] is None
    assert shown["card"]["method"] == "attention"


def test_columns_of_every_kind_are_shown(tmp_path):
    frame = mixed_frame()
    frame["note"] = ["late and long " * 20] * 59 + [None]
    frame["items"] = [["a", "b"]] * 60
    frame["odd"] = frame["size"] > 0
    frame.loc[0, ["colour", "size", "when"]] = None
    frame.index = [f"flight {row}" for row in range(60)]
    y = frame["weight"] > 0
    model = one_pass(classifier(text_features=["note"]), frame, y)
    rows = written(tmp_path, model, frame, y)["rows"]

    def texts(name):
        cells = rows["cells"][list(frame).index(name)]
        return [None if code is None else cells["texts"][code] for code in cells["codes"]]

    assert rows["cells"][1]["numbers"][0] is None
    assert (texts("colour")[0], texts("colour")[1]) == (None, frame["colour"].iloc[1])
    assert (texts("when")[0], texts("when")[1]) == (None, str(frame["when"].iloc[1]))
    assert texts("note")[-1] is None
    assert texts("note")[0].endswith("…")
    assert len(texts("note")[0]) == 120
    assert texts("items")[0] == "a, b"
    assert set(texts("odd")) == {"True", "False"}
    assert rows["names"][1] == "flight 1"
    assert written(tmp_path, model, frame, y)["rows"]["tasks"][0]["classes"] == ["False", "True"]


def test_polars_steps_and_lists_are_taken(tmp_path):
    X, y = data_for(KINDS[0])
    frame, labels = pl.DataFrame(X, schema=list("abcd")), pl.DataFrame(y, schema=["one", "two"])
    model = one_pass(classifier(), frame, y)
    shown = written(tmp_path, model, frame, labels, max_rows=20)
    assert shown["attention"]["columns"] == list("abcd")
    assert len(shown["rows"]["names"]) == 20
    steps = X.reshape(60, 2, 2)
    shown = written(tmp_path, one_pass(classifier(), steps, y), steps, y)
    assert shown["rows"]["cells"][0]["texts"][0] == ", ".join(f"{own:.3g}" for own in X[0, :2])
    model = one_pass(classifier(), X, y[:, 0])
    shown = written(tmp_path, model, X.tolist(), y[:, 0].tolist(), max_rows=20)
    assert shown["tasks"] == ["y"]


# ---- options -----------------------------------------------------------------------------------


def test_rows_are_drawn_and_scores_are_of_all(explained, tmp_path):
    model, X, y = explained
    shown = written(tmp_path, model, X, y, max_rows=50)
    again = written(tmp_path, model, X, y, max_rows=50)
    other = written(tmp_path, model, X, y, max_rows=50, random_state=1)
    names = shown["rows"]["names"]
    assert len(names) == 50
    assert shown == again
    assert other["rows"]["names"] != names
    assert shown["scores"]["tasks"][0]["n_labels"] == 120
    predicted = model.predict(X)[[int(name) for name in names]]
    assert shown["rows"]["tasks"][1]["predicted"] == predicted[:, 1].tolist()


def test_of_columns_that_are_left_out_there_is_the_sum(explained, tmp_path):
    model, X, y = explained
    shown = written(tmp_path, model, X, y, max_columns=2)
    kept = np.sort(np.argsort(-model.attention_weights_.max(axis=0))[:2])
    assert shown["attention"]["columns"] == [f"x{j}" for j in kept]
    assert shown["attention"]["n_others"] == 2
    for weights in (shown["attention"]["weights"], shown["attention"]["contributions"]):
        assert np.shape(weights) == (2, 3)
        assert_allclose(np.sum(weights, axis=1), 1.0, atol=1e-3)
    assert_allclose(
        unpacked(shown["rows"]["tasks"][0]["attention"], 120).sum(axis=1), 1.0, atol=1e-3
    )


def test_title_and_measured_faithfulness_are_taken(explained, tmp_path):
    model, X, y = explained
    found = faithfulness(model, X, y, relevant=np.ones((2, 4), dtype=bool), **FAST)
    path = report(model, X, y, str(tmp_path / "own.html"), title="Flights & more", found=found)
    assert path == tmp_path / "own.html"
    assert "<title>Flights &amp; more</title>" in path.read_text("utf-8")
    assert "precision" in content(path)["card"]["names"]


def test_groups_are_shown_where_they_are_given(explained, tmp_path):
    pytest.importorskip("fairlearn", reason="needs sk-attention[fair]")
    model, X, y = explained
    groups = np.where(X[:, 0] > 0, "old", "young")
    assert written(tmp_path, model, X, y)["groups"] is None
    shown = written(tmp_path, model, X, y, groups=groups, protected=[0], max_rows=20)["groups"]
    found = fairness(model, X, y, groups, protected=[0], random_state=0)
    assert shown["groups"] == ["old", "young"]
    second = found.by_group[found.by_group["task"] == "y1"]
    for own in shown["tasks"][1]:
        values = second[second["measure"] == own["measure"]]
        assert_allclose(own["value"], values["value"], rtol=1e-3)
        assert own["n_rows"] == values["n_rows"].tolist()
    assert len(shown["tasks"][1]) == 4


def test_faithfulness_is_measured_where_labels_are_rare(tmp_path):
    X, y = data_for(KINDS[0], 900)
    model = one_pass(classifier(), X, y)
    y = y.astype(float)
    y[5:, 1] = np.nan
    y[:5, 1] = [0, 1, 0, 1, 0]
    shown = written(tmp_path, model, X, y, max_rows=20)  # not of rows with these labels
    assert shown["rows"]["tasks"][1]["observed"] == [None] * 20
    assert shown["scores"]["tasks"][1]["n_labels"] == 5
    assert all(shown["card"]["curves"]["random"][1])


def test_a_task_without_labels_is_shown_without_scores(explained, tmp_path):
    model, X, y = explained
    found = faithfulness(model, X, y, **FAST)
    y = np.where([False, True], np.nan, y)
    shown = written(tmp_path, model, X, y, found=found)["scores"]["tasks"]
    assert (shown[1]["n_labels"], shown[1]["values"], shown[1]["guess"]) == (
        0,
        [None] * 4,
        [None] * 4,
    )
    assert None not in shown[0]["values"]


def test_labels_of_one_class_are_shown_without_what_is_undefined(explained, tmp_path):
    model, X, y = explained
    y = y[:40].copy()
    y[:, 1] = 1
    shown = written(tmp_path, model, X[:40], y)
    area = shown["scores"]["kinds"][0]["names"].index("ROC AUC")
    assert shown["scores"]["tasks"][1]["values"][area] is None
    assert shown["card"]["curves"]["random"][1][0] is None
    assert "the model is no better than a guess" in shown["card"]["objections"][1]


def test_a_model_of_one_column_has_no_card(tmp_path):
    X, y = reviews(60)
    model = one_pass(classifier(text_features=["text"], explainable=True), X[["text"]], y)
    shown = written(tmp_path, model, X[["text"]], y)
    assert shown["card"] is None
    assert shown["attention"]["columns"] == ["text"]


# ---- safety and size ---------------------------------------------------------------------------


def test_hostile_names_and_values_are_text(tmp_path):
    names = [HOSTILE, f"{HOSTILE}2", "x" * 5000]
    frame = pd.DataFrame(dict.fromkeys(names, [HOSTILE, "other"] * 30))
    frame[names[2]] = np.arange(60.0)
    y = pd.DataFrame({f"task {HOSTILE}": [HOSTILE, "calm"] * 30})[f"task {HOSTILE}"]
    model = MultiTaskAttentionClassifier(n_members=2, max_epochs=1, random_state=0).fit(frame, y)
    path = report(model, frame, y, tmp_path / "report.html", title=HOSTILE, random_state=0)
    text = path.read_text("utf-8")
    assert text.count("</script>") == 2
    assert "<img" not in text
    shown = content(path)
    assert shown["attention"]["columns"][:2] == names[:2]
    assert len(shown["attention"]["columns"][2]) == 120
    assert HOSTILE in shown["rows"]["tasks"][0]["classes"]
    assert HOSTILE in shown["rows"]["cells"][0]["texts"]


def test_thousand_rows_of_fifty_columns_and_five_tasks_take_less_than_two_megabytes(tmp_path):
    X, y = data_for(KINDS[0], 1000, 50, 5)
    model = one_pass(classifier(explainable=True), X, y)
    found = faithfulness(model, X[:30], y[:30], **FAST)
    path = report(model, X, y, tmp_path / "report.html", found=found)
    assert path.stat().st_size < 2_000_000


# ---- errors ------------------------------------------------------------------------------------


def test_what_cannot_be_reported_is_refused(explained, tmp_path):
    model, X, y = explained
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(
        TypeError, match=r"report takes a fitted MultiTask.* got AttentionRecommend"
    ):
        report(AttentionRecommender(), X, y, path)
    with pytest.raises(NotFittedError):
        report(classifier(), X, y, path)
    with pytest.raises(ValueError, match="max_rows must be an integer of at least 1, got 0"):
        report(model, X, y, path, max_rows=0)
    with pytest.raises(ValueError, match=r"max_columns must be an integer of at least 1, got 1\.5"):
        report(model, X, y, path, max_columns=1.5)
    with pytest.raises(ValueError, match="protected says what fairness looks at, which needs gr"):
        report(model, X, y, path, protected=[0])
    with pytest.raises(TypeError, match="title must be a string, got None"):
        report(model, X, y, path, title=None)
    with pytest.raises(ValueError, match="X has 120 rows, but y has 10"):
        report(model, X, y[:10], path)
    with pytest.raises(ValueError, match="y has 1 task"):
        report(model, X, y[:, 0], path)
    assert path.read_text() == "before"
