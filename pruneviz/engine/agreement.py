"""How far several methods agree on what to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pruneviz.metrics import overlap


def agreement(kept_sets: Sequence[np.ndarray], num_visual: int) -> np.ndarray:
    """How many methods keep each visual token.

    Parameters
    ----------
    kept_sets : sequence of np.ndarray
        Per method, the distinct original indices of the visual tokens it keeps to the end.
    num_visual : int
        Visual tokens of the image.

    Returns
    -------
    np.ndarray
        Int64 ``[num_visual]``, from 0 to the number of methods.
    """
    counts = np.zeros(num_visual, dtype=np.int64)
    for kept in kept_sets:
        counts[kept] += 1
    return counts


def overlap_matrix(kept_sets: Sequence[np.ndarray]) -> np.ndarray:
    """Intersection over union of every pair of kept sets: float64 ``[methods, methods]``.

    Symmetric, 1 on the diagonal; two empty sets overlap fully.
    """
    size = len(kept_sets)
    matrix = np.ones((size, size))
    for row in range(size):
        for column in range(row):
            shared = overlap(kept_sets[row], kept_sets[column])
            matrix[row, column] = matrix[column, row] = shared
    return matrix


def likeness_order(overlaps: np.ndarray) -> list[int]:
    """An order in which methods that keep alike stand beside each other.

    Parameters
    ----------
    overlaps : np.ndarray
        Float ``[methods, methods]`` from :func:`overlap_matrix`.

    Returns
    -------
    list of int
        Every row once. Rows are joined to chains, first the two whose mean overlap is largest
        (average linkage), ends that overlap most beside each other; the first row stands in the
        first half, so that equal matrices give equal orders.
    """
    chains = [[row] for row in range(len(overlaps))]
    while len(chains) > 1:
        _, first, second = max(
            (float(overlaps[np.ix_(a, b)].mean()), -i, -j)
            for i, a in enumerate(chains)
            for j, b in enumerate(chains[:i])
        )
        one, other = chains[-first], chains[-second]
        turned = [(a, b) for a in (other, other[::-1]) for b in (one, one[::-1])]
        left, right = max(turned, key=lambda ends: overlaps[ends[0][-1], ends[1][0]])
        chains = [c for c in chains if c is not one and c is not other] + [left + right]
    order = chains[0] if chains else []
    return order if not order or order.index(0) < len(order) / 2 else order[::-1]
