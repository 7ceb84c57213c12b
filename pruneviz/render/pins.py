"""Marks of patches kept or dropped by hand: a disc with a tick, a square with a cross.

Shape and colour differ, as on the page's canvas.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw

from pruneviz.geometry import PatchGrid
from pruneviz.trace import Trace

COLOURS = {"keep": (21, 112, 63), "drop": (180, 67, 31)}
NAMES = {"keep": "kept by hand", "drop": "dropped by hand"}
EDGE, MARK = (11, 18, 32), (255, 255, 255)
SHARE = 0.36
"""Radius of a mark, as a share of its patch's shorter side."""
SMALLEST = 3.0
FINE = 4
"""Marks are drawn this much larger and then reduced, for smooth edges."""


def draw_pins(image: Image.Image, grid: PatchGrid, trace: Trace) -> Image.Image:
    """Mark the pinned patches of a run on a picture of ``grid.image_size``.

    Returns
    -------
    PIL.Image.Image
        A marked copy; the picture itself where nothing was pinned.
    """
    pins = [(token, kind) for kind in COLOURS for token in trace.pins(kind)]
    if not pins:
        return image
    marked = image.convert("RGB")
    for token, kind in pins:
        box = grid.token_box(token)
        if box is None:
            continue
        left, top, right, bottom = box
        mark = pin_mark(kind, round(max(SMALLEST, SHARE * min(right - left, bottom - top))))
        corner = (
            round((left + right - mark.width) / 2),
            round((top + bottom - mark.height) / 2),
        )
        marked.paste(mark, corner, mark)
    return marked


def pins_legend(trace: Trace) -> list[str]:
    """The kinds of pins that a run has, ``"keep"`` before ``"drop"``."""
    return [kind for kind in COLOURS if trace.pins(kind)]


@lru_cache(maxsize=32)
def pin_mark(kind: str, radius: int) -> Image.Image:
    """One mark on nothing, RGBA.

    Parameters
    ----------
    kind : {"keep", "drop"}
    radius : int
        Half its width in pixels, the edge not counted.
    """
    side = FINE * (2 * radius + 4)
    r, middle = FINE * radius, side / 2
    mark = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(mark)
    edge = FINE * max(1, radius // 8)

    def at(*steps: float) -> list[tuple[float, float]]:
        return [
            (middle + x * r, middle + y * r) for x, y in zip(steps[::2], steps[1::2], strict=True)
        ]

    if kind == "keep":
        pen.ellipse(at(-1, -1, 1, 1), fill=COLOURS[kind], outline=EDGE, width=edge)
        strokes = [at(-0.5, 0, -0.1, 0.42, 0.52, -0.4)]
    else:
        pen.rectangle(at(-0.9, -0.9, 0.9, 0.9), fill=COLOURS[kind], outline=EDGE, width=edge)
        strokes = [at(-0.45, -0.45, 0.45, 0.45), at(0.45, -0.45, -0.45, 0.45)]
    for stroke in strokes:
        pen.line(stroke, fill=MARK, width=max(FINE, round(0.24 * r)), joint="curve")
    return mark.resize((side // FINE, side // FINE), Image.Resampling.LANCZOS)
