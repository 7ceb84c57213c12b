"""Put the values of many maps on one scale."""

from __future__ import annotations

import numpy as np

SCALES = ("linear", "log", "rank")
DECADES = 6
"""A log scale shows at most this many powers of ten below the largest value."""


def check_scale(scale: str) -> str:
    """Return `scale`, or raise ValueError listing the valid ones."""
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, not {scale!r}.")
    return scale


def value_range(values: np.ndarray, scale: str) -> tuple[float, float]:
    """Values at the two ends of the colour bar.

    Parameters
    ----------
    values : np.ndarray
        Any shape, NaN where there is no value.
    scale : {"linear", "log", "rank"}

    Returns
    -------
    tuple of float
        Smallest and largest value shown; (0, 1) for ranks or where nothing is finite.
    """
    finite = values[np.isfinite(values)]
    if check_scale(scale) == "rank" or not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if scale == "log":
        positive = finite[finite > 0]
        if not positive.size:
            return 0.0, 1.0
        low = max(float(positive.min()), high * 10.0**-DECADES)
    return low, high


def to_unit(values: np.ndarray, scale: str, limits: tuple[float, float]) -> np.ndarray:
    """Map ``[layers, tokens]`` to [0, 1]; NaN stays NaN.

    ``"rank"`` is the percentile within each row, the only thing that a choice of the best k
    sees; the others share `limits` over all rows.
    """
    values = np.asarray(values, dtype=np.float64)
    if check_scale(scale) == "rank":
        return np.stack([_percentiles(row) for row in values]) if len(values) else values
    low, high = limits
    if scale == "log":
        floor = low if low > 0 else np.finfo(np.float64).tiny
        values = np.log(np.maximum(values, floor))
        low, high = np.log(floor), np.log(max(high, floor))
    span = high - low
    unit = (values - low) / span if span > 0 else np.where(np.isfinite(values), 0.5, np.nan)
    return np.asarray(unit.clip(0.0, 1.0))


def _percentiles(row: np.ndarray) -> np.ndarray:
    unit = np.full(row.shape, np.nan)
    known = np.isfinite(row)
    count = int(known.sum())
    if count == 0:
        return unit
    ordered = np.sort(row[known])
    # Equal values share the middle of their places, so that a flat map stays flat.
    left = np.searchsorted(ordered, row[known], side="left")
    right = np.searchsorted(ordered, row[known], side="right")
    unit[known] = (left + right - 1) / 2 / max(count - 1, 1)
    return unit
