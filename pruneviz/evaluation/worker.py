"""What asks on another machine: a model in a process of its own, and what it says of itself."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from pruneviz.engine import Session, Settings
from pruneviz.errors import InputError
from pruneviz.evaluation.asking import MOST, Asker
from pruneviz.evaluation.identity import how_of
from pruneviz.evaluation.log import Row
from pruneviz.evaluation.plan import How, Task
from pruneviz.models import load_model
from pruneviz.models.core.loading import EMBEDDED

LIBRARIES = ("torch", "transformers", "tokenizers", "pillow", "numpy")
"""Of other releases answers may differ in a word."""


@dataclass(frozen=True)
class Job:
    """What every worker loads, and how it asks.

    Attributes
    ----------
    model, device, dtype, quantisation
        See :func:`pruneviz.load_model`. A folder must lie at this place on every machine.
    newlines, positions
        See :class:`pruneviz.engine.Session`.
    max_new_tokens : int
        Longest answer.
    batch : int
        Questions asked at once, at most.
    """

    model: str = EMBEDDED
    device: str = "auto"
    dtype: str = "auto"
    quantisation: str | None = None
    newlines: str = "visual"
    positions: str | None = None
    max_new_tokens: int = Settings.max_new_tokens
    batch: int = MOST

    def anywhere(self) -> Job:
        """The same with the model's folder, if it is one, named from the root."""
        folder = Path(self.model).expanduser()
        local = self.model != EMBEDDED and folder.is_dir()
        return replace(self, model=str(folder.resolve())) if local else self


@dataclass(frozen=True)
class Found:
    """What a process runs.

    Attributes
    ----------
    host : str
        Name of the machine.
    process : int
        Its number there.
    code : str
        Digest of this package's code.
    libraries : dict of str to str
        Release of Python and of what answers depend on, by name.
    how : How or None
        How its model is run; None where none is loaded.
    """

    host: str
    process: int
    code: str
    libraries: dict[str, str] = field(hash=False)
    how: How | None = None


class Worker:
    """Holds a model and asks it; Ray makes an actor of it."""

    def load(self, job: Job, threads: int) -> Found:
        """Load the model, on so many threads; raises what loading does."""
        torch.set_num_threads(threads)
        loaded = load_model(job.model, job.device, job.dtype, job.quantisation)
        session = Session(loaded, job.newlines, job.positions)
        settings = Settings(max_new_tokens=job.max_new_tokens, signals=False)
        self._asker = Asker(session, settings, job.batch)
        return replace(found_here(), how=how_of(session, settings))

    def ask(self, tasks: Sequence[Task]) -> Iterator[list[Row]]:
        """Rows of tasks, as they are made."""
        yield from self._asker.ask(tasks)


def found_here() -> Found:
    """What this process runs, without a model."""
    libraries = {name: version(name).partition("+")[0] for name in LIBRARIES}
    libraries["Python"] = platform.python_version()
    return Found(socket.gethostname(), os.getpid(), _code(), libraries)


def check_alike(one: Found, other: Found) -> list[str]:
    """Sentences on what makes answers of two processes differ perhaps.

    Raises
    ------
    InputError
        Where their rows must not go into one table: other code, other weights, another dtype.
    """
    if one.code != other.code:
        raise InputError(
            f"{other.host} runs other code of pruneviz than {one.host}: install the same there."
        )
    if one.how is not None and other.how is not None and one.how != other.how:
        mine, its = asdict(one.how), asdict(other.how)
        apart = ", ".join(f"{k} {mine[k]} and {its[k]}" for k in mine if mine[k] != its[k])
        raise InputError(
            f"{one.host} and {other.host} do not run the same model in the same way: {apart}."
        )
    return [
        f"{name} is {one.libraries[name]} on {one.host} and {other.libraries[name]} on "
        f"{other.host}: answers may differ."
        for name in one.libraries
        if one.libraries[name] != other.libraries[name]
    ]


@cache
def _code() -> str:
    """Of all that is Python in the package, wherever it lies."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
