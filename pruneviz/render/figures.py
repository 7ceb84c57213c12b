"""Figures for papers: masks per stage, the staircase of visual tokens, a caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.flow import flow_of
from pruneviz.render.labels import stage_title
from pruneviz.render.merged import merged_overlay
from pruneviz.render.overlay import mask_overlay
from pruneviz.render.paper import DPI, SHOT, WIDTH, fitted
from pruneviz.render.pins import NAMES, pin_mark, pins_legend
from pruneviz.render.sheet import MARGIN, SMALL, Sheet, name_panel, place
from pruneviz.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE, PRUNED = "#6b7280", "#b4431f"
GAP, NAME = 0.12, 0.2
"""Inches: between panels, and for the name above each."""
AFTER = 0.08
"""Inches after a block of text."""
STAIRS, AXIS = 1.5, 0.42
"""Inches: height of the staircase, and of the numbers below it."""
KEY = 0.2
"""Inches: height of the line that says what the marks of pins mean."""
ACROSS = 4
NUMBERS = 0.5
"""Inches: for the staircase's numbers at its left."""
LEAST = 0.09
"""Share of all visual tokens below which a step is too low for its number."""
ENTRY = 0.15
"""Inches: height of a line of the staircase's legend."""


def comparison_figure(
    image: Image.Image,
    grid: PatchGrid,
    baseline: Trace,
    pruned: Trace,
    title: Sequence[str] = (),
    caption: str = "",
    label: str = "",
) -> Figure:
    """Draw the image, what is left after every stage with its pins, and visual tokens per layer.

    Of methods that merge, also which patches went into one token.

    Parameters
    ----------
    image : PIL.Image.Image
        The original.
    grid : PatchGrid
        Where each token lies.
    baseline, pruned : Trace
        Both runs.
    title : sequence of str
        Above the figure, such as the question and both answers; each is wrapped to at most
        three lines and then cut off.
    caption : str
        Below the figure, at most eight lines.
    label : str
        Name of the pruned run; default: the method's.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text of a two-column page. Write it with :func:`save_figure`.
    """
    shots = _shots(image, grid, pruned)
    sheet = Sheet.of(title, caption)
    # One picture beside the staircase looks better than below it.
    beside = len(shots) <= 2
    across = 3 if beside else min(ACROSS, len(shots))
    rows = -(-len(shots) // across)
    wide = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
    high = wide * min(max(image.height / image.width, 0.4), 1.6)
    above = sheet.above + (AFTER if sheet.head else 0.0)
    middle = rows * (high + NAME) + (0.0 if beside else STAIRS + 0.12) + AXIS
    kinds = pins_legend(pruned)
    below = above + middle
    middle += KEY if kinds else 0.0
    with sheet.drawn(above + middle, AFTER if sheet.foot else 0.0) as figure:
        for number, (name, shot) in enumerate(shots):
            row, column = divmod(number, across)
            x, y = MARGIN + column * (wide + GAP), above + row * (high + NAME)
            axes = place(figure, x, y + NAME, wide, high)
            axes.imshow(shot, interpolation="antialiased")
            axes.set_axis_off()
            name_panel(figure, x, y, name)
        _place_stairs(figure, baseline, pruned, label, above, rows, wide, high, beside)
        _key(figure, kinds, below)
    return figure


def _shots(image: Image.Image, grid: PatchGrid, pruned: Trace) -> list[tuple[str, Image.Image]]:
    small, cells = fitted(image, grid, SHOT)
    shots = [("Original", small)]
    for number, stage in enumerate(pruned.stages):
        left = len(stage.kept) + stage.extra
        name = f"{stage_title(stage.layer)}: {left} of {pruned.num_visual}"
        shots.append((name, mask_overlay(small, cells, pruned, number)))
    if pruned.has_groups:
        for part in cells.parts:
            name = f"Merged groups: {part.title}" if part.title else "Merged groups"
            shots.append((name, merged_overlay(small, part, pruned)))
    return shots


def _place_stairs(
    figure: Figure,
    baseline: Trace,
    pruned: Trace,
    label: str,
    above: float,
    rows: int,
    wide: float,
    high: float,
    beside: bool,
) -> None:
    if beside:
        x = MARGIN + 2 * (wide + GAP)
        lead, columns = 2 * ENTRY, 1
        axes = place(figure, x + NUMBERS, above + NAME + lead, wide - NUMBERS, high - lead)
    else:
        y = above + rows * (high + NAME) + 0.12
        lead, columns = ENTRY, 2
        axes = place(
            figure, MARGIN + NUMBERS, y + lead, WIDTH - 2 * MARGIN - NUMBERS, STAIRS - lead
        )
    _staircase(axes, baseline, pruned, label or pruned.method, columns)


def _key(figure: Figure, kinds: list[str], y: float) -> None:
    """What the marks of pins mean, in one line."""
    x, side = MARGIN, 0.13
    for kind in kinds:
        axes = place(figure, x, y, side, side)
        axes.imshow(pin_mark(kind, round(side * DPI / 2)))
        axes.set_axis_off()
        name_panel(figure, x + side + 0.05, y - 0.01, f"patch {NAMES[kind]}", fontsize=SMALL)
        x += 1.4


def _staircase(axes: Any, baseline: Trace, pruned: Trace, label: str, columns: int) -> None:
    for trace, name, colour, line in (
        (baseline, "Baseline", BASELINE, "--"),
        (pruned, label, PRUNED, "-"),
    ):
        counts = trace.tokens_per_layer
        edges = [layer + 0.5 for layer in range(len(counts) + 1)]
        text = f"{name}: mean {trace.layer_average:.0f}"
        axes.stairs(
            counts, edges, label=text, color=colour, linewidth=1.6, baseline=None, linestyle=line
        )
    _falls(axes, pruned)
    axes.set_xlabel("Decoder layer", fontsize=SMALL + 0.5, labelpad=2)
    axes.set_ylabel("Visual tokens", fontsize=SMALL + 0.5, labelpad=3)
    axes.tick_params(labelsize=SMALL, length=2.5)
    axes.set_ylim(0, max(baseline.num_visual, 1) * 1.08)
    axes.set_xlim(0.5, len(baseline.tokens_per_layer) + 0.5)
    # Above the axes, where no line can run through it, and from the figure's or panel's edge on.
    left = -NUMBERS / (axes.get_position().width * WIDTH)
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (left, 1), "borderaxespad": 0.2}
    axes.legend(
        frameon=False, fontsize=SMALL, handlelength=1.6, borderpad=0, ncols=columns, **above
    )
    axes.spines[["top", "right"]].set_visible(False)


def _falls(axes: Any, pruned: Trace) -> None:
    """Write beside each step how many tokens leave there, in the room that the stairs leave."""
    flow = flow_of(pruned)
    top = 0.0
    for kind in flow.kinds:
        low, top = top, top + len(kind.tokens)
        if kind.layer is None or top - low < LEAST * max(pruned.num_visual, 1):
            continue
        verb = " merged" if kind.end == "merged" else ""
        text = f"\N{MINUS SIGN}{len(kind.tokens)}{verb}"
        at = (kind.layer + 0.5, max(flow.extra, default=0) + (low + top) / 2)
        axes.annotate(text, at, (3, 0), textcoords="offset points", fontsize=SMALL, va="center")
