"""Figures of several methods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pruneviz.render import Line, SidePanel, Spread, side_by_side_figure, styles, sweep_figure

LOOKS = styles(["a", "b", "random"], {"random"})


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_method_has_its_picture_name_and_lines(image, grid, pruned, baseline) -> None:
    into = np.full(24, 5)
    stage = replace(pruned.stages[0], layer=0, kept=np.array([5]), into=into)
    merged = replace(pruned, stages=(stage,))
    panels = [
        SidePanel("A", pruned, ("= a cat", "64 left"), LOOKS["a"]),
        SidePanel("B", merged, ("≠ a dog", "x" * 200), LOOKS["b"]),
    ]
    figure = side_by_side_figure(image, grid, panels, ["Question: ?"], "Caption")
    shots = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    assert len(shots) == 2
    assert (np.asarray(shots[0]) != np.asarray(shots[1])).any()
    assert {"A", "B", "= a cat", "64 left", "Question: ?", "Caption"} <= set(texts(figure))
    assert any(text.endswith("…") for text in texts(figure))
    marks = [axes.get_lines()[0] for axes in figure.axes if axes.get_lines()]
    assert [mark.get_marker() for mark in marks] == [LOOKS["a"].mark, LOOKS["b"].mark]
    with pytest.raises(ValueError, match="nothing to draw"):
        side_by_side_figure(image, grid, [])


def test_curves_band_and_rings() -> None:
    lines = [
        Line("A", (5.0, 100.0), (40.0, 100.0), (-0.4, -0.1), 5.0, LOOKS["a"]),
        Line("Random", (5.0, 100.0), (5.0, 100.0), (-0.9, -0.1), None, LOOKS["random"]),
        Line("None", (), (), (), None, LOOKS["b"]),
    ]
    chance = Spread((5.0, 100.0), (-1.5, -0.1), (-1.0, -0.1), (-0.8, -0.1), 10)
    figure = sweep_figure(lines, -0.1, chance, ["Q"], "Caption")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["10 random draws", "Baseline", "A", "Random"]
    left, right = figure.axes
    drawn = [{line.get_label(): line for line in axes.get_lines()} for axes in (left, right)]
    assert tuple(drawn[0]["A"].get_xdata()) == (5.0, 100.0)
    assert tuple(drawn[1]["A"].get_xdata()) == (40.0, 100.0)
    rings = [line for line in left.get_lines() if line.get_markerfacecolor() == "none"]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [(5.0, -0.4)]
    assert len(left.collections) == 1
    with pytest.raises(ValueError, match="nothing was run"):
        sweep_figure(lines[2:], -0.1)
