"""Accuracy against what is spent: a curve a method, with its interval as a band."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruneviz.render.paper import WIDTH, paper_style
from pruneviz.render.sheet import INK, MARGIN, SMALL, Sheet, legend_above, name_panel, place
from pruneviz.render.styles import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIGH, AXIS, GAP, NUMBERS, ENTRY = 2.1, 0.5, 0.28, 0.5, 0.17
"""Inches: height of a panel, of the numbers below it, between panels, beside the first, and of a
line of the legend."""
ACROSS = 3
NAMES = 4
"""Methods in a line of the legend."""


@dataclass(frozen=True)
class Curve:
    """One method's points, by rising `x`.

    Attributes
    ----------
    name : str
        For the legend.
    x, y, low, high : tuple of float
        Share spent in (0, 1]; accuracy in [0, 1] and the ends of its interval.
    style : Style
        Colour, mark and line of the method.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    style: Style


@dataclass(frozen=True)
class Panel:
    """One axis of what is spent.

    Attributes
    ----------
    title, label : str
        Above the panel, and below its axis.
    curves : tuple of Curve
        In the order of the legend.
    unpruned : tuple of float
        Accuracy without pruning and the ends of its interval.
    """

    title: str
    label: str
    curves: tuple[Curve, ...]
    unpruned: tuple[float, float, float]


@dataclass(frozen=True)
class _Ink:
    """Colours on a light or a dark ground."""

    text: str
    lines: str
    dark: bool = False

    @classmethod
    def of(cls, dark: bool) -> _Ink:
        return cls("#e5e7eb", "#9ca3af", True) if dark else cls(INK, "#6b7280")


def evidence_figure(
    panels: Sequence[Panel], title: Sequence[str] = (), caption: str = ""
) -> Figure:
    """Draw panels side by side, three in a row, under one legend.

    Parameters
    ----------
    panels : sequence of Panel
        All with the same methods.
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
        If there is nothing to draw.
    """
    if not any(panel.curves for panel in panels):
        raise ValueError("There is nothing to draw: no method was asked.")
    sheet = Sheet.of(title, caption)
    across = min(ACROSS, len(panels))
    rows = -(-len(panels) // across)
    wide = (WIDTH - 2 * MARGIN - NUMBERS - (across - 1) * (GAP + 0.12)) / across
    entries = -(-(len(panels[0].curves) + 1) // NAMES)
    top = sheet.above + 0.06 + entries * ENTRY + 0.08
    each = 0.22 + HIGH + AXIS
    limits = _limits(panels)
    with sheet.drawn(top + rows * each) as figure:
        for number, panel in enumerate(panels):
            row, column = divmod(number, across)
            x, y = MARGIN + NUMBERS + column * (wide + GAP + 0.12), top + row * each
            name_panel(figure, x, y, panel.title)
            axes = place(figure, x, y + 0.22, wide, HIGH)
            _draw(axes, panel, _Ink.of(False), limits)
            if column:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel("Accuracy", fontsize=SMALL + 0.5, labelpad=3)
            if number == 0:
                legend_above(figure, axes, top - entries * ENTRY - 0.08, NAMES)
    return figure


def evidence_svg(panel: Panel, dark: bool = False) -> str:
    """One panel with its legend as an SVG picture without a ground, readable on a phone.

    What the vertical axis is stands beside it, where it is not that narrow.

    Parameters
    ----------
    panel : Panel
        What to draw.
    dark : bool
        Whether it will lie on a dark ground.
    """
    from matplotlib.figure import Figure

    ink = _Ink.of(dark)
    entries = -(-(len(panel.curves) + 1) // 3)
    wide, high = 4.3, 2.9 + entries * 0.2
    with paper_style():
        figure = Figure(figsize=(wide, high))
        axes = figure.add_axes((0.125, 0.5 / high, 0.855, 2.3 / high))
        _draw(axes, panel, ink, _limits([panel]), size=9.0)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            loc="upper left",
            bbox_to_anchor=(0.02, 1.0),
            ncols=3,
            frameon=False,
            fontsize=8.5,
            labelcolor=ink.text,
            handlelength=1.8,
            columnspacing=1.0,
        )
        text = io.StringIO()
        about = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=about)
    svg = text.getvalue()
    # Without the document type, whose address a strict reader might try to open.
    return svg[svg.index("<svg") :]


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """From a little below the lowest point to a little above the highest interval."""
    lows = [value for panel in panels for curve in panel.curves for value in curve.low]
    highs = [value for panel in panels for curve in panel.curves for value in curve.high]
    base = [value for panel in panels for value in panel.unpruned]
    low = min((v for v in (*lows, *base) if v == v), default=0.0)
    high = max((v for v in (*highs, *base) if v == v), default=1.0)
    return max(0.0, low - 0.03), min(1.0, high + 0.03)


def _draw(
    axes: Any, panel: Panel, ink: _Ink, limits: tuple[float, float], size: float = SMALL
) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    value, low, high = panel.unpruned
    axes.axhspan(low, high, color=ink.lines, alpha=0.14, linewidth=0)
    axes.axhline(value, color=ink.lines, linewidth=1.0, linestyle="--", label="Unpruned")
    for curve in panel.curves:
        line = curve.style.line(ink.dark)
        axes.fill_between(
            curve.x, curve.low, curve.high, color=line["color"], alpha=0.1, linewidth=0
        )
        axes.plot(curve.x, curve.y, label=curve.name, clip_on=False, **line)
    shares = sorted({x for curve in panel.curves for x in curve.x})
    least, most = shares[0], max(1.0, shares[-1])
    if least < 0.4:
        axes.set_xscale("log")
        axes.set_xlim(least / 1.15, most * 1.08)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(_ticks(least))
    else:
        # Of a narrow range, halves of the whole would be off the panel.
        span = max(most - least, 0.05)
        axes.set_xlim(least - 0.06 * span, most + 0.04 * span)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.3g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.3g} %"))
    axes.set_ylim(*limits)
    axes.set_xlabel(panel.label, fontsize=size + 0.5, labelpad=2, color=ink.text)
    axes.tick_params(labelsize=size, length=2.5, colors=ink.text)
    axes.grid(axis="y", color=ink.lines, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(ink.lines)


def _ticks(least: float) -> list[float]:
    """Halves of the whole down to the least share drawn, six at most; closer if they are two."""
    ticks = [1.0]
    while ticks[-1] / 2 >= least / 1.1:
        ticks.append(ticks[-1] / 2)
    if len(ticks) < 3:
        return [tick for tick in (1.0, 0.7, 0.5, 0.35, 0.25) if tick >= least / 1.1]
    return ticks[:: 1 if len(ticks) <= 6 else 2]
