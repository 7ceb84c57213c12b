"""Sets of token indices as short text: ``3,7-9``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

_PART = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
MOST = 100_000
"""More indices than any image has tokens."""


def read_ranges(text: str) -> tuple[int, ...]:
    """Indices of a text such as ``"3,7-9"``, ascending and without repeats.

    Raises
    ------
    ValueError
        If it is written in another way.
    """
    found: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PART.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first > MOST:
            raise ValueError(f"Token indices are written as 3,7-9 (counted from 0), not {part!r}.")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def write_ranges(tokens: Iterable[int]) -> str:
    """Inverse of :func:`read_ranges`."""
    runs = groupby(enumerate(sorted(set(tokens))), lambda item: item[1] - item[0])
    spans = [[token for _, token in run] for _, run in runs]
    return ",".join(str(s[0]) if len(s) == 1 else f"{s[0]}-{s[-1]}" for s in spans)
