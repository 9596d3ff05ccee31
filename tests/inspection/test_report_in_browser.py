"""The report as a person uses it: clicks and keys in a headless Chromium.

They need the extra `browser` and any Chromium; without these they are skipped.
"""

import os
import re
import shutil
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from sk_attention.inspection import faithfulness, report
from tests._estimators import KINDS, classifier, data_for, mixed, numbers, one_pass, regressor
from tests.inspection.test_page import HOSTILE
from tests.test_mixed_tasks import GAPS
from tests.test_mixed_tasks import X as X_MIXED

pytest.importorskip("fairlearn", reason="needs sk-attention[fair]")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs sk-attention[browser]")

FAST = {"n_steps": 3, "n_repeats": 1, "n_bootstrap": 10, "random_state": 0}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 760}
MINUS = "\N{MINUS SIGN}"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A script in the data would set it.
ATTACK = (
    f"</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{HOSTILE}"
)


def several_tasks(folder):
    """Two explainable tasks of which some labels are missing, and columns of several kinds."""
    X, y = data_for(KINDS[0], 60, 13)
    frame = pd.DataFrame(X, columns=[f"size {j}" for j in range(13)])
    frame["colour"] = ["red", "green", None] * 20
    labels = pd.DataFrame(y, columns=["late", "lost"]).astype("Int64")
    model = one_pass(classifier(explainable=True), frame, y)
    labels.iloc[::3, 1] = None
    found = faithfulness(model, frame, labels.set_axis(["y0", "y1"], axis=1), **FAST)
    model.task_names_ = ["late", "lost"]
    options = {"found": found, "groups": X[:, 0] > 0, "protected": ["colour"], "random_state": 0}
    return report(model, frame, labels, folder / "several.html", **options)


def one_task(folder):
    """One task of numbers, which is not explainable, of a column without a name."""
    X, y = data_for(KINDS[1], n_features=1, n_tasks=1)
    y[0] = np.nan
    model = one_pass(regressor(), X[1:], y[1:])
    return report(model, X, y, folder / "one.html", random_state=0)


def hostile(folder):
    frame = pd.DataFrame(numbers(), columns=[ATTACK, f"{ATTACK}2", "x" * 3000, "\u202eltr"])
    frame[ATTACK] = [ATTACK, "\u202e'\"<b>", None] * 20
    y = pd.Series([ATTACK, "calm"] * 30, name=ATTACK)
    model = classifier(explainable=True, max_epochs=1).fit(frame, y)
    found = faithfulness(model, frame, y, **FAST)
    groups = [ATTACK, "\u202eothers", "x" * 3000] * 20
    options = {"title": ATTACK, "found": found, "groups": groups}
    return report(model, frame, y, folder / "hostile.html", **options)


def several_kinds(folder):
    """Explainable tasks of classes, numbers and sets of labels, of which some are missing."""
    model = mixed(explainable=True, max_epochs=5).fit(X_MIXED, GAPS)
    options = {"found": faithfulness(model, X_MIXED, GAPS, **FAST), "random_state": 0}
    return report(model, X_MIXED, GAPS, folder / "kinds.html", **options)


PAGES = {own.__name__: own for own in (several_tasks, one_task, several_kinds, hostile)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    return {name: make(folder).as_uri() for name, make in PAGES.items()}


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_api.sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("needs a Chromium: on the path, or named by the variable CHROMIUM")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, pages):
    """Open a page; at last nothing must have gone wrong, nor been asked of a network."""
    contexts, wrong = [], []

    def visit(name, viewport=DESKTOP, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: wrong.append(request.url))
        page.goto(pages[name])
        assert wrong.pop(0) == pages[name]
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def table(page, caption):
    return page.locator(".table", has=page.locator("caption", has_text=caption))


def column(found, place):
    return found.locator(f"tbody tr > :nth-child({place})").all_inner_texts()


def figures(text):
    """The decimal numbers in a text."""
    return [float(own.replace(MINUS, "-")) for own in re.findall(rf"{MINUS}?\d+\.\d+", text)]


