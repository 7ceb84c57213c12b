"""A figure for papers as a sheet: lines of text above and below its panels, and one legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruneviz.render.paper import DPI, LEADING, SIZE, WIDTH, paper_style, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED = "#111827", "#4b5563"
MARGIN = 0.1
"""Inches around everything."""
SMALL = 7.0


@dataclass(frozen=True)
class Sheet:
    """What stands above and below the panels, already broken into lines.

    Attributes
    ----------
    head, foot : list of str
        Lines of the title and of the caption.
    """

    head: list[str]
    foot: list[str]

    @classmethod
    def of(cls, title: Sequence[str], caption: str) -> Sheet:
        """Break each text of the title into three lines at most, the caption into eight."""
        wide = WIDTH - 2 * MARGIN
        head = [line for text in title for line in wrapped(text, wide)]
        return cls(head, wrapped(caption, wide, SMALL, most=8) if caption else [])

    @property
    def above(self) -> float:
        """Inches down to the end of the title."""
        return MARGIN + _height(self.head, SIZE)

    @contextmanager
    def drawn(self, below: float, gap: float = 0.0) -> Iterator[Figure]:
        """A figure whose panels end `below` inches from the top; the caption comes under them.

        `gap` is left after it.
        """
        from matplotlib.figure import Figure

        total = below + (_height(self.foot, SMALL) + gap) + MARGIN
        with paper_style():
            figure = Figure(figsize=(WIDTH, total), dpi=DPI)
            write_lines(figure, self.head, MARGIN, SIZE, INK)
            yield figure
            write_lines(figure, self.foot, below, SMALL, MUTED)


def place(figure: Figure, x: float, y: float, wide: float, high: float) -> Any:
    """Axes at a place counted in inches from the upper left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((x / width, 1 - (y + high) / height, wide / width, high / height))


def name_panel(figure: Figure, x: float, y: float, name: str, **style: Any) -> None:
    """The name of a panel, its upper left corner given in inches."""
    width, height = figure.get_size_inches()
    style = dict[str, Any](fontsize=SMALL + 0.5, color=INK) | style
    figure.text(x / width, 1 - (y + 0.02) / height, name, va="top", parse_math=False, **style)


def write_lines(figure: Figure, lines: list[str], y: float, size: float, colour: str) -> None:
    """Lines of text from `y` inches below the upper edge on."""
    for number, line in enumerate(lines):
        below = y + number * size * LEADING / 72
        name_panel(figure, MARGIN, below - 0.02, line, fontsize=size, color=colour)


def legend_above(figure: Figure, axes: Any, y: float, across: int, **style: Any) -> None:
    """Above all panels, `y` inches from the top, where nothing can run through it."""
    width, height = figure.get_size_inches()
    style = dict[str, Any](handlelength=2.0, labelspacing=0.3) | style
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, 1 - y / height),
        ncols=across,
        frameon=False,
        fontsize=SMALL,
        borderpad=0,
        borderaxespad=0,
        **style,
    )


def _height(lines: list[str], size: float) -> float:
    return len(lines) * size * LEADING / 72
