"""Clocks and memory of the device that a model runs on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed(device: torch.device, run: Callable[[], T]) -> tuple[float, T]:
    """Seconds of a call, from an idle device to an idle device, and what it returned."""
    synchronise(device)
    start = time.perf_counter()
    result = run()
    synchronise(device)
    return time.perf_counter() - start, result


class Peak:
    """Most memory in use since it was made, above what was in use then; CUDA alone."""

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._before = 0
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)

    @property
    def bytes(self) -> int:
        """How much; 0 where it cannot be told."""
        if self._device is None:
            return 0
        return int(torch.cuda.max_memory_allocated(self._device)) - self._before


def is_out_of_memory(error: Exception) -> bool:
    """Whether this is what torch raises where a tensor does not fit."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate" in text)


def give_back(device: torch.device) -> None:
    """Return what a failed run has left, so that the next one has the room."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
