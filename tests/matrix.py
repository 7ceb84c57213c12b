"""Which cases a test over several things at once runs: families, methods, backends and so on.

Of `matrix` a plain run takes a covering set: every two values that may go together do so in some
case. With ``--full`` it takes everything with everything; with ``-m "not slow"`` only as many
cases as it needs for every value to occur.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from typing import Any

import pytest

Row = tuple[Any, ...]

FULL = False
"""Whether everything is to be run with everything: ``pytest --full`` sets it before collecting."""


def matrix(when: Callable[..., bool] | None = None, **axes: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrise a test over several axes.

    Parameters
    ----------
    when : callable, optional
        Which combinations make sense: called with the values, in order. Default: all.
    **axes
        Each parameter's values.
    """
    allowed = [row for row in product(*axes.values()) if when is None or when(*row)]
    rows = allowed if FULL else covering(allowed)
    daily = once(rows)
    cases = [pytest.param(*row, marks=() if row in daily else pytest.mark.slow) for row in rows]
    return pytest.mark.parametrize(tuple(axes), cases)


def each(when: Callable[..., bool] | None = None, **axes: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrise a test over so few combinations that every value occurs, whatever is asked for.

    Parameters as of :func:`matrix`.
    """
    rows = covering([row for row in product(*axes.values()) if when is None or when(*row)])
    daily = once(rows)
    return pytest.mark.parametrize(tuple(axes), [row for row in rows if row in daily])


def covering(allowed: Sequence[Row]) -> list[Row]:
    """Rows that hold every pair of values that any of the `allowed` rows holds.

    Always the row with most pairs that are still missing, of several the one whose pairs are in
    fewest rows so far, so that no backend or mode gets all the leftovers. The same every time.
    """
    times: Counter[tuple[int, Any, int, Any]] = Counter()

    def weight(row: Row) -> tuple[int, float]:
        counts = [times[pair] for pair in pairs_of(row)]
        return -counts.count(0), -sum(0.5**count for count in counts)

    # Weights only ever grow as rows are taken, so an old one is a bound for the new.
    queue = [(weight(row), number) for number, row in enumerate(allowed)]
    heapq.heapify(queue)
    taken: list[int] = []
    while queue:
        _, number = heapq.heappop(queue)
        now = (weight(allowed[number]), number)
        if not now[0][0]:
            continue
        if queue and now > queue[0]:
            heapq.heappush(queue, now)
            continue
        taken.append(number)
        times.update(pairs_of(allowed[number]))
    return [allowed[number] for number in sorted(taken)]


def once(rows: Sequence[Row]) -> set[Row]:
    """Few of the rows that hold every value of all of them."""
    missing = {item for row in rows for item in enumerate(row)}
    chosen: set[Row] = set()
    while missing:
        best = max(rows, key=lambda row: len(missing.intersection(enumerate(row))))
        chosen.add(best)
        missing.difference_update(enumerate(best))
    return chosen


def pairs_of(row: Row) -> list[tuple[int, Any, int, Any]]:
    """Every two values of a row, each with its place; of a single axis the value twice."""
    places = list(enumerate(row))
    pairs = list(combinations(places, 2)) or [(places[0], places[0])]
    return [(i, a, j, b) for (i, a), (j, b) in pairs]
