"""The last result of one visitor: what the export buttons write."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pruneviz.engine import Comparison, Prepared
from pruneviz.engine.bench import Report
from pruneviz.geometry import PatchGrid
from pruneviz.render import fitted
from pruneviz.ui.shared.pins import Pins
from pruneviz.ui.shared.question import Question

SIDE = 1024
"""Longer side of the remembered picture: enough for print, and bounded."""
LIFETIME = 3600.0
"""Seconds that a result is remembered after it was made."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A finished comparison and how it was asked for; never changed, so it may be shared.

    Attributes
    ----------
    question : Question
        Picture's path, method and settings.
    pins : Pins
        Those that really ran.
    done : Comparison
        Both runs.
    image : PIL.Image.Image
        The picture, at most `SIDE` pixels long.
    grid : PatchGrid
        On `image`.
    picture : str
        Key of the original's pixels.
    model : str
        Name that the model was loaded by.
    timing : Report or None
        Paired times, once they were measured.
    """

    question: Question
    pins: Pins
    done: Comparison
    image: Image.Image
    grid: PatchGrid
    picture: str
    model: str
    timing: Report | None = None

    @classmethod
    def of(
        cls, question: Question, pins: Pins, prepared: Prepared, done: Comparison, model: str
    ) -> Shown:
        """Remember a result with a small copy of its picture."""
        side = min(SIDE, max(prepared.image.size))
        image, grid = fitted(prepared.image, prepared.grid, side)
        return cls(question, pins, done, image, grid, prepared.picture, model)


class Written:
    """Who writes files for a visitor and remembers them."""

    files: list[Path]

    def write(self, name: str, write: Callable[[Path], None], cache: Callable[[str], str]) -> str:
        """Make a file in a folder of its own and hand it over; `cache` copies what is served."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="pruneviz-") as folder:
            path = Path(folder) / name
            write(path)
            served = cache(str(path))
        self.files.append(Path(served))
        return served


@dataclass
class Held(Written):
    """One visitor's last result and the files written from it."""

    shown: Shown
    files: list[Path] = field(default_factory=list)


def release(held: Written | None) -> None:
    """Delete what was written for a visitor who has gone."""
    for path in held.files if held else ():
        with suppress(OSError):  # Gradio would forget nobody any more
            path.unlink(missing_ok=True)
