"""Bring a hub model's files to this machine without loading anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from huggingface_hub import constants

from pruneviz.errors import ModelLoadError, UnsupportedModelError
from pruneviz.models.core import downloading
from pruneviz.models.core.loading import EMBEDDED, model_type
from pruneviz.models.core.sizing import check_configuration
from pruneviz.models.core.weights import local_folder

LOOK_SECONDS = 45.0
"""Longest that a name is looked up."""
STALLED_SECONDS = 60.0
"""Longest that a download may go without a byte."""
TICK = 0.2
"""Seconds between two looks at how far it is."""


@dataclass(frozen=True)
class Progress:
    """How far a download is.

    Attributes
    ----------
    seconds : float
        Since it began.
    done : int
        Bytes that came.
    total : int or None
        Bytes in all, None where that is not known yet.
    """

    seconds: float
    done: int = 0
    total: int | None = None


def check_name(name: str) -> None:
    """Refuse what can only be a folder and holds no model; anything else may be a hub id.

    The text is the same whether there is such a folder or not: what lies on this machine is
    nobody's business who may only ask questions.

    Raises
    ------
    ModelLoadError
    """
    path = name.startswith(("/", "\\", ".", "~")) or name.count("/") > 1 or "\\" in name
    if path and local_folder(name) is None:
        raise ModelLoadError(
            f"No model found. There is no folder {name!r} with one on the machine that runs the "
            "app. Give the folder of a model (with config.json and safetensors files) or a hub id "
            "such as llava-hf/llava-1.5-7b-hf."
        )


def check(name: str) -> None:
    """Make sure that a model exists and is supported; only its configuration is read.

    Raises
    ------
    ModelLoadError, UnsupportedModelError
    """
    for _ in _looked_up(name):
        pass


def fetching(name: str) -> Generator[Progress, None, str]:
    """Check that a model is supported and, if it is on the hub, download its files.

    Yields some times a second. Closing the generator ends the download; what came stays for the
    next one.

    Returns
    -------
    str
        What :func:`pruneviz.load_model` loads without asking the network.

    Raises
    ------
    ModelLoadError, UnsupportedModelError
        If there is no such model, it is not supported or cannot be downloaded.
    """
    found = yield from _looked_up(name)  # a few kilobytes tell whether gigabytes are worth it
    if found == name:
        return name
    store = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "blobs"
    before, began = _size(store), time.monotonic()
    most, moved, total = 0, began, None
    with _child("all", name) as child:
        while (told := child.told()) is None:
            now, done = time.monotonic(), _size(store) - before
            if done > most:
                most, moved = done, now
            if now - moved > STALLED_SECONDS:
                raise _failed(name, f"nothing came for {STALLED_SECONDS:.0f} seconds")
            total = child.total()
            yield Progress(now - began, done, total)
            time.sleep(TICK)
    if "folder" not in told:
        raise _failed(name, str(told.get("problem", "the download ended")))
    return str(told["folder"])


def _looked_up(name: str) -> Generator[Progress, None, str]:
    """What can be read of a model: the name itself where it is a folder, else one of the cache."""
    check_name(name)
    folder = local_folder(name)
    if folder is None:
        with _child("look", name) as child:
            began = time.monotonic()
            while (told := child.told()) is None:
                seconds = time.monotonic() - began
                if seconds > LOOK_SECONDS:
                    told = {"problem": f"the hub gave no answer within {LOOK_SECONDS:.0f} seconds"}
                    break
                yield Progress(seconds)
                time.sleep(TICK)
        if "folder" not in told:
            why = told.get("problem", downloading.NOT_REACHED)
            raise ModelLoadError(
                f"No model found at {name!r}: {why}. Give 'embedded', a folder with config.json, "
                "or a hub id (its download needs a network)."
            )
        folder = Path(told["folder"])
    source = name if name == EMBEDDED or os.path.isdir(name) else str(folder)
    try:
        check_configuration(source)
        model_type(source)
    except (ModelLoadError, UnsupportedModelError) as error:
        # Where it lies here is no name that anybody gave it.
        raise type(error)(str(error).replace(source, name)) from error
    return source


def _failed(name: str, why: str) -> ModelLoadError:
    return ModelLoadError(
        f"{name!r} could not be downloaded: {why}. Check the network and the disk, or give the "
        "folder of a copy on this machine."
    )


class _Child:
    """A running download."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process, self._output = process, output

    def told(self) -> dict[str, Any] | None:
        """What it ended with; None while it runs."""
        if self._process.poll() is None:
            return None
        return next((one for one in reversed(self._lines()) if "total" not in one), {})

    def total(self) -> int | None:
        """Bytes to come in all."""
        return next((one["total"] for one in self._lines() if "total" in one), None)

    def _lines(self) -> list[dict[str, Any]]:
        text = os.pread(self._output.fileno(), 65_536, 0).decode(errors="replace")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]


@contextmanager
def _child(stage: str, name: str) -> Iterator[_Child]:
    """Run the program; it does not outlive the block."""
    command = [sys.executable, "-P", downloading.__file__, stage, name]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - our own file; the name is one argument
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL
        )
        try:
            yield _Child(process, output)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                total += entry.stat().st_size
    except OSError:  # not there yet, or a file that was just renamed
        pass
    return total
