from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from PIL import Image, ImageDraw

from pruneviz import load_model
from pruneviz.engine import Event, Placement, Session, Shelf
from pruneviz.models.core.loading import EMBEDDED
from pruneviz.ui import build, launch_settings
from pruneviz.ui.inputs.examples import Example, Tip
from tests.folders import copy_embedded, save_tiny
from tests.ui.browsing import QUESTION, SECONDS, open_page

__all__ = ["QUESTION", "open_page"]
PATIENT = {"timeout": SECONDS}
"""For requests to a machine that may be busy."""


class StoppableSession(Session):
    """The real session, and on demand an answer that goes on until it is closed."""

    def __init__(self, loaded) -> None:
        super().__init__(loaded)
        self.endless = threading.Event()
        self.closed = threading.Event()

    def _run(self, prepared, method, settings, emit, stop, *how) -> None:
        if not self.endless.is_set():
            super()._run(prepared, method, settings, emit, stop, *how)
            return
        self.closed.clear()
        try:
            count = 0
            while self.endless.is_set() and not stop.is_set():
                count = min(count + 1, 500)
                emit(Event("baseline", "word " * count))
                time.sleep(0.05)
        finally:
            self.closed.set()


def connect(url: str) -> Client:
    """A program's connection to the page."""
    return Client(url, verbose=False, httpx_kwargs=PATIENT)


@pytest.fixture(scope="session", autouse=True)
def _uploads(tmp_path_factory) -> Iterator[None]:
    """Uploads lie in a folder of the tests' own, which the server itself has from `serve` alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        yield


@pytest.fixture(scope="session")
def session() -> StoppableSession:
    return StoppableSession(load_model(device="cpu"))


def draw(size: tuple[int, int], shift: int = 0) -> Image.Image:
    image = Image.new("RGB", size, (196, 214, 178))
    pen = ImageDraw.Draw(image)
    width, height = size
    pen.ellipse((width * 0.1 + shift, height * 0.2, width * 0.5, height * 0.8), fill=(222, 120, 30))
    pen.rectangle((width * 0.6, height * 0.5, width * 0.9, height * 0.9), fill=(40, 90, 200))
    return image


@pytest.fixture(scope="session")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "picture.png"
    draw((320, 240)).save(path)
    return path


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> list[Example]:
    folder = tmp_path_factory.mktemp("examples")
    draw((320, 240)).save(folder / "first.png")
    draw((240, 320), 20).save(folder / "second.png")
    return [
        Example(folder / "first.png", ("What is this?", QUESTION)),
        Example(
            folder / "second.png",
            ("How many things are there?", "What is at the top?"),
            (None, Tip("uniform", 50.0, "At 50 % Uniform keeps the answer.")),
        ),
    ]


@pytest.fixture(scope="session")
def url(session, examples) -> Iterator[str]:
    page = build(session, examples)
    settings = launch_settings() | {"allowed_paths": [str(examples[0].image.parent)]}
    page.launch(**settings, prevent_thread_lock=True, quiet=True)
    yield page.local_url
    page.close()


@pytest.fixture(scope="session")
def copied(tmp_path_factory) -> str:
    """Another model that answers as the embedded one does."""
    return copy_embedded(tmp_path_factory.mktemp("models") / "copied")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> str:
    """Another model with another depth and another grid; what it says means nothing."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def shelf(copied, tiny) -> Shelf:
    """Three models on offer, and no other."""
    return Shelf((EMBEDDED, copied, tiny), placement=Placement(device="cpu"))
