"""A sheet of small maps, one per layer, on one scale with a colour bar."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import cividis, colourise
from pruneviz.render.labels import SIGNAL_TITLES
from pruneviz.render.scales import to_unit, value_range
from pruneviz.trace import Trace

COLUMNS = 8
MAP = 132
"""Longer side of one map in pixels, about."""
GAP = 10
LABEL = 18
MARGIN = 16
BAR = 14
INK, PAPER, FRAME = (32, 34, 38), (255, 255, 255), (201, 60, 32)


def layer_sheet(trace: Trace, grid: PatchGrid, signal: str, scale: str = "linear") -> Image.Image:
    """Draw one recorded signal of every layer.

    Parameters
    ----------
    trace : Trace
        With ``signals[signal]``.
    grid : PatchGrid
        Where each token lies.
    signal : {"ttv", "iga", "residual"}
    scale : {"linear", "log", "rank"}
        Shared by all layers; ``"rank"`` is the percentile within each layer.

    Returns
    -------
    PIL.Image.Image
        RGB, eight maps a row, cells not smoothed; shares relative to an even one, see
        :meth:`pruneviz.trace.Trace.relative`. Layers after which tokens were dropped are
        framed; grey cells have no value, for they were dropped before.

    Raises
    ------
    ValueError
        If the signal was not recorded or the scale is unknown.
    """
    if signal not in trace.signals:
        recorded = ", ".join(trace.signals) or "none"
        raise ValueError(f"The run has no signal {signal!r}; recorded: {recorded}.")
    values = trace.relative(signal)
    limits = value_range(values, scale)
    unit = to_unit(values, scale, limits)
    pruned_after = {stage.layer for stage in trace.stages}
    tile = _tile_size(grid)
    columns = min(COLUMNS, max(1, len(unit)))
    rows = -(-len(unit) // columns)
    width = max(2 * MARGIN + columns * (tile[0] + GAP) - GAP, 420)
    top = MARGIN + 2 * LABEL
    height = top + rows * (tile[1] + LABEL + GAP) + BAR + 2 * LABEL + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    title = SIGNAL_TITLES.get(signal, signal)
    shown = f", {grid.title} only" if grid.others else ""
    draw.text((MARGIN, MARGIN), f"{title} per layer, {trace.method}{shown}", INK, _font(15))
    for number, layer in enumerate(unit, start=1):
        row, column = divmod(number - 1, columns)
        x = MARGIN + column * (tile[0] + GAP)
        y = top + row * (tile[1] + LABEL + GAP)
        sheet.paste(_map(grid, layer, tile), (x, y + LABEL))
        mark = number in pruned_after
        text = f"{number} - pruned after" if mark else str(number)
        draw.text((x, y), text, FRAME if mark else INK, _font(12))
        if mark:
            box = (x - 3, y + LABEL - 3, x + tile[0] + 2, y + LABEL + tile[1] + 2)
            draw.rectangle(box, outline=FRAME, width=2)
    colour_bar(sheet, draw, height - MARGIN - BAR - LABEL, limits, scale)
    return sheet


def _tile_size(grid: PatchGrid) -> tuple[int, int]:
    """Whole pixels per cell, so that cells stay equal; shaped like the region seen."""
    left, top, right, bottom = grid.seen
    wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
    longest = max(wide, high)
    across = max(1, round(MAP * wide / longest / grid.columns))
    down = max(1, round(MAP * high / longest / grid.rows))
    return across * grid.columns, down * grid.rows


def _map(grid: PatchGrid, unit: np.ndarray, size: tuple[int, int]) -> Image.Image:
    cells = Image.fromarray(colourise(grid.to_cells(unit)))
    return cells.resize(size, Image.Resampling.NEAREST)


def colour_bar(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    y: int,
    limits: tuple[float, float],
    scale: str,
) -> None:
    """Draw the bar from `y` pixels on, with its ends and the scale below it."""
    width = min(360, sheet.width - 2 * MARGIN)
    bar = Image.fromarray(cividis()[None]).resize((width, BAR), Image.Resampling.BILINEAR)
    sheet.paste(bar, (MARGIN, y))
    low, high = limits
    if scale == "rank":
        ends, name = ("lowest", "highest"), "rank within the layer"
    else:
        ends, name = (f"{low:.3g}", f"{high:.3g}"), f"{scale} scale"
    below, font = y + BAR + 3, _font(12)
    draw.text((MARGIN, below), ends[0], INK, font)
    draw.text((MARGIN + width / 2, below), name, INK, font, anchor="ma")
    draw.text((MARGIN + width, below), ends[1], INK, font, anchor="ra")


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
