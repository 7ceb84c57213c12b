"""Give memory back to the system when it is free, where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys

TRIM, MAPPED, ARENAS = -1, -3, -8
"""Numbers of glibc's settings: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX."""
SETTINGS = {MAPPED: 4 * 2**20, TRIM: 16 * 2**20, ARENAS: 4}
"""Blocks of 4 MiB and more go back at once. glibc raises that to 32 MiB by itself, and Pillow asks
for 16 at a time: a burst of large pictures would stay for good."""


def give_back() -> bool:
    """Set the C library up for a process that runs for weeks; False where it is another one."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no such settings, and needs none
        return False
    return all(set_option(name, value) == 1 for name, value in SETTINGS.items())
