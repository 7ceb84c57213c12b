"""Who may run the model next: first come, first served, one unit of a run at a time.

A unit is one question under one method. A sweep gives its turn up between units and queues again
behind those who came meanwhile, so that nobody waits for more than one unit of each other run. Who
has left gives up waiting: see :func:`until`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from pruneviz.errors import AbandonedError

POLL = 0.1
"""Seconds between two looks at whether anybody still waits for a run."""


def _nobody_left() -> bool:
    return False


_gone: ContextVar[Callable[[], bool]] = ContextVar("pruneviz_gone", default=_nobody_left)


@contextmanager
def until(gone: Callable[[], bool]) -> Iterator[None]:
    """Let what runs inside end with :class:`AbandonedError` once `gone` says so.

    Asked ten times a second while a run waits or generates, in worker threads as well. Blocks may
    be nested: whichever says so first counts.
    """
    outer = _gone.get()
    token = _gone.set(lambda: gone() or outer())
    try:
        yield
    finally:
        _gone.reset(token)


def check() -> None:
    """Raise :class:`AbandonedError` where nobody waits any more for what runs here."""
    if _gone.get()():
        raise AbandonedError("Nobody waits for this run any more.")


class Line:
    """Tickets in the order in which they came; the first one's turn it is."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets: deque[object] = deque()

    def __len__(self) -> int:
        """How many wait or have their turn."""
        return len(self._tickets)

    def join(self, ticket: object) -> None:
        """Come last; whoever joins has to leave."""
        with self._changed:
            self._tickets.append(ticket)

    def wait(self, ticket: object) -> None:
        """Wait until it is a ticket's turn.

        Raises
        ------
        AbandonedError
            If whoever it is for leaves meanwhile.
        """
        with self._changed:
            while self._tickets[0] is not ticket:
                check()
                self._changed.wait(POLL)

    def leave(self, ticket: object) -> None:
        """Give the turn, or the place in the line, to the next one."""
        with self._changed:
            self._tickets.remove(ticket)
            self._changed.notify_all()


class Turns:
    """A reentrant lock whose waiters come first come, first served; a context manager.

    Python's own locks promise no order: a thread that lets go and takes the lock again at once
    mostly gets it, and who waits may wait for all of a long run. Here a long run that lets go
    between its parts lets everybody who waits go before its next part.
    """

    def __init__(self) -> None:
        self._state = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    @property
    def busy(self) -> bool:
        """Whether whoever comes now has to wait."""
        return self._owner not in (None, threading.get_ident())

    def __enter__(self) -> Self:
        me = threading.get_ident()
        with self._state:
            if self._owner in (None, me):
                self._owner = me
                self._depth += 1
                return self
            turn = me, threading.Event()
            self._waiting.append(turn)
        try:
            while not turn[1].wait(POLL):
                check()
        except BaseException:
            # Ctrl+C or leaving while waiting: the turn must not go to who is no longer there.
            self._give_up(turn)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._state:
            self._depth -= 1
            if not self._depth:
                self._hand_on()

    def _hand_on(self) -> None:
        self._owner = None
        if self._waiting:
            self._owner, due = self._waiting.popleft()
            self._depth = 1
            due.set()

    def _give_up(self, turn: tuple[int, threading.Event]) -> None:
        with self._state:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._depth = 0
                self._hand_on()
