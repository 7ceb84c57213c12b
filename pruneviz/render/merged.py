"""Which patches a method merged into which token: one colour a group, a dot on its token."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import faded
from pruneviz.render.overlay import check_size, hatch, seen_by_model
from pruneviz.trace import Trace

TINT = 0.55
"""Share of the group's colour in its patches."""
TURN = 137.508
"""Degrees between the hues of one group and the next: neighbours in number differ most."""
DOT, SMALLEST = 0.16, 2.0
"""Radius of a dot, as a share of its patch's shorter side and in pixels."""
EDGE = (17, 24, 39)
FINE = 4


def merged_overlay(image: Image.Image, grid: PatchGrid, trace: Trace) -> Image.Image:
    """Draw the groups that a merging method left in the end.

    Parameters
    ----------
    image : PIL.Image.Image
        The original, as large as ``grid.image_size``.
    grid : PatchGrid
        Where each token lies; its `others` are not drawn, give each by itself.
    trace : Trace
        The run.

    Returns
    -------
    PIL.Image.Image
        RGB, same size. Patches of one token share a colour and it has a dot; a token that stands
        for itself alone is unchanged but for its dot; lost patches are grey and faded; what the
        model never saw is hatched.

    Raises
    ------
    ValueError
        If the image has another size.
    """
    check_size(image, grid)
    pixels = np.asarray(image.convert("RGB")).copy()
    holders = trace.merged_into
    colours = _colours(holders)
    plain = faded(pixels)
    for token in np.flatnonzero(grid.token_cell >= 0):
        left, top, right, bottom = np.rint(grid.boxes[grid.token_cell[token]]).astype(int)
        area, holder = (slice(top, bottom), slice(left, right)), int(holders[token])
        if holder < 0:
            pixels[area] = plain[area]
        elif holder in colours:
            mixed = (1 - TINT) * pixels[area] + TINT * colours[holder]
            pixels[area] = mixed.round().astype(np.uint8)
    hatch(pixels, ~seen_by_model(grid))
    return _with_dots(Image.fromarray(pixels), grid, holders)


def _colours(holders: np.ndarray) -> dict[int, np.ndarray]:
    """RGB of every token that holds more patches than its own."""
    tokens, sizes = np.unique(holders[holders >= 0], return_counts=True)
    return {
        int(token): 255 * np.array(colorsys.hls_to_rgb((number * TURN + 20) % 360 / 360, 0.48, 0.7))
        for number, token in enumerate(tokens[sizes > 1])
    }


def _with_dots(image: Image.Image, grid: PatchGrid, holders: np.ndarray) -> Image.Image:
    for token in np.flatnonzero(holders == np.arange(len(holders))):
        cell = int(grid.token_cell[token])
        if cell < 0:
            continue
        left, top, right, bottom = (float(v) for v in grid.boxes[cell])
        dot = _dot(round(max(SMALLEST, DOT * min(right - left, bottom - top))))
        place = (round((left + right - dot.width) / 2), round((top + bottom - dot.height) / 2))
        image.paste(dot, place, dot)
    return image


@lru_cache(maxsize=32)
def _dot(radius: int) -> Image.Image:
    """A white disc with a dark edge on nothing, RGBA."""
    side = 2 * radius + 2
    large = Image.new("RGBA", (FINE * side, FINE * side))
    box = (FINE // 2, FINE // 2, FINE * side - FINE // 2, FINE * side - FINE // 2)
    ImageDraw.Draw(large).ellipse(box, fill=(255, 255, 255), outline=EDGE, width=FINE)
    return large.resize((side, side), Image.Resampling.LANCZOS)
