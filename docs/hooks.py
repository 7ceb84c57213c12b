"""What MkDocs puts into the pages while it builds them."""

from __future__ import annotations

from typing import Any

from docs.methods import classes, put, sections

FILLED = {"methods.md": sections, "reference/methods.md": classes}


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the methods into the pages that list them."""
    fill = FILLED.get(page.file.src_uri)
    return put(markdown, fill()) if fill else markdown
