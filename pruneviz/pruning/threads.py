"""Whose block it is: a model has one set of hooks, and every thread would run into them.

A block belongs to the thread that entered it, to those started from inside, such as one that runs
`generate` for a streamer, and to code run in a copy of its context, as by ``asyncio.to_thread``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
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
_START = threading.Thread.start
_LOCK = threading.Lock()
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
    _INSIDE.set((*_INSIDE.get(), owner))
    with _LOCK:
        _OPEN.add(owner)
        # Before Python 3.14 no thread is told by whom it was started.
        threading.Thread.start = _start  # type: ignore[method-assign,assignment]
    try:
        yield owner
    finally:
        _INSIDE.set(tuple(one for one in _INSIDE.get() if one is not owner))
        with _LOCK:
            _OPEN.discard(owner)
            if not _OPEN and threading.Thread.start is _start:
                threading.Thread.start = _START  # type: ignore[method-assign]


def _start(thread: threading.Thread) -> None:
    """Start a thread; what it is started from inside of, is its own as well."""
    with _LOCK:
        mine = [owner for owner in _OPEN if owner.here()]
    for owner in mine:
        owner.admit(thread)
    _START(thread)


def runs(module: Any, thread: int) -> bool:
    """Whether a thread is at this moment in the forward of a module."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code is _CALL and frame.f_locals.get("self") is module:
            return True
        frame = frame.f_back
    return False
