"""One HTML file that needs nothing but itself.

What comes from data goes into the page as JSON, and scripts write it as text: nowhere is it markup.
A policy in the page's head lets no other script run, whatever the page holds.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

# In the order in which they need each other.
STYLES = ("page.css", "parts.css")
SCRIPTS = ("data.js", "elements.js", "tables.js", "charts.js", "sections.js", "rows.js", "start.js")


def page(title: str, content: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    title : str
        Its title.
    content : mapping
        What it shows: text, numbers, lists and mappings.

    Returns
    -------
    page : str
        HTML, all ASCII but for what stands in style and scripts.
    """
    style = "\n".join(map(_read, STYLES))
    script = '"use strict";\n{\n' + "\n".join(map(_read, SCRIPTS)) + "}\n"
    parts = {
        "title": html.escape(title).encode("ascii", "xmlcharrefreplace").decode("ascii"),
        "policy": f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}",
        "style": style,
        "data": as_json(content),
        "script": script,
    }
    # one pass: a title such as "{{data}}" stays what it is
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read("page.html"))


def as_json(content: Any) -> str:
    """Return JSON that is safe within an HTML script element.

    Parameters
    ----------
    content : object
        Text, numbers, booleans, None, arrays, lists and mappings of these.

    Returns
    -------
    text : str
        ASCII without ``<``, ``>`` and ``&``. What is no finite number is ``null``.
    """
    text = json.dumps(_plain(content), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def pack(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return numbers in about three bytes each.

    Parameters
    ----------
    values : ndarray
        Finite numbers.

    Returns
    -------
    packed : dict
        ``data``, whole numbers of 16 bits, little end first, in base 64; ``scale``, what one of
        them is worth: a 32,767th of the largest size.
    """
    largest = float(np.abs(values).max(initial=0.0))
    scale = largest / 32767 if largest > 0 else 1.0
    whole = np.round(values / scale).astype("<i2")
    return {"scale": scale, "data": base64.b64encode(whole.tobytes()).decode("ascii")}


def rounded(value: float) -> float | int:
    """Return a number in four digits; a whole one as it is.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    rounded : float or int
        What takes less room in JSON.
    """
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    return float(f"{value:.4g}")


def _plain(content: Any) -> Any:
    """Turn what NumPy holds into what JSON knows."""
    if isinstance(content, Mapping):
        return {str(name): _plain(own) for name, own in content.items()}
    if isinstance(content, np.ndarray | np.generic):
        content = content.tolist()
    if isinstance(content, list | tuple):
        return [_plain(own) for own in content]
    if isinstance(content, float):
        return rounded(content) if math.isfinite(content) else None
    return content


def _digest(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest())
    return f"'sha256-{digest.decode('ascii')}'"


def _read(name: str) -> str:
    return files("sk_attention.inspection").joinpath("report_page", name).read_text("utf-8")
