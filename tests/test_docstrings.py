"""Docstrings of public objects are complete, and agree with the signatures."""

import inspect
import pydoc
import tomllib
from pathlib import Path

import numpydoc.validate
import pytest

import sk_attention.nn
from tests._docstrings import documented_parameters, parameter_problems
from tests._public import PUBLIC_MODULES, public_functions, public_methods, public_names

ROOT = Path(__file__).parents[1]
CHECKS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["numpydoc_validation"][
    "checks"
]


def documented_objects() -> list[str]:
    """Dotted names; a method that two classes share stands once."""
    found: dict[object, str] = {}
    for module in PUBLIC_MODULES:
        for name in public_names(module):
            public = pydoc.locate(f"{module}.{name}")
            found.setdefault(public, f"{module}.{name}")
            if inspect.isclass(public):
                for method in public_methods(public):
                    found.setdefault(
                        inspect.getattr_static(public, method), f"{module}.{name}.{method}"
                    )
    found |= {function: name for name, function in public_functions(sk_attention.nn)}
    return list(found.values())


OBJECTS = documented_objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_is_complete(name):
    errors = numpydoc.validate.validate(name)["errors"]
    assert [f"{code}: {text}" for code, text in errors if code in CHECKS] == []


@pytest.mark.parametrize("name", [name for name in OBJECTS if callable(pydoc.locate(name))])
def test_documented_defaults_equal_the_signature(name):
    assert parameter_problems(pydoc.locate(name)) == []


# The checks above are only as good as their reader; these show that it sees a drift.


def agreeing(x, y=None, *, rate=1e-3, kind="double", size=(1, 2), engine=int, **options):
    """Agree.

    Parameters
    ----------
    x, y : array, default=None
        Two names in one entry share their type.
    rate : float, default=0.001
        Same number, written otherwise.
    kind : {"cross", "double"}, default="double"
        A choice.
    size : tuple of int, default=(1, 2)
        The commas belong to the value.
    engine : type, default=int
        Told by its name.
    **options
        The rest.
    """


def drifting(x, y=1, z=None, kind="double", size=1, quoted="None", hidden=0):
    """Drift.

    Parameters
    ----------
    x : int, default=3
        Has none.
    y : int, default=2
        Is 1.
    z : int, optional
        Keeps it to itself.
    kind : str, default=double
        Lacks its quotes.
    size : float, default=1.0
        Another type.
    quoted : str, default=None
        Not the same.
    gone : int, default=0
        No longer there.
    """


def test_documented_parameters_are_read():
    assert documented_parameters(agreeing) == {
        "x": "None",
        "y": "None",
        "rate": "0.001",
        "kind": '"double"',
        "size": "(1, 2)",
        "engine": "int",
        "options": None,
    }


def test_only_the_false_default_is_reported():
    assert parameter_problems(agreeing) == ["x has no default, the docstring says None"]


def test_every_drift_is_reported():
    assert parameter_problems(drifting) == [
        "gone is documented but not a parameter",
        "hidden is not documented",
        "kind defaults to 'double', the docstring says double",
        "quoted defaults to 'None', the docstring says None",
        "size defaults to 1, the docstring says 1.0",
        "x has no default, the docstring says 3",
        "y defaults to 1, the docstring says 2",
        "z defaults to None, the docstring does not say so",
    ]


def test_a_class_is_compared_with_its_constructor():
    class Drifting:
        """Drift.

        Parameters
        ----------
        size : int, default=2
            Is 1.
        """

        def __init__(self, size=1):
            self.size = size

    assert parameter_problems(Drifting) == ["size defaults to 1, the docstring says 2"]


def test_public_methods_leave_out_what_is_inherited_from_elsewhere():
    from sklearn.base import BaseEstimator

    class Estimator(BaseEstimator):
        def fit(self, X, y=None, sample_weight=None):  # brings set_fit_request
            return self

        @property
        def width(self):
            return 1

        def _private(self): ...

    Estimator.__module__ = Estimator.fit.__module__ = "sk_attention.somewhere"
    Estimator.width.fget.__module__ = "sk_attention.somewhere"
    assert list(public_methods(Estimator)) == ["fit", "width"]
