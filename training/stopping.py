"""Ctrl+C lets a step end, so that what a checkpoint holds belongs together."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)


@dataclass
class Stop:
    """Whether somebody asked to stop."""

    asked: bool = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """Take the first Ctrl+C as a request to stop; the second ends everything at once.

    Yields
    ------
    Stop
        To be looked at after every step. Nothing changes outside of the main thread and where
        interrupts are ignored, as by ``nohup``.
    """
    stop = Stop()
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not here or before in (signal.SIG_IGN, None):
        yield stop
        return

    def ask(signum: int, frame: FrameType | None) -> None:
        if stop.asked:
            signal.default_int_handler(signum, frame)
        stop.asked = True
        logger.info("stopping after this step; Ctrl+C again stops at once")

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def ignore_interrupts(worker: int) -> None:
    """Let a process that makes lessons go on: Ctrl+C reaches it too, the trainer ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
