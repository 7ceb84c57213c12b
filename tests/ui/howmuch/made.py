"""Small evaluations for the tests of the tab."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

from pruneviz.engine import Shelf
from pruneviz.ui.howmuch.runs import Desk
from pruneviz.ui.howmuch.screens import MuchScreen, measure
from pruneviz.ui.howmuch.wanted import Wanted
from tests.ui.conftest import draw

SMALL = Wanted(count=6, methods=("fopru", "fastv"), budgets="50, 3", draws=2)
ROWS = 6 * (1 + 2 * 2 + 2 * 2 + 2)
"""Unpruned, two methods and two draws of Random at two budgets, and Downsample."""


def run(session, desk: Desk, **changes) -> list[MuchScreen]:
    """All screens of a small evaluation."""
    return list(measure(Shelf.of(session), session, replace(SMALL, **changes), desk))


def own_set(folder: Path, lines: list[dict] | None = None) -> Path:
    """A ZIP of three questions about two pictures."""
    lines = lines or [
        {"image": "p/one.png", "question": "What is this?", "answer": "nothing", "kind": "what"},
        {"image": "p/one.png", "question": "Where is the cat?", "kind": "where"},
        {"image": "p/two.png", "question": "Is there a cat?", "answer": "yes", "kind": "is"},
    ]
    path = folder / "own.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(("one", "two")):
            draw((160, 120), 20 * number).save(folder / f"{name}.png")
            archive.write(folder / f"{name}.png", f"p/{name}.png")
        archive.writestr("mine.jsonl", "\n".join(map(json.dumps, lines)) + "\n")
    return path
