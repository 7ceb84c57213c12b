"""The original image with dropped patches faded: for files, the command line and figures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import CONTOUR, faded
from pruneviz.render.pins import draw_pins
from pruneviz.trace import Trace

HATCH = 8
"""Period of the hatch over what the model never saw, in pixels."""
FINEST, ACROSS = 6, 64
"""Least period of the dots over dropped patches, in pixels, and about how many fit in a row."""
DOT = (92, 99, 112)


def mask_overlay(image: Image.Image, grid: PatchGrid, trace: Trace, stage: int = -1) -> Image.Image:
    """Draw which patches are left after one stage, and mark those pinned by hand.

    Parameters
    ----------
    image : PIL.Image.Image
        The original, as large as ``grid.image_size``.
    grid : PatchGrid
        Where each token lies.
    trace : Trace
        The run. Without stages everything is kept.
    stage : int
        Index into ``trace.stages``; negative counts from the end.

    Returns
    -------
    PIL.Image.Image
        RGB, same size. Kept patches are unchanged but for a thin line where they meet dropped
        ones; dropped patches are grey, faded and dotted, so that white pages and grey pictures show
        them too; what the model never saw is hatched. Where the
        model sees the image more than once, a place is unchanged if any kept token shows it.

    Raises
    ------
    ValueError
        If the image has another size or there is no such stage.
    """
    check_size(image, grid)
    pixels = np.asarray(image.convert("RGB"))
    kept = kept_tokens(trace, stage)
    painted = [paint_cells(part, cell_states(part, kept)) for part in grid.parts]
    shown, seen = (np.logical_or.reduce(masks) for masks in zip(*painted, strict=True))
    result = np.where(shown[..., None], pixels, faded(pixels))
    dots(result, seen & ~shown)
    hatch(result, ~seen)
    result[contour(shown, seen)] = CONTOUR
    return draw_pins(Image.fromarray(result), grid, trace)


def check_size(image: Image.Image, grid: PatchGrid) -> None:
    """Raise ValueError unless the image is as large as the one that the patches lie on."""
    if image.size != grid.image_size:
        raise ValueError(
            f"The image is {image.size[0]} x {image.size[1]}, but the patches lie on one of "
            f"{grid.image_size[0]} x {grid.image_size[1]}."
        )


def kept_tokens(trace: Trace, stage: int) -> np.ndarray:
    """Indices of the visual tokens left after a stage (all of them where there is none)."""
    if not trace.stages:
        return np.arange(trace.num_visual)
    if not -len(trace.stages) <= stage < len(trace.stages):
        raise ValueError(f"There are {len(trace.stages)} stages; stage {stage} is none of them.")
    return trace.stages[stage].kept


def cell_states(grid: PatchGrid, kept: np.ndarray) -> np.ndarray:
    """Bool ``[rows * columns]``: cells whose token is kept."""
    cells = grid.token_cell[kept]
    state = np.zeros(grid.rows * grid.columns, dtype=bool)
    state[cells[cells >= 0]] = True
    return state


def paint_cells(grid: PatchGrid, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bool ``[height, width]`` twice: pixels of kept cells, and pixels the model saw."""
    width, height = grid.image_size
    shown = np.zeros((height, width), dtype=bool)
    for left, top, right, bottom in np.rint(grid.boxes[kept]).astype(int):
        shown[top:bottom, left:right] = True
    return shown, seen_by_model(grid)


def seen_by_model(grid: PatchGrid) -> np.ndarray:
    """Bool ``[height, width]``: pixels that the model saw."""
    width, height = grid.image_size
    seen = np.zeros((height, width), dtype=bool)
    left, top, right, bottom = (int(v) for v in np.rint(np.array(grid.seen)))
    seen[top:bottom, left:right] = True
    return seen


def contour(shown: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pixels on the dropped side of an edge between kept and dropped, both seen."""
    edge = np.zeros_like(shown)
    for axis in (0, 1):
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(first), tuple(second)
        edge[a] |= ~shown[a] & shown[b]
        edge[b] |= ~shown[b] & shown[a]
    return edge & seen


def dots(pixels: np.ndarray, where: np.ndarray) -> None:
    """Draw dots over uint8 ``[height, width, 3]`` pixels, in place, where the mask is True."""
    height, width = where.shape
    period = max(FINEST, max(height, width) // ACROSS)
    size = max(1, period // 5)
    first = (period - size) // 2
    down, along = ((np.arange(n) % period - first) for n in (height, width))
    inside = ((down >= 0) & (down < size))[:, None] & ((along >= 0) & (along < size))
    pixels[inside & where] = DOT


def hatch(pixels: np.ndarray, where: np.ndarray) -> None:
    """Draw the hatch over uint8 ``[height, width, 3]`` pixels, in place, where the mask is True."""
    y, x = np.nonzero(where)
    line = ((x + y) % HATCH) < max(1, HATCH // 4)
    colours = pixels[where].copy()
    colours[line] = (colours[line] * 0.25 + np.array([110, 114, 122]) * 0.75).astype(np.uint8)
    pixels[where] = colours
