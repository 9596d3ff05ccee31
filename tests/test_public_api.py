"""The public names, the version, and what an import costs."""

import importlib
import importlib.metadata
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sk_attention
from tests._public import PUBLIC_MODULES, public_names

API_PAGE = Path(__file__).parents[1] / "docs" / "api.md"
OPTIONAL = {"captum", "fairlearn", "matplotlib", "pandas", "polars", "tensorboard"}


def names_on_page(page: str) -> dict[str, list[str]]:
    """Module -> names, from headings "## `module`" and lines "- `name`: what it is."."""
    names: dict[str, list[str]] = {}
    for line in page.splitlines():
        if heading := re.match(r"##+ .*`(sk_attention[\w.]*)`", line):
            section = names.setdefault(heading[1], [])
        elif entry := re.match(r"- `(\w+)[`(]", line):
            section.append(entry[1])
    return names


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_on_page_are_read():
    page = "# API\n## Estimators: `sk_attention`\n- `A`: one.\n- `b(x)`: two.\n## `sk_attention.c`"
    assert names_on_page(page) == {"sk_attention": ["A", "b"], "sk_attention.c": []}


def test_every_public_module_is_on_the_api_page():
    assert list(names_on_page(API_PAGE.read_text("utf-8"))) == list(PUBLIC_MODULES)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_all_equals_the_api_page(module):
    assert sorted(names_on_page(API_PAGE.read_text("utf-8"))[module]) == sorted(
        public_names(module)
    )


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_all_is_sorted_and_every_name_exists(module):
    names = public_names(module)
    assert names == sorted(names)
    assert [name for name in names if not hasattr(importlib.import_module(module), name)] == []


def test_version_equals_the_installed_metadata():
    assert sk_attention.__version__ == importlib.metadata.version("sk-attention")


def test_every_module_imports_on_its_own():
    modules = [info.name for info in pkgutil.walk_packages(sk_attention.__path__, "sk_attention.")]
    assert modules
    # One interpreter, so that torch is imported once. A bare package in place of the real one, so
    # that its __init__ does not import everything in the one order that works.
    run(
        f"""
import importlib, sys, types
for name in {modules}:
    for known in [known for known in sys.modules if known.partition(".")[0] == "sk_attention"]:
        del sys.modules[known]
    sys.modules["sk_attention"] = bare = types.ModuleType("sk_attention")
    bare.__path__ = {list(sk_attention.__path__)}
    importlib.import_module(name)
"""
    )


def test_import_needs_no_optional_dependency():
    run(
        f"""
import importlib, sys
sys.modules.update(dict.fromkeys({OPTIONAL}))
for module in {PUBLIC_MODULES}:
    importlib.import_module(module)
"""
    )


def test_import_brings_no_optional_dependency():
    # scikit-learn brings pandas where it is installed; what counts is what the package adds.
    brought = run(
        """
import json, sys
import skorch, sklearn.base, torch
before = set(sys.modules)
import sk_attention
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    )
    assert OPTIONAL.intersection(json.loads(brought)) == set()
