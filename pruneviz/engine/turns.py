"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque
from typing import Self


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
            turn[1].wait()
        except BaseException:
            # Ctrl+C while waiting: the turn must not go to somebody who is no longer there.
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
