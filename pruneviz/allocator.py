"""Give memory back to the system when it is free, where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TRIM, MAPPED, ARENAS = -1, -3, -8
"""Numbers of glibc's settings: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX."""
SETTINGS = {MAPPED: 4 * 2**20, TRIM: 16 * 2**20, ARENAS: 4}
"""Blocks of 4 MiB and more go back at once. glibc raises that to 32 MiB by itself, and Pillow asks
for 16 at a time: a burst of large pictures would stay for good."""


EVERY = 30.0
"""Seconds after which what is free between what is used goes back, too; it takes a tenth of one."""


@contextmanager
def giving_back() -> Iterator[bool]:
    """Set the C library up for a process that runs for weeks, and look after it meanwhile.

    By itself glibc gives back only what is free at the end of an arena. Results of many threads
    and ages lie there in any order, so that an hour of requests left hundreds of MB in between.

    Yields
    ------
    bool
        False where it is another C library, and nothing is done.
    """
    library = _glibc()
    if library is None:
        yield False
        return
    for name, value in SETTINGS.items():
        library.mallopt(name, value)
    over = threading.Event()
    threading.Thread(target=_trim, args=(library, over), daemon=True).start()
    try:
        yield True
    finally:
        over.set()


def _trim(library: ctypes.CDLL, over: threading.Event) -> None:
    while not over.wait(EVERY):
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        # musl has no such functions, and needs none
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError):
        return None
