"""How a method is drawn wherever several are told apart: one colour and mark for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

COLOURS = (
    ("#0066a6", "#5cb0f0"),
    ("#c24e00", "#ff9a5c"),
    ("#00805c", "#3fd0a0"),
    ("#a8487f", "#eb9cc8"),
    ("#8a6a00", "#f0c541"),
    ("#6b4fa0", "#bda6f2"),
    ("#8c564b", "#d3a498"),
)
"""On a light and on a dark ground, after Okabe and Ito: apart in every form of colour vision."""
MARKS = (
    ("o", "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0"),
    ("s", "M-4.5,-4.5h9v9h-9z"),
    ("^", "M0,-6L5.5,4.5H-5.5z"),
    ("D", "M0,-6.5L5.5,0L0,6.5L-5.5,0z"),
    ("v", "M0,6L5.5,-4.5H-5.5z"),
    ("h", "M-3,-5.5h6L6,0L3,5.5h-6L-6,0z"),
    ("<", "M-6,0L4.5,-5.5V5.5z"),
    (">", "M6,0L-4.5,-5.5V5.5z"),
    ("p", "M0,-6L5.7,-1.9L3.5,4.9H-3.5L-5.7,-1.9z"),
    ("*", "M0,-7L1.7,-2.3L6.7,-2.2L2.7,0.9L4.1,5.7L0,2.9L-4.1,5.7L-2.7,0.9L-6.7,-2.2L-1.7,-2.3z"),
)
"""Name in matplotlib, and path of an SVG around the origin. As many as share no divisor with the
number of colours: the first 70 methods have 70 pairs."""
GREY = ("#6b7280", "#a3aec0")
CONTROL_MARKS = (
    ("P", "M-1.7,-5.5h3.4v3.8h3.8v3.4h-3.8v3.8h-3.4v-3.8h-3.8v-3.4h3.8z"),
    ("X", "M-5.5,-3L-3,-5.5L0,-2.5L3,-5.5L5.5,-3L2.5,0L5.5,3L3,5.5L0,2.5L-3,5.5L-5.5,3L-2.5,0z"),
    ("d", "M0,-6.5L3.6,0L0,6.5L-3.6,0z"),
    ("8", "M-2.3,-5.5h4.6L5.5,-2.3v4.6L2.3,5.5h-4.6L-5.5,2.3v-4.6z"),
    ("H", "M0,-6L5.2,-3V3L0,6L-5.2,3V-3z"),
)
DASHES = ((3.0, 4.0), (8.0, 3.0), (8.0, 3.0, 2.0, 3.0), (2.0, 2.0))
"""Lengths of strokes and gaps, in pixels of a line two pixels wide."""


@dataclass(frozen=True)
class Style:
    """Colour, mark and line of one method.

    Attributes
    ----------
    colour, lighter : str
        On a light ground, and on a dark one.
    mark, path : str
        The same mark for matplotlib and for SVG.
    dash : tuple of float
        Empty for a whole line.
    """

    colour: str
    lighter: str
    mark: str
    path: str
    dash: tuple[float, ...] = ()

    def line(self, dark: bool = False) -> dict[str, Any]:
        """Keywords of matplotlib's ``plot``, for a small panel."""
        pattern = (0, tuple(length / 2 for length in self.dash)) if self.dash else "-"
        colour = self.lighter if dark else self.colour
        marks = {"marker": self.mark, "markersize": 3.2, "markeredgewidth": 0.0}
        return {"color": colour, "linestyle": pattern, "linewidth": 1.3, **marks}

    def to_dict(self) -> dict[str, str]:
        """What the page draws with."""
        dash = " ".join(f"{length:g}" for length in self.dash)
        return {"light": self.colour, "dark": self.lighter, "path": self.path, "dash": dash}


def styles(names: Sequence[str], controls: Collection[str] = ()) -> dict[str, Style]:
    """Give each method its style.

    Parameters
    ----------
    names : sequence of str
        All methods, in the registry's order, be they drawn or not: a method then looks the same
        in every plot.
    controls : collection of str
        Those that are there to be beaten: grey and dashed, with marks of their own, so that they
        take none from the methods.
    """
    plain = [name for name in names if name not in controls]
    others = [name for name in names if name in controls]
    return {name: _method(at) for at, name in enumerate(plain)} | {
        name: _control(at) for at, name in enumerate(others)
    }


def _method(at: int) -> Style:
    return Style(*COLOURS[at % len(COLOURS)], *MARKS[at % len(MARKS)])


def _control(at: int) -> Style:
    mark = CONTROL_MARKS[at % len(CONTROL_MARKS)]
    return Style(*GREY, *mark, DASHES[at % len(DASHES)])
