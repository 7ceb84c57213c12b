"""References in docstrings, which are written for Sphinx, in the form that MkDocs reads."""

from __future__ import annotations

import re

ROLE = re.compile(r":(?:class|func|meth|attr|mod):`(~?)([\w.]+)`")


def linked(text: str) -> str:
    """The text with ``[`name`][package.name]`` in place of roles.

    After a tilde the last part of the name alone is shown.
    """
    return ROLE.sub(_link, text)


def _link(match: re.Match[str]) -> str:
    shown = match[2].rpartition(".")[2] if match[1] else match[2]
    return f"[`{shown}`][{match[2]}]"
