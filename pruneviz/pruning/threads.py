"""Whose block it is: a model has one set of hooks, and every thread would run into them.

A block belongs to the thread that entered it, to those started from inside, such as one that runs
`generate` for a streamer, and to code run in a copy of its context, as by ``asyncio.to_thread``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from torch import nn

from pruneviz.errors import PruningError

FOREIGN = (
    "Another thread is inside a prune() or observe() block on this model, whose hooks would change "
    "what this one computes. Let one wait for the other (a lock around both, or one Session, which "
    "has its own), or load the model once more."
)
AT_ONCE = (
    "Two threads of one prune() or observe() block run the model at the same time. Let one wait "
    "for the other."
)
_CALL = nn.Module._call_impl.__code__
_LOCK = threading.RLock()
"""Held by who opens or closes a block; a signal may do so while its own thread is at it."""
_OPEN: set[Owner] = set()
_INSIDE: ContextVar[tuple[Owner, ...]] = ContextVar("pruneviz_inside", default=())


class Owner:
    """The threads that a block belongs to."""

    def __init__(self) -> None:
        self._threads: WeakSet[threading.Thread] = WeakSet()
        self.admit(threading.current_thread())

    def admit(self, thread: threading.Thread) -> None:
        """Let a thread run the model inside the block."""
        self._threads.add(thread)

    def here(self) -> bool:
        """Whether the block is the running thread's."""
        return threading.current_thread() in self._threads or self in _INSIDE.get()

    def check(self) -> None:
        """Raise PruningError if the block is not the running thread's."""
        if not self.here():
            raise PruningError(FOREIGN)


@contextmanager
def owned() -> Iterator[Owner]:
    """The owner of a block that lasts as long as this one."""
    owner = Owner()
    try:
        _INSIDE.set((*_INSIDE.get(), owner))
        _STARTS.watch(owner)
        yield owner
    finally:
        _INSIDE.set(tuple(one for one in _INSIDE.get() if one is not owner))
        _STARTS.leave(owner)


class _Starts:
    """Stands in for ``threading.Thread.start`` while any block is open.

    Before Python 3.14 no thread is told by whom it was started. Others replace it, too (tracers,
    debuggers): what was there when the first block was opened is called, and is put back when the
    last one closes, unless something else has taken its place in between.
    """

    def __init__(self) -> None:
        self._before: Callable[[threading.Thread], None] = threading.Thread.start
        self._own: Callable[[threading.Thread], None] = self._before

    def watch(self, owner: Owner) -> None:
        """Let threads that are started inside of a block be its own."""
        with _LOCK:
            if not _OPEN:
                self._before = threading.Thread.start
                self._own = _admitting(self._before)
                threading.Thread.start = self._own  # type: ignore[method-assign,assignment]
            _OPEN.add(owner)

    def leave(self, owner: Owner) -> None:
        """The block is closed."""
        with _LOCK:
            _OPEN.discard(owner)
            if not _OPEN and threading.Thread.start is self._own:
                threading.Thread.start = self._before  # type: ignore[method-assign,assignment]


_STARTS = _Starts()


def _admitting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """The same function; what it starts from inside of a block is the block's own as well."""

    def watched(thread: threading.Thread) -> None:
        # A copy in one step, without the lock: a finaliser may start a thread at any point.
        for owner in tuple(_OPEN):
            if owner.here():
                owner.admit(thread)
        start(thread)

    return watched


def runs(module: Any, thread: int) -> bool:
    """Whether a thread is at this moment in the forward of a module."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code is _CALL and frame.f_locals.get("self") is module:
            return True
        frame = frame.f_back
    return False
