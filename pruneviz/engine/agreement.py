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
