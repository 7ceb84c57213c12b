"""Procedural backgrounds: plain, shaded, striped, dotted and cloudy ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KINDS = ("plain", "shade", "stripes", "dots", "checks", "clouds")


def _colours(rng: np.random.Generator, spread: float) -> tuple[NDArray, NDArray]:
    first = rng.uniform(60, 250, 3)
    return first, np.clip(first + rng.uniform(-spread, spread, 3), 0, 255)


def background(seed: int, side: int) -> NDArray[np.uint8]:
    """Draw a background.

    Parameters
    ----------
    seed : int
        The same seed gives the same pattern at every size.
    side : int
        Width and height in pixels.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
        RGB.
    """
    rng = np.random.default_rng([seed, 1])
    kind = KINDS[rng.integers(len(KINDS))]
    first, second = _colours(rng, 90 if kind in ("shade", "clouds") else 45)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    pitch = rng.uniform(4, 14)
    if kind == "plain":
        mix = np.zeros_like(x)
    elif kind == "shade":
        mix = (along - along.min()) / max(float(np.ptp(along)), 1e-6)
    elif kind == "stripes":
        mix = (np.sin(along * pitch * 2 * np.pi) > 0).astype(np.float32)
    elif kind == "dots":
        mix = (np.hypot((x * pitch) % 1 - 0.5, (y * pitch) % 1 - 0.5) < 0.25).astype(np.float32)
    elif kind == "checks":
        mix = ((np.floor(x * pitch) + np.floor(y * pitch)) % 2).astype(np.float32)
    else:
        waves = rng.uniform(-9, 9, (4, 2))
        phase = rng.uniform(0, 2 * np.pi, 4)
        total = sum(np.sin(x * a + y * b + p) for (a, b), p in zip(waves, phase, strict=True))
        mix = (total / 8 + 0.5).astype(np.float32)
    return (first + mix[..., None] * (second - first)).clip(0, 255).astype(np.uint8)
