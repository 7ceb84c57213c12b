"""Put one error at a time into a copy of the checkout and run the tests that should notice it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations.worker import pytest_run

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "out", "runs")
FAILED, PASSED = 1, 0


class CatalogueError(ValueError):
    """A mutation that does not fit the code any more; the message says what to change."""


@dataclass(frozen=True)
class Mutation:
    """One error; none that could make the code run for ever, because nothing stops it.

    Attributes
    ----------
    name : str
        What goes wrong.
    file : str
        Path in the checkout.
    old, new : str
        A text that occurs exactly once in the file, and what stands in its place.
    tests : tuple of str
        Arguments of pytest: what should notice it, the likeliest first.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, root: Path) -> str:
        """The file's text with the error in it.

        Raises
        ------
        CatalogueError
            If the old text is not there exactly once, or nothing would change.
        """
        path = root / self.file
        if not path.is_file():
            raise CatalogueError(f"{self.name}: there is no {self.file}; it may have moved.")
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise CatalogueError(
                f"{self.name}: {self.file} holds {self.old!r} {found} times instead of once. Write "
                "the mutation for the code as it is now."
            )
        if self.old == self.new:
            raise CatalogueError(f"{self.name} changes nothing.")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutation.

    Attributes
    ----------
    mutation : Mutation
    result : str
        ``"killed"``, ``"SURVIVED"``, or ``"ERROR"`` where the tests could not be run.
    by : str
        The first test that failed, or what went wrong.
    seconds : float
    """

    mutation: Mutation
    result: str
    by: str
    seconds: float


@contextmanager
def copied(root: Path = ROOT) -> Iterator[Path]:
    """A copy of a checkout that errors may be put into; gone afterwards."""
    with TemporaryDirectory(prefix="mutations-") as folder:
        target = Path(folder) / "checkout"
        shutil.copytree(root, target, ignore=LEFT_OUT)
        yield target


def run_one(mutation: Mutation, folder: Path, options: Sequence[str] = ()) -> Outcome:
    """Put a mutation into a copy, run its tests, and take it out again."""
    start = time.monotonic()
    path = folder / mutation.file
    try:
        changed = mutation.applied(folder)
    except CatalogueError as error:
        return Outcome(mutation, "ERROR", str(error), 0.0)
    before = path.read_bytes()
    path.write_text(changed, encoding="utf-8")
    try:
        code, said = pytest_run(folder, [*options, *mutation.tests])
    finally:
        path.write_bytes(before)
    seconds = time.monotonic() - start
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::\S+)", said, re.MULTILINE)
    if code == PASSED:
        return Outcome(mutation, "SURVIVED", "", seconds)
    if code == FAILED and failed:
        return Outcome(mutation, "killed", failed[1], seconds)
    # Files that cannot be read, tests that do not exist, no test at all: nothing was shown.
    lines = [line for line in said.splitlines() if line.strip()]
    return Outcome(mutation, "ERROR", f"exit code {code}: {' / '.join(lines[-2:])}", seconds)


def check_unchanged(
    mutations: Sequence[Mutation], folder: Path, options: Sequence[str] = ()
) -> None:
    """Raise CatalogueError unless the tests of all mutations pass without any."""
    tests = list(dict.fromkeys(test for mutation in mutations for test in mutation.tests))
    code, said = pytest_run(folder, [*options, *tests])
    if code != PASSED:
        raise CatalogueError(f"The tests fail without any mutation:\n{said[-2000:]}")
