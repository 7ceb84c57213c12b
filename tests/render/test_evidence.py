"""Accuracy against what is spent, drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import matplotlib.colors as mc
import numpy as np
import pytest

from pruneviz.render import evidence_figure, evidence_svg, save_figure
from pruneviz.render.evidence import Curve, Panel, _ticks
from pruneviz.render.styles import COLOURS, GREY, styles

LOOKS = styles(["A", "A & B", "B"], {"B"})


def curve(name: str, x=(0.1, 0.25, 0.5)) -> Curve:
    y = (0.5, 0.6, 0.7)
    return Curve(name, x, y, tuple(v - 0.1 for v in y), tuple(v + 0.1 for v in y), LOOKS[name])


def panel(*curves: Curve, title: str = "Tokens") -> Panel:
    return Panel(title, "% of all", curves, (0.8, 0.75, 0.85))


def test_figure_has_a_panel_each_and_one_legend(tmp_path) -> None:
    drawn = [panel(curve("A"), curve("B"), title=f"P{n}") for n in range(4)]
    figure = evidence_figure(drawn, ["Title"], "Caption")
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Unpruned", "A", "B"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert (lines["A"].get_color(), lines["A"].get_marker()) == (COLOURS[0][0], "o")
    assert lines["B"].get_color() == LOOKS["B"].colour
    assert lines["B"].get_linestyle() == "--"
    assert tuple(lines["Unpruned"].get_ydata()) == (0.8, 0.8)
    assert np.allclose(lines["A"].get_xdata(), (0.1, 0.25, 0.5))
    for suffix in ("pdf", "png"):
        save_figure(figure, tmp_path / f"figure.{suffix}")
        assert (tmp_path / f"figure.{suffix}").stat().st_size > 1000


def test_nothing_is_cut_off_at_the_edges() -> None:
    """Every text lies on the page, the largest numbers and longest labels too."""
    one = Curve("A", (0.02, 1.0), (0.0, 1.0), (0.0, 0.9), (0.1, 1.0), LOOKS["A"])
    figure = evidence_figure([panel(one), panel(one), panel(one)])
    figure.canvas.draw()
    width, height = figure.bbox.width, figure.bbox.height
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_a_narrow_range_is_drawn_wide() -> None:
    wide, narrow = evidence_figure([panel(curve("A")), panel(curve("A", x=(0.9, 0.92, 0.95)))]).axes
    assert wide.get_xscale() == "log"
    assert narrow.get_xscale() == "linear"
    assert narrow.get_xlim()[0] > 0.85
    assert narrow.get_xlim()[1] > 1.0


def test_svg_for_light_and_dark() -> None:
    both = [evidence_svg(panel(curve("A & B")), dark) for dark in (False, True)]
    for svg, colour in zip(both, (LOOKS["A & B"].colour, LOOKS["A & B"].lighter), strict=True):
        root = ET.fromstring(svg)  # noqa: S314 - our own
        assert root.tag.endswith("svg")
        assert colour in svg.lower()
        assert "A & B" in "".join(root.itertext())
    assert both[0] == evidence_svg(panel(curve("A & B")))


@pytest.mark.parametrize(("dark", "ground"), [(0, "#ffffff"), (1, "#14171c")])
def test_curves_stand_out_from_their_ground(dark, ground) -> None:
    """WCAG's contrast for graphics is 3; the lightest line on white is its worst."""

    def luminance(colour: str) -> float:
        rgb = np.array(mc.to_rgb(colour))
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for colour in (pair[dark] for pair in (*COLOURS, GREY)):
        low, high = sorted((luminance(colour), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        evidence_figure([panel()])


@pytest.mark.parametrize(
    ("least", "wanted"),
    [
        (0.03, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
        (0.25, [1, 0.5, 0.25]),
        (0.38, [1, 0.7, 0.5, 0.35]),
    ],
)
def test_ticks_are_three_at_least(least, wanted) -> None:
    assert _ticks(least) == wanted
