"""Several methods on one picture, for papers: what each leaves, its answer, and a line on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.figures import GAP
from pruneviz.render.merged import merged_overlay
from pruneviz.render.overlay import mask_overlay
from pruneviz.render.paper import WIDTH, fitted, wrapped
from pruneviz.render.sheet import MARGIN, MUTED, SMALL, Sheet, name_panel, place
from pruneviz.render.styles import Style
from pruneviz.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4
SIDE = 380
"""Longer side of a picture, in pixels."""
HEAD, LINE = 0.2, 0.14
"""Inches: for the name above a picture, and a line below it."""
LINES = 3
LOOK = 0.12
"""Inches: for the method's mark."""


@dataclass(frozen=True)
class SidePanel:
    """One method.

    Attributes
    ----------
    title : str
        Its name.
    trace : Trace
        Its run; of methods that merge, groups are drawn.
    lines : tuple of str
        Below its picture, at most three, each cut to the width.
    style : Style
        Its mark, beside the name.
    """

    title: str
    trace: Trace
    lines: tuple[str, ...]
    style: Style


def side_by_side_figure(
    image: Image.Image,
    grid: PatchGrid,
    panels: Sequence[SidePanel],
    title: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Draw what each method leaves in the end, four in a row.

    Parameters
    ----------
    image : PIL.Image.Image
        The original.
    grid : PatchGrid
        Where each token lies.
    panels : sequence of SidePanel
        In the order in which they are drawn.
    title : sequence of str
        Above the figure; each is wrapped to at most three lines.
    caption : str
        Below it, at most eight lines.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text of a two-column page. Write it with
        :func:`pruneviz.render.save_figure`.

    Raises
    ------
    ValueError
        If there is no method.
    """
    if not panels:
        raise ValueError("There is nothing to draw: no method could be run.")
    small, cells = fitted(image, grid, SIDE)
    sheet = Sheet.of(title, caption)
    wide = (WIDTH - 2 * MARGIN - (ACROSS - 1) * GAP) / ACROSS
    high = wide * min(max(image.height / image.width, 0.4), 1.6)
    each = HEAD + high + LINES * LINE + GAP
    top = sheet.above + 0.08
    rows = -(-len(panels) // ACROSS)
    with sheet.drawn(top + rows * each) as figure:
        for number, panel in enumerate(panels):
            row, column = divmod(number, ACROSS)
            x, y = MARGIN + column * (wide + GAP), top + row * each
            _mark(figure, panel.style, x, y)
            name_panel(figure, x + LOOK + 0.04, y, panel.title, fontweight="bold")
            axes = place(figure, x, y + HEAD, wide, high)
            axes.imshow(_shot(small, cells, panel.trace), interpolation="antialiased")
            axes.set_axis_off()
            for at, text in enumerate(panel.lines[:LINES]):
                (line,) = wrapped(text, wide, SMALL - 0.5, most=1)
                below = y + HEAD + high + at * LINE
                name_panel(figure, x, below, line, fontsize=SMALL - 0.5, color=MUTED)
    return figure


def _shot(image: Image.Image, grid: PatchGrid, trace: Trace) -> Image.Image:
    draw = merged_overlay if trace.has_groups else mask_overlay
    return draw(image, grid, trace)


def _mark(figure: Figure, style: Style, x: float, y: float) -> None:
    axes = place(figure, x, y + 0.02, LOOK, LOOK)
    axes.plot([0], [0], linestyle="", marker=style.mark, markersize=6, color=style.colour)
    axes.set_axis_off()
