"""A run in a thread of its own, and the desk on which a visitor's runs leave their rows."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from pruneviz.engine import Session, Settings
from pruneviz.errors import InputError
from pruneviz.evaluation import Asker, Log, Plan, Progress, evaluate, how_of
from pruneviz.evaluation.asking import MOST
from pruneviz.evaluation.log import Row
from pruneviz.ui.howmuch.outcome import Outcome
from pruneviz.ui.howmuch.texts import MOST_ROWS
from pruneviz.ui.howmuch.wanted import Asked, Wanted, read
from pruneviz.ui.shared.encoding import is_small

AT_ONCE = 4
"""Questions in a batch of a large model: the model is given away after each."""
PAUSE = 0.25
"""Seconds between two looks at a run."""


class Run:
    """Asks what has no row yet, in a thread of its own; others get the model between two parts.

    Parameters
    ----------
    session : Session
        Whose model answers.
    asked : Asked
        The questions and methods.
    folder : Path
        Of the log; rows that are there are not asked again.

    Attributes
    ----------
    stop : threading.Event
        Set it to end the run within a word of an answer; whole rows are kept.
    progress : Progress or None
        None until the log is read.
    failure : Exception or None
        What ended it, if anything did.
    """

    def __init__(self, session: Session, asked: Asked, folder: Path) -> None:
        settings = Settings(signals=False)
        self.session, self.asked = session, asked
        self.plan = Plan(asked.cases, asked.arms, how_of(session, settings))
        self.stop = threading.Event()
        self.progress: Progress | None = None
        self.failure: Exception | None = None
        self._asker = Asker(session, settings, MOST if is_small(session) else AT_ONCE, self.stop)
        self._folder = folder
        self._rows: dict[str, Row] = {}
        self._ids: list[list[str]] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pruneviz-evaluate", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether no more rows will come."""
        return self._ended.is_set()

    @property
    def finished(self) -> bool:
        """Whether every row is there."""
        return self.progress is not None and self.progress.finished

    def follow(self) -> Generator[None]:
        """Yield every moment until the run has ended; closing the generator ends it."""
        try:
            while not self._ended.wait(PAUSE):
                yield
        finally:
            self.end()
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        """Stop, and wait until no more rows will come."""
        self.stop.set()
        self._thread.join()

    def outcome(self) -> Outcome:
        """What can be said so far."""
        return Outcome.of(self.asked, self.plan, self.ids(), dict(self._rows), not self.ended)

    def ids(self) -> list[list[str]]:
        """The rows of each question."""
        if self._ids is None:
            self._ids = [self.plan.ids(number) for number in range(len(self.plan.cases))]
        return self._ids

    def rows(self) -> int:
        """Rows that are there."""
        return self.progress.done if self.progress else 0

    def answered(self) -> int:
        """Questions that every method has answered."""
        return sum(all(key in self._rows for key in ids) for ids in self.ids())

    def _work(self) -> None:
        try:
            with Log.opened(self._folder) as log:
                self._rows = log.rows
                with closing(evaluate(self.plan, log, self._asker.ask)) as steps:
                    for self.progress in steps:
                        if self.stop.is_set():
                            return
        except Exception as error:  # noqa: BLE001 - raised in the thread that follows
            self.failure = error
        finally:
            self._ended.set()


class Desk:
    """What belongs to one visitor: rows of all runs, what was handed in, files to be saved.

    Rows are known by their contents, so what is asked again is not run again.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pruneviz-evaluation-"))
        self.run: Run | None = None
        self.outcome: Outcome | None = None
        self.files: list[Path] = []
        self._rows, self._number = 0, 0

    def read(self, wanted: Wanted, most: int = MOST_ROWS) -> Asked:
        """See :func:`~pruneviz.ui.howmuch.wanted.read`; what was handed in is unpacked here."""
        folder = self.folder / f"files-{self._number + 1}"
        try:
            asked = read(wanted, folder, most)
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        # Those of the run before are shown until now.
        shutil.rmtree(self.folder / f"files-{self._number}", ignore_errors=True)
        self._number += 1
        return asked

    def begin(self, session: Session, asked: Asked) -> Run:
        """Start a run; one that is still going on is ended first."""
        if self.run is not None:
            self.run.end()
        self._rows += len(asked.cases) * len(asked.arms)
        if self._rows > 2 * MOST_ROWS:
            # Rows are held in memory, too: what is long past has to go.
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            self._rows = len(asked.cases) * len(asked.arms)
        self.outcome = None
        self.run = Run(session, asked, self.folder / "log")
        self.run.start()
        return self.run

    def stop(self) -> None:
        """Let the run end as soon as it can; does not wait for it."""
        if self.run is not None:
            self.run.stop.set()


def release(desk: Desk | None) -> None:
    """End what a visitor who has gone had left, and delete it."""
    if desk is None:
        return
    if desk.run is not None:
        desk.run.end()
    for path in desk.files:
        path.unlink(missing_ok=True)
    shutil.rmtree(desk.folder, ignore_errors=True)
