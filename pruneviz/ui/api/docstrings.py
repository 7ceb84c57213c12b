"""NumPy docstrings in the form that Gradio reads: for "Use via API" and for MCP tools."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

SECTION = re.compile(r"^(Parameters|Returns)\n-+\n", re.MULTILINE)


def described(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Name a function, which names its MCP tool, and rewrite its docstring; both in place.

    The docstring gets one line per parameter and one for what is returned.
    """
    lead, *sections = SECTION.split(inspect.getdoc(function) or "")
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    text = " ".join(lead.split())
    if parameters := _entries(found.get("Parameters", "")):
        text += "\n\nParameters:\n" + "\n".join(f"    {n}: {t}" for n, t in parameters)
    if returned := _entries(found.get("Returns", "")):
        text += "\n\nReturns:\n" + "\n".join(f"    {t}" for _, t in returned)
    function.__name__, function.__doc__ = name, text
    return function


def _entries(section: str) -> list[tuple[str, str]]:
    """Names and texts: a line at the margin names one, the indented lines after it describe it."""
    blocks = re.findall(r"^(\S[^\n]*)\n((?:[ \t]+[^\n]*\n?|\n)*)", section + "\n", re.MULTILINE)
    return [
        (head.partition(" : ")[0], " ".join(body.split()).replace("``", ""))
        for head, body in blocks
    ]
