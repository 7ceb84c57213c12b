"""Fidelity of several methods over budgets, for papers, with what chance alone gives as a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruneviz.render.paper import WIDTH
from pruneviz.render.sheet import INK, MARGIN, SMALL, Sheet, legend_above, place
from pruneviz.render.styles import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIGH, AXIS, NUMBERS, GAP, ENTRY = 2.6, 0.45, 0.55, 0.3, 0.16
"""Inches: height of a panel, of the numbers below it, beside the first, between panels, and of a
line of the legend."""
NAMES = 5
"""Methods in a line of the legend."""
AXES = (("kept", "Patches left at the end (%)"), ("average", "Layer average (%)"))
BAND = "#6b7280"


@dataclass(frozen=True)
class Line:
    """One method.

    Attributes
    ----------
    name : str
        For the legend.
    kept, average : tuple of float
        Visual tokens left at the end and averaged over layers, in percent, by rising `kept`.
    logprob : tuple of float
        Of the baseline's answer, nats per token.
    break_at : float or None
        In percent of the tokens left: ringed.
    style : Style
        Colour, mark and line of the method.
    """

    name: str
    kept: tuple[float, ...]
    average: tuple[float, ...]
    logprob: tuple[float, ...]
    break_at: float | None
    style: Style


@dataclass(frozen=True)
class Spread:
    """What random draws span.

    Attributes
    ----------
    kept : tuple of float
        In percent, rising: of all layers alike.
    low, middle, high : tuple of float
        Nats per token.
    draws : int
        How many there are at each budget.
    """

    kept: tuple[float, ...]
    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]
    draws: int


def sweep_figure(
    lines: Sequence[Line],
    baseline: float,
    chance: Spread | None = None,
    title: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Draw the log-probability of the baseline's answer against both ways to say a budget.

    Parameters
    ----------
    lines : sequence of Line
        In the order of the legend.
    baseline : float
        The baseline's own log-probability, a dashed line.
    chance : Spread, optional
        A grey band with its median.
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
    drawn = [line for line in lines if line.kept]
    if not drawn:
        raise ValueError("There is nothing to draw: nothing was run.")
    sheet = Sheet.of(title, caption)
    entries = -(-(len(drawn) + 2) // NAMES)
    top = sheet.above + 0.08 + entries * ENTRY + 0.08
    wide = (WIDTH - 2 * MARGIN - NUMBERS - GAP) / 2
    with sheet.drawn(top + HIGH + AXIS) as figure:
        for number, (field, label) in enumerate(AXES):
            x = MARGIN + NUMBERS + number * (wide + GAP)
            axes = place(figure, x, top, wide, HIGH)
            _draw(axes, drawn, field, baseline, chance)
            axes.set_xlabel(label, fontsize=SMALL + 0.5, labelpad=2)
            if number:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel(
                    "Log-probability of the baseline's answer", fontsize=SMALL, labelpad=3
                )
                legend_above(figure, axes, top - entries * ENTRY - 0.08, NAMES)
    return figure


def _draw(
    axes: Any, lines: Sequence[Line], field: str, baseline: float, chance: Spread | None
) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    if chance is not None:
        name = f"{chance.draws} random draws"
        axes.fill_between(
            chance.kept, chance.low, chance.high, color=BAND, alpha=0.2, linewidth=0, label=name
        )
        axes.plot(chance.kept, chance.middle, color=BAND, linewidth=0.9, linestyle=":")
    axes.axhline(baseline, color=INK, linewidth=0.9, linestyle="--", label="Baseline")
    for line in lines:
        x = getattr(line, field)
        axes.plot(x, line.logprob, label=line.name, **line.style.line())
        for at, kept in enumerate(line.kept):
            if kept == line.break_at:
                ring = {"markersize": 8, "markerfacecolor": "none", "linestyle": ""}
                axes.plot(x[at], line.logprob[at], marker="o", color=line.style.colour, **ring)
    least = min(min(getattr(line, field)) for line in lines)
    axes.set_xscale("log")
    axes.set_xlim(least / 1.2, 112)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([tick for tick in (0.5, 1, 2, 5, 10, 25, 50, 100) if tick >= least / 1.1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.tick_params(labelsize=SMALL, length=2.5)
    axes.grid(axis="y", color=BAND, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
