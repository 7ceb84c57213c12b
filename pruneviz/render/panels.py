"""What the side-by-side canvas draws: one picture, one mask a method, and where they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.payload import DROPPED, KEPT, pack, picture_payload
from pruneviz.trace import Trace


def panel(trace: Trace) -> dict[str, Any]:
    """Pack what one method keeps to the end, and in which order it would give patches up."""
    state = np.full(trace.num_visual, DROPPED, dtype=np.uint8)
    state[trace.kept] = KEPT
    return {
        "method": trace.method,
        "state": pack(state, "u1"),
        "order": pack(trace.keep_order, "<i4"),
        "kept": len(trace.kept),
    }


def panels_payload(
    image: Image.Image,
    grid: PatchGrid,
    panels: Sequence[dict[str, Any]],
    agreement: np.ndarray,
    overlap_titles: Sequence[str],
    overlaps: np.ndarray,
) -> dict[str, Any]:
    """Pack several methods on one image.

    Parameters
    ----------
    image, grid
        The original, and where each token lies.
    panels : sequence of dict
        From :func:`panel`, with whatever else a card shows.
    agreement : np.ndarray
        Int ``[num_visual]``: how many methods keep each token.
    overlap_titles, overlaps
        Names, and float ``[methods, methods]``.

    Returns
    -------
    dict
        JSON-serialisable.
    """
    return {
        **picture_payload(image, grid),
        "panels": list(panels),
        "agreement": pack(agreement, "<i4"),
        "overlapTitles": list(overlap_titles),
        "overlaps": [[float(value) for value in row] for row in overlaps],
    }
