"""A finished comparison of methods or a finished sweep, and how it can be had again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image

from pruneviz.engine import Prepared, picture_key, read_image
from pruneviz.exports.files import Writer
from pruneviz.geometry import PatchGrid
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.render import fitted
from pruneviz.ui.inputs.examples import Example
from pruneviz.ui.shared.shown import SIDE, Written


@dataclass(frozen=True, eq=False)
class Run:
    """What a tab ended with; never changed, so it may be shared.

    Attributes
    ----------
    tab : str
        Name of the tab, and of the command that repeats the run.
    asked : str or None
        The picture's path.
    question : str
        As asked.
    link : dict
        The tab's settings, as a link carries them.
    arguments : tuple of str
        The same, as the command takes them.
    result : SideBySide or Sweep
        What came of it.
    image : PIL.Image.Image
        The picture, at most `SIDE` pixels long.
    grid : PatchGrid
        On `image`.
    picture : str
        Key of the original's pixels.
    model : str
        Name that the model was loaded by.
    write : Writer
        Writes one file of the result.
    """

    tab: str
    asked: str | None
    question: str
    link: Mapping[str, str]
    arguments: tuple[str, ...]
    result: Any
    image: Image.Image
    grid: PatchGrid
    picture: str
    model: str
    write: Writer

    @classmethod
    def of(cls, prepared: Prepared, **values: Any) -> Run:
        """Remember a result with a small copy of its picture."""
        side = min(SIDE, max(prepared.image.size))
        image, grid = fitted(prepared.image, prepared.grid, side)
        return cls(
            question=prepared.question, image=image, grid=grid, picture=prepared.picture, **values
        )


@dataclass
class HeldRun(Written):
    """One visitor's last run in a tab, and the files written from it."""

    run: Run
    files: list[Path] = field(default_factory=list)


def query_of(run: Run, examples: Sequence[Example], offered: Sequence[str]) -> str:
    """A link's query string; the model is in it if it is on offer."""
    example = example_with(run.picture, examples)
    values = {} if example is None else {"example": example.image.stem}
    values |= {"q": run.question, "tab": run.tab, **run.link}
    values |= {"model": run.model} if run.model in offered else {}
    return urlencode(values)


def command_of(run: Run, examples: Sequence[Example]) -> str:
    """The command line that repeats the run, quoted for a shell."""
    model = ["--model", run.model] if run.model != EMBEDDED else []
    image = reachable(example_with(run.picture, examples), run.asked)
    return command_line(run.tab, image, run.question, [*run.arguments, *model])


def command_line(command: str, image: str, question: str, options: Sequence[str]) -> str:
    """A command about a picture and a question that writes its files, quoted for a shell."""
    given = [image, question]
    dashed = any(text.startswith("-") for text in given)
    parts = ["python", "-m", "pruneviz", command, *([] if dashed else given), *options]
    # After two dashes alone nothing is an option any more.
    return shlex.join([*parts, "--out", "results", *(["--", *given] if dashed else [])])


def reachable(example: Example | None, own: str | None) -> str:
    """A picture's path: of an example from where the app was started, if it lies below.

    Of a visitor's own the name alone: where it lies there, nobody knows here.
    """
    if example is None:
        return Path(own or "picture.png").name
    here, path = Path(os.getcwd()), example.image
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def example_with(picture: str, examples: Sequence[Example]) -> Example | None:
    """The example with these pixels."""
    return next((e for e in examples if _key(e.image) == picture), None)


def read_methods(text: str | None) -> list[str] | None:
    """Names that a link carries, those that are unknown left out; None where none is left."""
    names = dict.fromkeys(name for name in (text or "").split(",") if name in METHODS)
    return list(names) or None


@lru_cache(maxsize=64)
def _key(path: Path) -> str:
    return picture_key(read_image(path))
