"""Memory that is free goes back to the system, wherever it lies."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pruneviz import allocator


def resident() -> int:
    """Bytes of this process that are in memory."""
    return 4096 * int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def test_what_is_free_between_what_is_used_goes_back(monkeypatch) -> None:
    monkeypatch.setattr(allocator, "EVERY", 0.01)
    used, free = list[bytearray](), list[bytearray]()
    for _ in range(1000):
        free.append(bytearray(100_000))
        used.append(bytearray(2_000))
    free.clear()
    before = resident()
    with allocator.giving_back() as possible:
        if not possible:
            pytest.skip("Another C library than glibc.")
        for _ in range(6000):
            if before - resident() > 50_000_000:
                break
            time.sleep(0.01)
        assert before - resident() > 50_000_000
    assert len(used) == 1000
