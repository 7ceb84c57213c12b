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
    """A lock that is given in the order in which it was asked for.

    A thread that has it may take it again. :class:`threading.RLock` has no order: a loop that
    gives it back and takes it again keeps all others out.
    """

    def __init__(self) -> None:
        self._line, self._own = Line(), threading.local()

    @property
    def busy(self) -> bool:
        """Whether whoever comes now has to wait."""
        return len(self._line) > 0 and not self._mine

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and have it while the block runs.

        Raises
        ------
        AbandonedError
            If whoever it is for leaves while it waits.
        """
        if self._mine:
            yield
            return
        ticket = object()
        self._line.join(ticket)
        try:
            self._line.wait(ticket)
            self._own.turn = True
            yield
        finally:
            self._own.turn = False
            self._line.leave(ticket)

    @property
    def _mine(self) -> bool:
        """Whether this thread has its turn."""
        return getattr(self._own, "turn", False)
