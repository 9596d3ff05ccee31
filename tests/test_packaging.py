"""The package declares what it imports, and what is built from it can be used alone."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
NAME = "sk_attention"

# Run from an empty folder by an interpreter that knows the package only as installed.
USE = """
import importlib.metadata, sys
import sk_attention
assert sk_attention.__file__.startswith(sys.prefix), sk_attention.__file__
assert importlib.metadata.version("sk-attention") == sk_attention.__version__

from sk_attention import MultiTaskAttentionClassifier
from sk_attention.datasets import load_flights, load_online_retail, make_planted_tasks
planted = make_planted_tasks(n_samples=60, random_state=0)
model = MultiTaskAttentionClassifier(max_epochs=1).fit(planted.data, planted.target)
assert model.predict(planted.data).shape == planted.target.shape
assert len(load_flights().data)
assert len(load_online_retail().data)
from sk_attention.inspection._page import page
assert "</html>" in page("title", {})
"""


def top_level_imports(source: str) -> tuple[set[str], set[str]]:
    """Imported top-level packages: those at import time, and those inside functions."""
    eager, lazy = set(), set()

    def visit(node: ast.AST, found: set[str]) -> None:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, lazy if inside else found)

    visit(ast.parse(source), eager)
    return eager - {NAME} - sys.stdlib_module_names, lazy - {NAME} - sys.stdlib_module_names


def declared(extras: bool) -> set[str]:
    """Names of the required distributions, normalised."""
    requirements = importlib.metadata.requires("sk-attention") or []
    return {
        normalised(re.match(r"[\w.-]+", requirement)[0])
        for requirement in requirements
        if extras or "extra ==" not in requirement
    }


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_imports_are_told_apart():
    source = "import a.b, os\nfrom .c import d\ndef f():\n    from e.g import h\n"
    assert top_level_imports(source) == ({"a"}, {"e"})


@pytest.mark.parametrize("extras", [False, True], ids=["at import", "inside functions"])
def test_every_import_is_declared(extras):
    distributions = importlib.metadata.packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {package}"
        for path in (ROOT / NAME).rglob("*.py")
        for package in top_level_imports(path.read_text("utf-8"))[extras]
        if not declared(extras) & {normalised(name) for name in distributions.get(package, [])}
    }
    assert undeclared == set()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """An sdist, and a wheel made from it, of a copy of the sources."""
    folder = tmp_path_factory.mktemp("built")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    source = shutil.copytree(ROOT, folder / "source", ignore=ignored)
    command("-m", "build", "--no-isolation", "--outdir", folder, source)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def command(*arguments, python=sys.executable, cwd=None) -> None:
    done = subprocess.run(
        [python, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def package_files() -> set[str]:
    """Everything in the package folder that a user needs."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / NAME).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
    information = {name for name in names if ".dist-info/" in name}
    assert names - information == package_files()
    assert f"{NAME}/py.typed" in names
    assert any(name.startswith(f"{NAME}/datasets/data/") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in information)


@pytest.mark.slow
def test_sdist_holds_package_tests_and_licence(built):
    with tarfile.open(built["sdist"]) as sdist:
        paths = [PurePosixPath(name) for name in sdist.getnames()]
    names = {path.relative_to(path.parts[0]).as_posix() for path in paths}
    assert package_files() <= names
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "setup.cfg", "tests/conftest.py"}
    assert wanted <= names
    assert {path.parts[1] for path in paths if len(path.parts) > 1 and path.parts[1][0] == "."} <= {
        "."
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_package_fits(built, kind, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    # Lends the libraries of this environment to the empty one, but not its editable packages.
    paths = {"base": str(environment), "platbase": str(environment)}
    site_packages = Path(sysconfig.get_path("purelib", vars=paths))
    site_packages.joinpath("lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    command("-m", "pip", "--python", python, "install", *options, built[kind])
    empty = tmp_path / "empty"
    empty.mkdir()
    command("-I", "-c", USE, python=python, cwd=empty)
    assert list(empty.iterdir()) == []
