"""Visual tokens in every layer of both runs, as a small SVG that follows the theme."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 440, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 14, 40


def staircase_svg(baseline: Sequence[int], pruned: Sequence[int], name: str) -> str:
    """Draw both staircases.

    Parameters
    ----------
    baseline, pruned : sequence of int
        Visual tokens seen by each decoder layer.
    name : str
        The pruned run's name.
    """
    layers, top = max(len(baseline), 1), max([*baseline, 1])
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(layer: float) -> float:
        return LEFT + wide * layer / layers

    def y(value: float) -> float:
        return TOP + high * (1 - value / top)

    def path(counts: Sequence[int]) -> str:
        points = [
            f"{x(i + step):.1f},{y(value):.1f}" for i, value in enumerate(counts) for step in (0, 1)
        ]
        return "M" + " L".join(points) if points else ""

    area = f"{path(pruned)} L{x(len(pruned)):.1f},{y(0):.1f} L{x(0):.1f},{y(0):.1f} Z"
    every = max(1, -(-layers // 12))
    marks = [1, *[n for n in range(2, layers + 1) if n % every == 0]]
    ticks = "".join(
        f'<text x="{x(layer - 0.5):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">'
        f"{layer}</text>"
        for layer in marks
    )
    lines = "".join(
        f'<line class="pv-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>'
        for v in (0, top // 2, top)
    )
    drops = ", ".join(map(str, pruned))
    return (
        f'<svg class="pv-stairs" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Visual tokens per layer: baseline {top} in every layer; '
        f'{escape(name)} {drops}.">{lines}{ticks}'
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 6}" text-anchor="middle">Decoder layer</text>'
        f'<path class="pv-area" d="{area}"/><path class="pv-base" d="{path(baseline)}"/>'
        f'<path class="pv-cutline" d="{path(pruned)}"/></svg>'
        f'<p class="pv-stairkeys"><span class="pv-key"><span class="pv-swatch pv-basekey"></span>'
        f'Baseline</span><span class="pv-key"><span class="pv-swatch pv-prunekey"></span>'
        f"{escape(name)}</span></p>"
    )
