"""Pictures of an evaluation: opened when they are asked about, told apart by their content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from PIL import Image

from pruneviz.engine import picture_key, read_image
from pruneviz.errors import InputError
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import Scene


class Picture(ABC):
    """A picture that is not held in memory; small and picklable.

    Attributes
    ----------
    label : str
        What tables call it.
    """

    label: str

    @abstractmethod
    def read(self) -> Image.Image:
        """The picture, upright RGB; raises InputError where it cannot be read."""

    @abstractmethod
    def digest(self) -> str:
        """What tells its content from any other, in hexadecimal digits."""


@dataclass(frozen=True)
class FilePicture(Picture):
    """A file."""

    path: Path
    label: str

    def read(self) -> Image.Image:
        """As :func:`pruneviz.engine.read_image` reads it."""
        return read_image(self.path)

    def digest(self) -> str:
        """That of the file's bytes."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"The file {self.label!r} cannot be read: {error}.") from error


@dataclass(frozen=True)
class BytesPicture(Picture):
    """The bytes of an image file."""

    data: bytes = field(repr=False)
    label: str

    def read(self) -> Image.Image:
        """As :func:`pruneviz.engine.read_image` reads it."""
        return read_image(self.data)

    def digest(self) -> str:
        """That of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class ScenePicture(Picture):
    """A composed scene, drawn when it is asked for."""

    scene: Scene
    label: str

    def read(self) -> Image.Image:
        """Drawn anew, 224 pixels a side."""
        return _drawn(self.scene).copy()

    def digest(self) -> str:
        """That of its pixels."""
        return _key(self.scene)


@lru_cache(maxsize=8)
def _drawn(scene: Scene) -> Image.Image:
    """The latest few: questions about one scene follow one another."""
    return render(scene)[0]


@lru_cache(maxsize=100_000)
def _key(scene: Scene) -> str:
    return picture_key(_drawn(scene))
