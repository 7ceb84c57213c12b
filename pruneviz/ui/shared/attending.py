"""Whether anybody still waits for a run: what has no listener ends."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TypeVar

from gradio.context import LocalContext

from pruneviz.engine.turns import Line, until
from pruneviz.errors import AbandonedError

T = TypeVar("T")
REMEMBERED = 2_000
"""How many of those who left are remembered: their runs end within a second."""


class Attendance:
    """Who listens for results; safe to share between threads.

    Listeners are known by what they listen to: a visitor's session, or one event.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listening: Counter[str] = Counter()
        self._left: OrderedDict[str, None] = OrderedDict()

    def came(self, key: str) -> None:
        """Somebody listens."""
        with self._lock:
            self._listening[key] += 1
            self._left.pop(key, None)

    def went(self, key: str, early: bool) -> None:
        """Somebody has stopped listening; `early` is before everything was told."""
        with self._lock:
            self._listening[key] -= 1
            if self._listening[key] <= 0:
                del self._listening[key]
                if early:
                    self._leave(key)

    def asked(self, key: str) -> None:
        """Who asks for something is there, and will listen in a moment."""
        with self._lock:
            self._left.pop(key, None)

    def cancelled(self, event: str) -> None:
        """Somebody wants an event no more."""
        with self._lock:
            self._leave(event)

    def gone(self, *keys: str | None) -> bool:
        """Whether one of these has left."""
        with self._lock:
            return any(key in self._left for key in keys)

    def _leave(self, key: str) -> None:
        self._left[key] = None
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)


ATTENDANCE = Attendance()
"""That of this process. Keys are random numbers, so that several pages may share it."""


class Visitors:
    """A line for each visitor: what a page asks for a second time waits for the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}

    def enter(self, session: str, ticket: object) -> None:
        """Wait until a run is the visitor's first; to be left whatever happens."""
        with self._lock:
            line = self._lines.setdefault(session, Line())
            line.join(ticket)
        line.wait(ticket)

    def leave(self, session: str, ticket: object) -> None:
        """A run of the visitor has ended."""
        with self._lock:
            line = self._lines[session]
            line.leave(ticket)
            if not len(line):
                del self._lines[session]


VISITORS = Visitors()


def gone() -> Callable[[], bool]:
    """What tells whether whoever asked for the event that runs here has left."""
    event, session = LocalContext.event_id.get(None), session_of()
    return lambda: ATTENDANCE.gone(event, session)


def session_of() -> str | None:
    """The visitor whose event runs here; None where there is none."""
    return getattr(LocalContext.request.get(None), "session_hash", None)


def attended(items: Generator[T], in_line: bool = True) -> Generator[T]:
    """Items of a run, which ends in the middle of one once its visitor has left.

    `in_line`: a second run of the same visitor waits for the first, since their page could not tell
    what belongs to which.
    """
    with closing(items), suppress(AbandonedError), _in_line(session_of() if in_line else None):
        while True:
            # Anew for every item: Gradio takes each in a context of its own.
            with until(gone()):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


@contextmanager
def _in_line(session: str | None) -> Iterator[None]:
    if session is None:
        yield
        return
    ticket = object()
    try:
        with until(gone()):
            VISITORS.enter(session, ticket)
        yield
    finally:
        VISITORS.leave(session, ticket)
