"""How the files of a result are written, by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from pruneviz.geometry import PatchGrid

NAMES = ("figure.pdf", "figure.png", "table.csv", "values.json")
"""What is written of a comparison of several methods, and of a sweep."""


class Writer(Protocol):
    """Writes one of `NAMES`."""

    def __call__(
        self, path: Path, result: Any, model: str, image: Image.Image, grid: PatchGrid
    ) -> None:
        """Write what the path's name ends with."""


def write_all(
    write: Writer, folder: Path, result: Any, model: str, image: Image.Image, grid: PatchGrid
) -> list[Path]:
    """Write every file into a folder; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in NAMES]
    for path in files:
        write(path, result, model, image, grid)
    return files


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Comma-separated lines below their names; None becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def json_text(values: Any) -> str:
    """Readable and strict JSON."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
