"""A value of every patch over the faded picture: what it does to the answer."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import CONTOUR, cividis, faded
from pruneviz.render.heatmaps import BAR, LABEL, MARGIN, PAPER, colour_bar
from pruneviz.render.overlay import cell_states, check_size, contour, hatch, paint_cells
from pruneviz.render.scales import check_scale, to_unit, value_range

COVER = 0.7
"""How much of a patch its colour covers."""


def effect_overlay(
    image: Image.Image,
    grid: PatchGrid,
    values: np.ndarray,
    kept: np.ndarray | None = None,
    scale: str = "linear",
) -> Image.Image:
    """Draw a value of every visual token over its patch.

    Parameters
    ----------
    image : PIL.Image.Image
        The original, as large as ``grid.image_size``.
    grid : PatchGrid
        Where each token lies.
    values : np.ndarray
        Float ``[num_visual]``, such as :attr:`pruneviz.engine.Effects.per_token`; NaN where there
        is none: such patches stay faded.
    kept : np.ndarray, optional
        Int64: tokens that a method keeps; a line runs around them.
    scale : {"linear", "log", "rank"}

    Returns
    -------
    PIL.Image.Image
        RGB, the picture with a colour bar below it. Where the model sees the image more than once,
        a place shows the largest value of its tokens.

    Raises
    ------
    ValueError
        If the image has another size or the scale is unknown.
    """
    check_size(image, grid)
    check_scale(scale)
    limits = value_range(np.asarray(values, dtype=np.float64), scale)
    unit = to_unit(np.asarray(values)[None], scale, limits)[0]
    pixels = faded(np.asarray(image.convert("RGB")))
    heat = _spread(grid, unit)
    known = np.isfinite(heat)
    colours = cividis()[(np.where(known, heat, 0.0) * 255).round().astype(np.uint8)]
    mixed = pixels * (1.0 - COVER) + colours * COVER
    result = np.where(known[..., None], mixed, pixels).round().astype(np.uint8)
    painted = [paint_cells(part, cell_states(part, _or_none(kept))) for part in grid.parts]
    shown, seen = (np.logical_or.reduce(masks) for masks in zip(*painted, strict=True))
    hatch(result, ~seen)
    if kept is not None:
        result[contour(shown, seen)] = CONTOUR
    below = BAR + LABEL + 2 * MARGIN
    sheet = Image.new("RGB", (max(image.width, 240), image.height + below), PAPER)
    sheet.paste(Image.fromarray(result), (0, 0))
    colour_bar(sheet, ImageDraw.Draw(sheet), image.height + MARGIN, limits, scale)
    return sheet


def _or_none(kept: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, dtype=np.int64) if kept is None else kept


def _spread(grid: PatchGrid, unit: np.ndarray) -> np.ndarray:
    """Values of the pixels, ``[height, width]``, NaN where there is none."""
    width, height = grid.image_size
    heat = np.full((height, width), np.nan)
    for part in grid.parts:
        boxes = np.rint(part.boxes).astype(int)
        for value, (left, top, right, bottom) in zip(part.to_cells(unit).flat, boxes, strict=True):
            place = heat[top:bottom, left:right]
            np.fmax(place, value, out=place)
    return heat
