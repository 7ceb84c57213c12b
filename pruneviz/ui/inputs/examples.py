"""The example pictures that ship with the project."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruneviz.errors import PruneVizError
from pruneviz.shipped import assets_dir

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tip:
    """Settings under which a question shows something, and what."""

    method: str
    keep_percent: float
    note: str


@dataclass(frozen=True)
class Example:
    """A picture, questions that suit it, and a tip for some of them."""

    image: Path
    questions: tuple[str, ...]
    tips: tuple[Tip | None, ...] = ()

    def tip(self, index: int) -> Tip | None:
        """The tip for a question."""
        return self.tips[index] if index < len(self.tips) else None

    @property
    def name(self) -> str:
        """A word for the picture."""
        return self.image.stem.replace("-", " ").replace("_", " ")


def examples_dir() -> Path | None:
    """Folder of the examples, None where there is none."""
    try:
        folder = assets_dir() / "examples"
    except PruneVizError:
        return None
    return folder if (folder / "examples.json").is_file() else None


def load_examples(folder: Path | None = None) -> list[Example]:
    """Read the examples; an empty list where there are none or they cannot be read."""
    folder = folder or examples_dir()
    if folder is None:
        return []
    try:
        rows = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
        found = [_example(folder, row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("The examples in %s cannot be read; the page shows none.", folder)
        return []
    return [example for example in found if example.image.is_file()]


def _example(folder: Path, row: dict[str, Any]) -> Example:
    asked = row["questions"]
    tips = tuple(
        Tip(one["method"], float(one["keep_percent"]), one["note"]) if "note" in one else None
        for one in asked
    )
    return Example(folder / row["image"], tuple(one["text"] for one in asked), tips)
