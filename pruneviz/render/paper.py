"""What all figures for papers share: size, fonts, wrapped text, saving."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz.geometry import PatchGrid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 7.2
"""Inches: the text width of a two-column page."""
SIZE = 8.0
LEADING = 1.35
DPI = 220
SHOT = 640
"""Longer side of a picture in a figure, in pixels: about 300 a printed inch."""
ELLIPSIS = "…"
_DRAWING = threading.RLock()


@contextmanager
def paper_style() -> Iterator[None]:
    """Fonts for print; one thread at a time, for matplotlib's settings are global."""
    import matplotlib

    style: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "font.size": SIZE}
    style["svg.hashsalt"] = "pruneviz"  # the same drawing gives the same file
    with _DRAWING, matplotlib.rc_context(style):
        yield


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure by its suffix: PDF (text stays text, fonts embedded), SVG or PNG."""
    with paper_style():
        figure.savefig(path, dpi=DPI)


def fitted(image: Image.Image, grid: PatchGrid, longest: int) -> tuple[Image.Image, PatchGrid]:
    """The image with its longer side `longest` pixels, and the grid on it."""
    factor = longest / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS), grid.resized(size)


def wrapped(text: str, width: float, size: float = SIZE, most: int = 3) -> list[str]:
    """Break text into at most `most` lines of `width` inches; what is cut off becomes "…".

    Parameters
    ----------
    text : str
        Any text; line breaks and control characters become spaces.
    width : float
        Inches.
    size : float
        Font size in points.
    most : int
        Lines at most, at least 1.
    """
    # Hinting rounds letters to whole pixels, so a line on the screen may be a little longer.
    width *= 0.98
    plain = "".join(c if c.isprintable() else " " for c in text)
    lines, rest = [""], plain.split()
    while rest:
        word = rest.pop(0)
        longer = f"{lines[-1]} {word}".strip()
        if _inches(longer, size) <= width:
            lines[-1] = longer
        elif len(lines) == most and lines[-1]:
            lines[-1] = _shortened(longer, width, size)
            break
        elif lines[-1]:
            lines.append("")
            rest.insert(0, word)
        else:
            fits = len(_shortened(word, width, size)) - len(ELLIPSIS)
            lines[-1] = word[: max(1, fits)]
            rest.insert(0, word[max(1, fits) :])
    return lines


def _shortened(text: str, width: float, size: float) -> str:
    """The longest beginning that fits with an ellipsis, found by halving."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _inches(text[:middle] + ELLIPSIS, size) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def _inches(text: str, size: float) -> float:
    return sum(map(_advance, text)) * size / 72


@lru_cache(maxsize=4096)
def _advance(letter: str) -> float:
    """Width of a letter in a font of one point; kerning would only make lines shorter."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with _DRAWING:
        width, _, _ = text_to_path.get_text_width_height_descent(
            letter, FontProperties(size=100), ismath=False
        )
    return float(width) / 100