# ---- tables ------------------------------------------------------------------------------------


def test_a_heading_sorts_and_sorts_back(visit):
    page = visit("several_tasks")
    found = table(page, "Attention of each task")
    heading = found.get_by_role("button", name="late")
    heading.click()
    down = [float(text.rstrip("%")) for text in column(found, 2)]
    assert down == sorted(down, reverse=True)
    assert heading.locator("..").get_attribute("aria-sort") == "descending"
    heading.click()
    up = [float(text.rstrip("%")) for text in column(found, 2)]
    assert up == sorted(up)
    found.get_by_role("button", name="column").click()
    assert column(found, 1)[:3] == ["colour", "size 0", "size 1"]
    assert heading.locator("..").get_attribute("aria-sort") is None


def test_columns_are_found_and_all_are_shown(visit):
    page = visit("several_tasks")
    found = table(page, "Attention of each task")
    assert found.get_by_role("status").inner_text() == "1 to 12 of 14"
    found.get_by_role("button", name="Show all").click()
    assert len(column(found, 1)) == 14
    page.get_by_label("Find a column").fill("SIZE 1")
    assert sorted(column(found, 1)) == ["size 1", "size 10", "size 11", "size 12"]
    assert found.get_by_role("status").inner_text() == "4 found among 14"
    page.get_by_role("radio", name="contributions").check()
    found = table(page, "Contributions to each task")
    assert sorted(column(found, 1)) == ["size 1", "size 10", "size 11", "size 12"]
    assert found.get_by_role("button", name="importance").is_visible()
    page.get_by_label("Find a column").fill("nothing")
    assert found.get_by_role("status").inner_text() == "none found among 14"


def test_rows_are_turned_and_found(visit):
    page = visit("several_tasks")
    found = table(page, "Rows, with")
    found.get_by_role("button", name="Later").click()
    assert found.get_by_role("status").inner_text() == "11 to 20 of 60"
    assert column(found, 1)[0] == "10"
    found.get_by_role("button", name="Earlier").click()
    assert column(found, 1)[0] == "0"
    page.get_by_label("Find rows").fill("colour=missing lost=missing")
    assert found.get_by_role("status").inner_text() == "none found among 60"
    page.get_by_label("Find rows").fill("lost=missing colour=red")
    assert column(found, 1)[:3] == ["0", "3", "6"]
    assert all("missing" in text for text in column(found, 3))


def test_groups_are_compared(visit):
    page = visit("several_tasks")
    found = table(page, "late: values of each group")
    assert column(found, 1) == ["False", "True"]
    assert "n = " in column(found, 2)[0]
    assert "by chance" in found.locator("tfoot").inner_text()
    assert found.get_by_role("button", name="attention to protected columns").is_visible()
    found.get_by_role("button", name="group").click()
    found.get_by_role("button", name="group").click()
    assert column(found, 1) == ["True", "False"]


# ---- rows --------------------------------------------------------------------------------------


def test_a_row_that_is_picked_shows_reasons_that_add_up(visit):
    page = visit("several_tasks")
    table(page, "Rows, with").locator("tbody tr").nth(4).click(position={"x": 300, "y": 8})
    assert page.locator("#picked").inner_text() == "Row 4"
    assert page.locator(".pick[aria-pressed=true]").inner_text() == "4"
    page.locator("#detail").get_by_label("lost").check()
    detail = table(page, "What each column adds")
    detail.get_by_role("button", name="Show all").click()
    added = [figures(text)[0] for text in column(detail, 4)]
    start, total, end, *_ = figures(page.locator("#detail .note").inner_text())
    assert sum(added) == pytest.approx(total, abs=0.01)
    assert start + total == pytest.approx(end, abs=0.002)
    assert sorted(map(abs, added), reverse=True) == [abs(own) for own in added]


