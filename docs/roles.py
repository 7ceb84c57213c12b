"""Cross-references of docstrings, which are written for Sphinx, in the form that MkDocs reads."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|func|meth|attr|mod):`(~?)([\w.]+)`")


def as_reference(match: re.Match[str]) -> str:
    """``[`name`][package.name]``; after a tilde the last part alone is shown."""
    shown = match[2].rpartition(".")[2] if match[1] else match[2]
    return f"[`{shown}`][{match[2]}]"


class Roles(Extension):
    """Rewrites every docstring that Griffe reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the roles of one object's docstring."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(as_reference, obj.docstring.value)
