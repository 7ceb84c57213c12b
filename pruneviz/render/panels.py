"""What the side-by-side canvas draws: one picture, one mask a method, and where they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.payload import DROPPED, KEPT, pack, picture_payload
from pruneviz.trace import Trace

MERGED = 3


def panel(trace: Trace) -> dict[str, Any]:
    """Pack what one method leaves in the end.

    Returns
    -------
    dict
        ``state``, kept, dropped or merged, and ``order``, in which patches would be given up;
        ``holders``, the token that each patch is in at the end (-1 = lost), None where nothing
        was merged; ``kept``, tokens left, those that stand for no patch included.
    """
    holders = trace.merged_into
    state = np.full(trace.num_visual, DROPPED, dtype=np.uint8)
    state[holders >= 0] = MERGED
    state[trace.kept] = KEPT
    return {
        "method": trace.method,
        "state": pack(state, "u1"),
        "order": pack(trace.keep_order, "<i4"),
        "holders": pack(holders, "<i4") if trace.has_groups else None,
        "kept": trace.left,
    }


def panels_payload(
    image: Image.Image,
    grid: PatchGrid,
    panels: Sequence[dict[str, Any]],
    agreement: np.ndarray,
    overlap_titles: Sequence[str],
    overlaps: np.ndarray,
    merged_titles: Sequence[str] = (),
) -> dict[str, Any]:
    """Pack several methods on one image.

    Parameters
    ----------
    image, grid
        The original, and where each token lies.
    panels : sequence of dict
        From :func:`panel`, with whatever else a card shows.
    agreement : np.ndarray
        Int ``[num_visual]``: how many of the methods that choose keep each token.
    overlap_titles, overlaps
        Names of the methods that choose, and float ``[methods, methods]``.
    merged_titles : sequence of str
        Names of those that merged instead.

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
        "mergedTitles": list(merged_titles),
    }
