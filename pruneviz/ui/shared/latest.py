"""Work behind a result ends as soon as its visitor has begun something newer."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

MOST = 1_000
"""Visitors that are remembered; of an older one nothing is being worked out any more."""


class Latest:
    """Counts what each visitor began."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[str, int] = OrderedDict()
        self._results: OrderedDict[str, weakref.ref[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, visitor: str | None) -> int:
        """Begin something newer; returns its number."""
        name = visitor or ""
        with self._lock:
            number = self._numbers.pop(name, 0) + 1
            self._numbers[name] = number
            while len(self._numbers) > MOST:
                self._numbers.popitem(last=False)
            return number

    def is_new(self, visitor: str | None, result: Any) -> bool:
        """Whether a result was not told of before: after a stopped run it is an old one."""
        name = visitor or ""
        with self._lock:
            known = self._results.pop(name, None)
            self._results[name] = weakref.ref(result)
            while len(self._results) > MOST:
                self._results.popitem(last=False)
        return known is None or known() is not result

    def holds(self, visitor: str | None, number: int) -> bool:
        """Whether nothing newer was begun since."""
        with self._lock:
            return self._numbers.get(visitor or "") == number
