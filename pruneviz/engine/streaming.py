"""Answers token by token, from a worker thread that can be stopped and never hangs."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import torch
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from pruneviz.engine import turns

T = TypeVar("T")


class TokenStream(BaseStreamer):
    """Receives tokens from `generate`, hands on the text so far and notes the times."""

    def __init__(self, decode: Callable[[list[int]], str], on_text: Callable[[str], None]) -> None:
        self._decode, self._on_text = decode, on_text
        self.tokens: list[int] = []
        self.started: float | None = None
        self.arrivals: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt (first call) or one more token."""
        if self.started is None:
            self.started = time.perf_counter()
            return
        self.arrivals.append(time.perf_counter())
        self.tokens.extend(value.flatten().tolist())
        self._on_text(self._decode(self.tokens))

    def end(self) -> None:
        """Nothing is buffered, so nothing is left to do."""

    @property
    def prefill_seconds(self) -> float:
        """From the prompt to the first token."""
        if self.started is None or not self.arrivals:
            return 0.0
        return self.arrivals[0] - self.started

    @property
    def seconds_per_token(self) -> float:
        """Mean of the tokens after the first."""
        further = len(self.arrivals) - 1
        return (self.arrivals[-1] - self.arrivals[0]) / further if further > 0 else 0.0


class StopWhen(StoppingCriteria):
    """Ends `generate` once an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Bool ``[batch]``, all True once the event is set."""
        return torch.full((input_ids.shape[0],), self._event.is_set(), device=input_ids.device)


def stream(
    work: Callable[[Callable[[T], None], threading.Event], None], poll: float = 0.1
) -> Generator[T]:
    """Run `work(emit, stop)` in a thread and yield what it emits, in order.

    An exception in the thread is raised here. Closing the generator, or leaving it by
    :func:`pruneviz.engine.turns.until`, sets `stop` and waits for the thread, so that no work goes
    on unseen.
    """
    items: queue.Queue[T] = queue.Queue()
    stop = threading.Event()
    failure: list[BaseException] = []

    def target() -> None:
        try:
            with turns.until(stop.is_set):
                work(items.put, stop)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
            failure.append(error)

    here = contextvars.copy_context()
    thread = threading.Thread(
        target=here.run, args=(target,), name="pruneviz-generate", daemon=True
    )
    thread.start()
    try:
        while thread.is_alive() or not items.empty():
            turns.check()
            try:
                yield items.get(timeout=poll)
            except queue.Empty:
                continue
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
