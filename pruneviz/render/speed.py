"""Time beside arithmetic: what each method takes, what its FLOPs promise, what is in reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruneviz.render.figures import BASELINE, PRUNED
from pruneviz.render.paper import WIDTH
from pruneviz.render.sheet import INK, MARGIN, SMALL, Sheet, legend_above, name_panel, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE, HEAD, AXIS, KEY = 0.21, 0.24, 0.42, 0.24
"""Inches: height of a method's line, of a panel's name, of the numbers below, of the legend."""
NAMES = 1.75
"""Inches for the methods' names."""
WIDE = WIDTH - 2 * MARGIN - NAMES - 0.12
"""Inches for the bars; the last number below may reach a little beyond them."""
FLOPS, IDEAL = "#1d4ed8", INK


@dataclass(frozen=True)
class SpeedLine:
    """One method's ratios, pruned over unpruned.

    Attributes
    ----------
    name : str
        Method and budget.
    low, middle, high : float
        Quartiles and median of the time.
    flops : float
        Of the true FLOPs.
    ideal : float or None
        Of plain forwards of the same lengths.
    """

    name: str
    low: float
    middle: float
    high: float
    flops: float
    ideal: float | None = None


def speed_figure(
    panels: Sequence[tuple[str, Sequence[SpeedLine]]],
    title: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Draw a bar for every method's time, with marks for its FLOPs and for the ideal.

    Parameters
    ----------
    panels : sequence of tuple
        One below the other: name and lines, such as those of a batch size.
    title : sequence of str
        Above the figure.
    caption : str
        Below it.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text of a two-column page. Write it with
        :func:`pruneviz.render.save_figure`.

    Raises
    ------
    ValueError
        If there is no line to draw.
    """
    drawn = [(name, lines) for name, lines in panels if lines]
    if not drawn:
        raise ValueError("There is nothing to draw: no method was measured.")
    sheet = Sheet.of(title, caption)
    top = sheet.above + 0.06 + KEY
    heights = [LINE * len(lines) + 0.1 for _, lines in drawn]
    middle = sum(heights) + len(drawn) * (HEAD + AXIS)
    right = max([1.0, *(line.high for _, lines in drawn for line in lines)]) * 1.06
    with sheet.drawn(top + middle) as figure:
        y = top
        for number, ((name, lines), high) in enumerate(zip(drawn, heights, strict=True)):
            name_panel(figure, MARGIN, y, name)
            axes = place(figure, MARGIN + NAMES, y + HEAD, WIDE, high)
            _panel(axes, lines, right)
            if number == 0:
                legend_above(figure, axes, top - KEY, 4, handlelength=1.4, labelspacing=None)
            y += HEAD + high + AXIS
    return figure


def _panel(axes: Any, lines: Sequence[SpeedLine], right: float) -> None:
    places = range(len(lines))
    below = [line.middle - line.low for line in lines]
    above = [line.high - line.middle for line in lines]
    axes.barh(
        places,
        [line.middle for line in lines],
        height=0.6,
        color=PRUNED,
        alpha=0.8,
        label="time (median, quartiles)",
        xerr=[below, above],
        error_kw={"ecolor": INK, "elinewidth": 0.9, "capsize": 2},
    )
    axes.scatter(
        [line.flops for line in lines],
        places,
        marker="D",
        s=15,
        color=FLOPS,
        edgecolors="white",
        linewidths=0.6,
        label="FLOPs",
        zorder=4,
    )
    ideals = [(line.ideal, i) for i, line in enumerate(lines) if line.ideal is not None]
    if ideals:
        x, at = zip(*ideals, strict=True)
        axes.scatter(x, at, marker="|", s=95, color="white", linewidths=3.4, zorder=3)
        axes.scatter(
            x, at, marker="|", s=80, color=IDEAL, linewidths=1.6, label="ideal time", zorder=3.5
        )
    axes.axvline(1.0, color=BASELINE, linewidth=1.1, linestyle="--", label="unpruned", zorder=1)
    axes.set_yticks(list(places), [line.name for line in lines], fontsize=SMALL, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, right)
    axes.set_xlabel("Prefill, pruned over unpruned", fontsize=SMALL + 0.5, labelpad=2)
    axes.tick_params(labelsize=SMALL, length=2.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
