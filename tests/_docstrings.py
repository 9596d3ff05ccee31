"""What a docstring says about parameters, compared with what the signature says."""

import ast
import inspect
import re
from typing import Any

from numpydoc.docscrape import NumpyDocString

DEFAULT = re.compile(r"\bdefault\s*=\s*(?P<value>.+)$")


def documented_parameters(documented: Any) -> dict[str, str | None]:
    """Map each parameter of the docstring to its default as written, None where it has none."""
    sections = NumpyDocString(inspect.getdoc(documented) or "")
    return {
        name.strip().lstrip("*"): match["value"] if (match := DEFAULT.search(entry.type)) else None
        for entry in sections["Parameters"] + sections["Other Parameters"]
        for name in entry.name.split(",")
    }


def signature_parameters(documented: Any) -> dict[str, inspect.Parameter]:
    if inspect.isclass(documented) and issubclass(documented, Warning):
        return {}  # built-in classes have no signature
    parameters = dict(inspect.signature(documented).parameters)
    parameters.pop("self", None)
    parameters.pop("cls", None)
    return parameters


def parameter_problems(documented: Any) -> list[str]:
    """One sentence for each way in which docstring and signature disagree."""
    told, real = documented_parameters(documented), signature_parameters(documented)
    problems = [f"{name} is not documented" for name in real.keys() - told.keys()]
    problems += [f"{name} is documented but not a parameter" for name in told.keys() - real.keys()]
    for name in real.keys() & told.keys():
        default, text = real[name].default, told[name]
        if default is inspect.Parameter.empty:
            if text is not None:
                problems.append(f"{name} has no default, the docstring says {text}")
        elif text is None:
            problems.append(f"{name} defaults to {default!r}, the docstring does not say so")
        elif not _says(text, default):
            problems.append(f"{name} defaults to {default!r}, the docstring says {text}")
    return sorted(problems)


def _says(text: str, default: object) -> bool:
    """Whether `text` stands for `default`: 1e-3 for 0.001, but not 1 for 1.0, nor a for "a"."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        name = getattr(default, "__name__", str(default))
        return text == name and not isinstance(default, str)
    return type(value) is type(default) and value == default
