"""Colours: one colour-blind-safe map, and the fade of dropped patches."""

from __future__ import annotations

from functools import cache

import numpy as np

MISSING = (222, 224, 228)
CONTOUR = (52, 56, 66)
VEIL = (244, 244, 246)
FADE = 0.62
"""How far a dropped patch goes from its grey towards the veil: faded, never black."""


@cache
def cividis() -> np.ndarray:
    """Uint8 ``[256, 3]``: cividis, readable with every form of colour vision deficiency."""
    from matplotlib import colormaps  # imported late: only drawing heat needs it

    table = colormaps["cividis"](np.linspace(0.0, 1.0, 256))[:, :3]
    return (table * 255).round().astype(np.uint8)


def colourise(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1], NaN where there is none, to uint8 colours ``[..., 3]``."""
    known = np.isfinite(values)
    index = np.where(known, values, 0.0).clip(0.0, 1.0) * 255
    colours = cividis()[index.round().astype(np.uint8)]
    colours[~known] = MISSING
    return colours


def faded(pixels: np.ndarray) -> np.ndarray:
    """Uint8 ``[..., 3]`` pixels without their colour and mixed with the veil."""
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    mixed = grey[..., None] * (1.0 - FADE) + np.array(VEIL, dtype=np.float32) * FADE
    return mixed.round().astype(np.uint8)
