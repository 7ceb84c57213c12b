"""Figures for papers: masks per stage and the staircase of visual tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from pruneviz.geometry import PatchGrid
from pruneviz.render.labels import stage_title
from pruneviz.render.overlay import mask_overlay
from pruneviz.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE, PRUNED = "#6b7280", "#b4431f"
PANEL = 2.7
"""Side of one picture in inches."""


def comparison_figure(
    image: Image.Image,
    grid: PatchGrid,
    baseline: Trace,
    pruned: Trace,
    title: Sequence[str] = (),
) -> Figure:
    """Draw the image, what is left after every stage, and visual tokens per layer.

    Parameters
    ----------
    image : PIL.Image.Image
        The original.
    grid : PatchGrid
        Where each token lies.
    baseline, pruned : Trace
        Both runs.
    title : sequence of str
        Lines above the figure, such as the question and both answers.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``savefig`` as PDF (text stays text), SVG or PNG.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    shots = [("Original", image.convert("RGB"))]
    for number, stage in enumerate(pruned.stages):
        name = f"{stage_title(stage.layer)}: {len(stage.kept)} of {pruned.num_visual}"
        shots.append((name, mask_overlay(image, grid, pruned, number)))
    aspect = min(max(image.height / image.width, 0.4), 1.6)
    head = 0.24 * len(title) + 0.15
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none", "font.size": 9}):
        size = (max(PANEL * len(shots), 6.0), PANEL * aspect + 2.6 + head)
        engine = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - head / size[1]))
        figure = Figure(figsize=size, layout=engine)
        for number, line in enumerate(title):
            y = 1 - (0.12 + 0.24 * number) / size[1]
            figure.text(0.01, y, line, va="top", ha="left", wrap=True, parse_math=False)
        grids = figure.add_gridspec(2, len(shots), height_ratios=(PANEL * aspect, 2.3))
        for number, (name, shot) in enumerate(shots):
            axes = figure.add_subplot(grids[0, number])
            axes.imshow(shot, interpolation="nearest")
            axes.set_title(name, fontsize=9)
            axes.set_axis_off()
        _staircase(figure.add_subplot(grids[1, :]), baseline, pruned)
    return figure


def _staircase(axes: Any, baseline: Trace, pruned: Trace) -> None:
    for trace, name, colour in (
        (baseline, "baseline", BASELINE),
        (pruned, pruned.method, PRUNED),
    ):
        counts = trace.tokens_per_layer
        edges = [layer + 0.5 for layer in range(len(counts) + 1)]
        label = f"{name}: {trace.layer_average:.0f} on average"
        axes.stairs(counts, edges, label=label, color=colour, linewidth=2, baseline=None)
    axes.set_xlabel("Decoder layer")
    axes.set_ylabel("Visual tokens")
    axes.set_ylim(0, max(baseline.num_visual, 1) * 1.08)
    axes.set_xlim(0.5, len(baseline.tokens_per_layer) + 0.5)
    axes.legend(frameon=False, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
