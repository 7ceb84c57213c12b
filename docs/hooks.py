"""What MkDocs puts into the pages while it builds them."""

from __future__ import annotations

import re
from typing import Any

from docs.methods import classes, sections
from docs.tables import ROOT, put


def home() -> str:
    """README from below its title to the methods, which have a page of their own."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = readme.partition("\n")[2].partition("## Methods")[0]
    return text.replace("](docs/", "](")


SOURCE = re.compile(r"\[[^\]]+\]\(\.\./([^)#]+)\)")
"""A link to a file of the repository outside these pages."""


def named(page: str) -> str:
    """The page with such files' paths in place of links, which lead nowhere once it is built."""
    return SOURCE.sub(r"`\1`", page)


FILLED = {
    "index.md": ("readme", home),
    "methods.md": ("methods", sections),
    "reference/methods.md": ("classes", classes),
}
"""Pages, the name of the marks in each, and what stands between them once built."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill the pages that have something to fill in, and name files that are not among them."""
    name, make = FILLED.get(page.file.src_uri, ("", str))
    return named(put(markdown, name, make()) if name else markdown)