def test_keys_are_enough(visit):
    page = visit("several_tasks")
    table(page, "Rows, with").get_by_role("button", name="2", exact=True).focus()
    page.keyboard.press("Enter")
    assert page.locator("#picked").inner_text() == "Row 2"
    page.locator("#detail").get_by_role("button", name="Row after").focus()
    page.keyboard.press("Space")
    assert page.locator("#picked").inner_text() == "Row 3"
    page.locator("#detail").get_by_label("late").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#detail").get_by_label("lost").is_checked()
    page.get_by_label("Find in this row").focus()
    page.keyboard.type("colour=red")
    assert column(table(page, "What each column adds"), 1) == ["colour"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"  # it scrolls by keys


def test_one_task_of_numbers_is_shown(visit):
    page = visit("one_task")
    found = table(page, "Rows, with")
    assert "observed: missing" in column(found, 2)[0]
    assert page.get_by_text("There is one task").is_visible()
    assert page.get_by_role("link", name="Groups").count() == 0
    assert page.get_by_role("link", name="Faithfulness").count() == 0
    assert column(table(page, "Where the task looked"), 1)
    assert page.get_by_role("radio", name="contributions").count() == 0


def test_tasks_of_several_kinds_have_tables_and_sums_of_their_own(visit):
    page = visit("several_kinds")
    assert column(table(page, "Scores of each task of classes"), 1) == ["late"]
    assert column(table(page, "Scores of each task of sets of labels"), 1) == ["tags"]
    assert column(table(page, "Scores of each task of numbers"), 1) == ["delay"]
    found = table(page, "Rows, with")
    page.get_by_label("Find rows").fill("predicted:tags=none")
    assert {text.split()[0] for text in column(found, 4)} == {"none"}
    page.get_by_label("Find rows").fill("observed:tags=missing predicted:late=no")
    assert {text.split()[0] for text in column(found, 2)} == {"no"}
    assert all("observed: missing" in text for text in column(found, 4))
    page.get_by_label("Find rows").fill("predicted:tags=p,")
    assert all(text.startswith("p, ") for text in column(found, 4))
    found.get_by_role("button", name="tags").click()
    found.locator(".pick").first.click()
    page.locator("#detail").get_by_label("tags").check()
    assert "the most probable label" in page.locator("#detail .note").inner_text()
    added = [figures(text)[0] for text in column(table(page, "What each column adds"), 4)]
    start, total, end, *_ = figures(page.locator("#detail .note").inner_text())
    assert sum(added) == pytest.approx(total, abs=0.01)
    assert start + total == pytest.approx(end, abs=0.002)


# ---- safety ------------------------------------------------------------------------------------


def test_hostile_data_stays_text(visit):
    page = visit("hostile")
    page.get_by_label("Find rows").fill("<img")
    page.locator(".pick").first.click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert "<img src=x" in page.locator("#detail .tile strong").first.inner_text()
    assert page.title().startswith("</script>")


def test_no_other_script_could_run(browser, pages):
    context = browser.new_context()
    page = context.new_page()
    page.goto(pages["several_tasks"])
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.hacked") is None
    context.close()


# ---- looks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_need_not_scroll_sideways(visit, name):
    page = visit(name, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_theme_follows_the_system_until_it_is_chosen(visit):
    def paper(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = visit("several_tasks"), visit("several_tasks", scheme="dark")
    assert paper(light) != paper(dark)
    light.get_by_role("button", name="Dark").click()
    assert paper(light) == paper(dark)
    light.get_by_role("button", name="Light").click()
    assert paper(light) != paper(dark)
    dark.emulate_media(color_scheme="light")
    dark.get_by_role("button", name="Dark").wait_for()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")],
    ids=["desktop", "dark", "phone"],
)
def test_axe_finds_nothing_serious(visit, name, viewport, scheme):
    pytest.importorskip("axe_playwright_python", reason="needs sk-attention[browser]")
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page = visit(name, viewport, scheme)
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((found) => found.violations)")
    serious = [
        (own["id"], [node["html"] for node in own["nodes"][:3]])
        for own in found
        if own["impact"] in ("serious", "critical")
    ]
    assert serious == []
