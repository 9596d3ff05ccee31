"""What the package offers: its public modules, names and methods."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

PUBLIC_MODULES = (
    "sk_attention",
    "sk_attention.metrics",
    "sk_attention.datasets",
    "sk_attention.inspection",
    "sk_attention.model_selection",
    "sk_attention.preprocessing",
)


def public_names(module: str) -> list[str]:
    """Names in the module's `__all__`, but for `__version__`."""
    return [name for name in importlib.import_module(module).__all__ if not name.startswith("_")]


def public_methods(cls: type) -> Iterator[str]:
    """Names of the public methods and properties that this package gives to the class."""
    package = cls.__module__.partition(".")[0]
    for name in dir(cls):
        if name.startswith("_"):
            continue
        member = inspect.getattr_static(cls, name)
        if isinstance(member, property):
            member = member.fget
        elif not inspect.isdatadescriptor(member):
            member = getattr(cls, name)
        module = getattr(member, "__module__", None) or ""  # built-in methods have none
        if callable(member) and module.partition(".")[0] == package:
            yield name


def public_functions(package: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Dotted name and function, for each public function that the package's modules define."""
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and function.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", function
