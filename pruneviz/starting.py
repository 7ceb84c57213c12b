"""The first seconds of a program, in which its parts are imported."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
"""Exit status of a program that Ctrl+C ended."""


@contextmanager
def quietly(prog: str) -> Iterator[None]:
    """Let Ctrl+C end the program in one line while this block imports its parts.

    Some importers turn an interruption into an error of theirs. Nothing is held yet that would
    have to be closed, so that the process may end at once.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield  # whoever set another handler knows what to do
        return

    def stop(*_: Any) -> None:
        os.write(2, f"\n{prog}: stopped.\n".encode())
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
