"""Lists in the pages that are made from the code: ``python -m docs.tables`` writes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from docs.methods import table
from pruneviz.models import supported_models

ROOT = Path(__file__).resolve().parents[1]
WRITTEN: dict[Path, tuple[str, Callable[[], str]]] = {
    ROOT / "README.md": ("methods", table),
    ROOT / "docs" / "models.md": ("families", lambda: f"\n{supported_models()}\n\n"),
}
"""Files, the name of the marks in each, and what stands between them."""


def put(page: str, name: str, text: str) -> str:
    """A page with `text` between the marks of that name, in place of what stood there.

    Raises
    ------
    ValueError
        If the marks are missing.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"The page lacks the marks {begin.strip()} and {end}.")
    return before + begin + text + end + after


def rewritten(path: Path) -> str:
    """What one of the files should hold."""
    name, make = WRITTEN[path]
    return put(path.read_text(encoding="utf-8"), name, make())


def main() -> int:
    """Write all of them; returns 0."""
    for path in WRITTEN:
        path.write_text(rewritten(path), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
