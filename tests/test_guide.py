"""Every example in the README and the guide runs and prints what it says."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = [
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if ">>> " in path.read_text("utf-8")
]


def examples(page: str, name: str) -> doctest.DocTest:
    """All examples of a page as one test; a closing fence would read as expected output."""
    text = re.sub(r"^```.*$", "", page, flags=re.MULTILINE)
    return doctest.DocTestParser().get_doctest(text, {}, name, name, 0)


def run(test: doctest.DocTest) -> str:
    report: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_page_runs(page, tmp_path, monkeypatch):
    text = (ROOT / page).read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(examples(text, page)) == ""


def test_fences_are_no_output():
    assert run(examples("```pycon\n>>> 1 + 1\n2\n```\n\n```python\n>>> x = 1\n```", "page")) == ""


def test_wrong_output_is_reported():
    report = run(examples("Text.\n```python\n>>> 1 + 1\n3\n```\n", "page"))
    assert 'File "page", line 3' in report
    assert "Expected:\n    3\nGot:\n    2" in report
