"""Docstrings as they are written in the code, in the form that MkDocs reads."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

from docs.roles import linked

CHOICES = re.compile(r"^([\w, ]+ : )\{([^}\n]+)\}", re.MULTILINE)


def as_words(match: re.Match[str]) -> str:
    """``a, b or c``: of choices in braces the first would be taken for the default."""
    first, _, last = match[2].rpartition(", ")
    return f"{match[1]}{first} or {last}" if first else f"{match[1]}{last}"


class Readable(Extension):
    """Rewrites every docstring that Griffe reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite references and choices in one object's docstring."""
        if obj.docstring:
            obj.docstring.value = CHOICES.sub(as_words, linked(obj.docstring.value))
