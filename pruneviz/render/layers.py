"""A figure of every recorded signal in every layer of both runs, on shared scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pruneviz.geometry import PatchGrid
from pruneviz.render.colours import cividis, colourise
from pruneviz.render.figures import PRUNED
from pruneviz.render.labels import SIGNAL_NOTES, SIGNAL_TITLES
from pruneviz.render.paper import DPI, LEADING, WIDTH, paper_style, wrapped
from pruneviz.render.scales import to_unit, value_range
from pruneviz.render.sheet import INK, MARGIN, MUTED, SMALL, name_panel, place, write_lines
from pruneviz.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 16
"""Layers in a row at most."""
GAP, NUMBER, RUN, TITLE, BAR = 0.06, 0.15, 0.22, 0.3, 0.3
"""Inches: between maps, above each, for a run's name, a signal's, and the colour bar."""
KEY = "Grey cells: dropped before. Framed layers: visual tokens are dropped after them."
ZOOM = 6
"""Pixels a cell: viewers that smooth pictures then leave the cells' edges sharp."""


@dataclass(frozen=True)
class _Tiles:
    """Places of one run's maps, in inches from its upper left corner."""

    across: int
    rows: int
    wide: float
    high: float

    @classmethod
    def of(cls, grid: PatchGrid, layers: int) -> _Tiles:
        across = max(1, min(ACROSS, layers if layers <= ACROSS else -(-layers // 2)))
        left, top, right, bottom = grid.seen
        shape = (bottom - top) / max(right - left, 1.0)
        wide = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
        wide = min(wide, 0.8)
        return cls(across, -(-layers // across), wide, wide * min(max(shape, 0.3), 2.0))

    @property
    def height(self) -> float:
        return self.rows * (self.high + NUMBER)

    def corner(self, layer: int) -> tuple[float, float]:
        row, column = divmod(layer, self.across)
        return column * (self.wide + GAP), row * (self.high + NUMBER)


def layer_figure(
    baseline: Trace, pruned: Trace, grid: PatchGrid, title: str = "", label: str = ""
) -> Figure:
    """Draw TTV, IGA and residual of every layer, baseline above pruned run.

    Parameters
    ----------
    baseline, pruned : Trace
        Both runs, with the same signals recorded.
    grid : PatchGrid
        Where each token lies. Of an image that the model sees twice, both grids are drawn.
    title : str
        Above the figure; wrapped to at most three lines.
    label : str
        Name of the pruned run; default: the method's.

    Returns
    -------
    matplotlib.figure.Figure
        Each signal has one logarithmic scale over both runs and all layers; shares are relative to
        an even one, see :meth:`pruneviz.trace.Trace.relative`. Layers after which
        tokens were dropped are framed; grey cells have no value, for they were dropped before.

    Raises
    ------
    ValueError
        If no signal was recorded in both runs.
    """
    from matplotlib.figure import Figure

    names = [n for n in SIGNAL_TITLES if n in baseline.signals and n in pruned.signals]
    if not names:
        raise ValueError("Neither TTV, IGA nor residual was recorded in both runs.")
    layers = len(baseline.signals[names[0]])
    parts = [(part, _Tiles.of(part, layers)) for part in grid.parts]
    head = wrapped(title, WIDTH - 2 * MARGIN) if title else []
    top = MARGIN + len(head) * 8 * LEADING / 72 + (0.06 if head else 0)
    block = TITLE + 2 * sum(RUN + tiles.height for _, tiles in parts) + BAR + 0.12
    with paper_style():
        figure = Figure(figsize=(WIDTH, top + len(names) * block + 0.2), dpi=DPI)
        write_lines(figure, head, MARGIN, 8, INK)
        for number, name in enumerate(names):
            runs = [("Baseline", baseline), (label or pruned.method, pruned)]
            _signal(figure, name, runs, parts, top + number * block)
        write_lines(figure, [KEY], top + len(names) * block, SMALL, MUTED)
    return figure


def _signal(
    figure: Figure,
    name: str,
    runs: list[tuple[str, Trace]],
    parts: list[tuple[PatchGrid, _Tiles]],
    y: float,
) -> None:
    name_panel(figure, MARGIN, y, SIGNAL_TITLES[name], fontsize=8, fontweight="bold")
    write_lines(
        figure, wrapped(SIGNAL_NOTES[name], WIDTH - 2 * MARGIN, 6.5, 1), y + 0.17, 6.5, MUTED
    )
    limits = value_range(np.stack([trace.relative(name) for _, trace in runs]), "log")
    below = y + TITLE
    for title, trace in runs:
        unit = to_unit(trace.relative(name), "log", limits)
        cut = {stage.layer for stage in trace.stages}
        for part, tiles in parts:
            shown = f"{title}, {part.title}" if len(parts) > 1 else title
            name_panel(figure, MARGIN, below + 0.07, shown, fontsize=SMALL)
            _run(figure, part, unit, below + RUN, tiles, cut)
            below += RUN + tiles.height
    _bar(figure, below + 0.08, limits)


def _run(
    figure: Figure, grid: PatchGrid, unit: np.ndarray, y: float, tiles: _Tiles, cut: set[int]
) -> None:
    """All maps of a run in one pair of axes, in inches: hundreds of axes would take a minute."""
    wide, high = WIDTH - 2 * MARGIN, tiles.height
    axes = place(figure, MARGIN, y, wide, high)
    axes.set_axis_off()
    for layer, values in enumerate(unit):
        x, down = tiles.corner(layer)
        box = (x, x + tiles.wide, down + NUMBER + tiles.high - 0.02, down + NUMBER - 0.02)
        cells = colourise(grid.to_cells(values)).repeat(ZOOM, 0).repeat(ZOOM, 1)
        axes.imshow(cells, extent=box, interpolation="nearest", aspect="auto")
        marked = layer + 1 in cut
        style = {"color": PRUNED, "fontweight": "bold"} if marked else {"color": MUTED}
        axes.text(x, down + 0.02, str(layer + 1), fontsize=6, va="top", **style)
        if marked:
            corner, size = (x, down + NUMBER - 0.02), (tiles.wide, tiles.high)
            axes.add_patch(_frame(corner, *size))
    axes.set_xlim(0, wide)
    axes.set_ylim(high, 0)


def _frame(corner: tuple[float, float], wide: float, high: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, wide, high, fill=False, color=PRUNED, linewidth=1.4, clip_on=False)


def _bar(figure: Figure, y: float, limits: tuple[float, float]) -> None:
    wide = 2.6
    axes = place(figure, MARGIN, y, wide, 0.09)
    axes.imshow(cividis()[None], aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    low, high = limits
    style: dict[str, Any] = {"fontsize": 6.5, "color": MUTED}
    name_panel(figure, MARGIN, y + 0.1, f"{low:.3g}", **style)
    name_panel(figure, MARGIN + wide, y + 0.1, f"{high:.3g}", ha="right", **style)
    x = MARGIN + wide + 0.15
    name_panel(figure, x, y - 0.03, "log scale, shared by both runs and all layers", **style)
