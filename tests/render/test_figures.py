from __future__ import annotations

import dataclasses
import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pruneviz.render import comparison_figure, fitted, layer_figure, save_figure
from pruneviz.render.paper import wrapped


def test_figure_saves_as_pdf_svg_and_png(image, grid, baseline, pruned) -> None:
    figure = comparison_figure(
        image, grid, baseline, pruned, ["Costs $5 & more?", "baseline: yes", "pruned: no"]
    )
    assert len(figure.axes) == 4, "original, two stages, staircase"
    for kind, head in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        data = io.BytesIO()
        figure.savefig(data, format=kind)
        assert data.getvalue().startswith(head)


def test_the_stairs_say_how_many_leave_where_there_is_room(image, grid, baseline, pruned) -> None:
    *_, stairs = comparison_figure(image, grid, baseline, pruned).axes
    found = {text.get_text(): text.xy for text in stairs.texts}
    assert found == {"\N{MINUS SIGN}13": (3.5, 11.5), "\N{MINUS SIGN}6": (1.5, 21.0)}
    last = dataclasses.replace(pruned.stages[1], kept=pruned.stages[1].alive[1:])
    *_, low = comparison_figure(
        image, grid, baseline, dataclasses.replace(pruned, stages=(pruned.stages[0], last))
    ).axes
    assert [text.get_text() for text in low.texts] == ["\N{MINUS SIGN}6"]


def test_figure_of_a_run_without_stages(image, grid, baseline) -> None:
    assert len(comparison_figure(image, grid, baseline, baseline).axes) == 2


def text_boxes(figure) -> list:
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [text.get_window_extent(renderer) for text in figure.texts if text.get_text()]


@pytest.mark.parametrize("text", ["word " * 300, "x" * 900, "$5 \\frac{", "two\nlines\x00", ""])
def test_no_text_leaves_the_figure_or_covers_other_text(
    image, grid, baseline, pruned, text
) -> None:
    figure = comparison_figure(image, grid, baseline, pruned, [f"Question: {text}", text], text)
    boxes = text_boxes(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for box in boxes:
        assert box.x0 >= -0.5
        assert box.x1 <= width
        assert box.y0 >= -0.5
        assert box.y1 <= height + 0.5
    panels = [axes.get_window_extent() for axes in figure.axes]
    for box in boxes:
        assert not any(box.overlaps(panel) for panel in panels)
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            shared = min(box.y1, other.y1) - max(box.y0, other.y0)
            beside = box.x1 <= other.x0 or other.x1 <= box.x0
            assert beside or shared < 0.35 * min(box.height, other.height)


def test_wrapping_keeps_what_fits_and_marks_what_does_not() -> None:
    assert wrapped("a short line", 3) == ["a short line"]
    lines = wrapped("many words " * 60, 2, most=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert "".join(wrapped("y" * 60, 2, most=9)) == "y" * 60


def test_pdf_has_text_in_embedded_true_type_fonts(image, grid, baseline, pruned, tmp_path) -> None:
    path = tmp_path / "figure.pdf"
    save_figure(comparison_figure(image, grid, baseline, pruned, ["Question"]), path)
    assert b"/Type0" in path.read_bytes(), "font type 42"


def test_layer_figure_shares_each_signals_scale(grid, baseline, pruned, tmp_path) -> None:
    figure = layer_figure(baseline, pruned, grid, "Question", "TransPrune")
    assert len(figure.axes) == 9, "two runs and a colour bar for each of three signals"
    words = [text.get_text() for text in figure.texts]
    both = np.concatenate([baseline.signals["iga"], pruned.signals["iga"]])
    assert f"{np.nanmax(both):.3g}" in words
    save_figure(figure, tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_layer_figure_without_signals(grid, baseline, pruned) -> None:
    baseline.signals.clear()
    with pytest.raises(ValueError, match="recorded in both runs"):
        layer_figure(baseline, pruned, grid)


@pytest.mark.parametrize("longest", [70, 280])
def test_fitted_scales_image_and_grid_alike(image, grid, longest) -> None:
    small, cells = fitted(image, grid, longest)
    factor = longest / 140
    assert small.size == cells.image_size == (longest, round(80 * factor))
    np.testing.assert_allclose(cells.boxes, grid.boxes * factor, rtol=1e-5)
    assert cells.seen == pytest.approx([v * factor for v in grid.seen])


def test_drawing_needs_no_model_and_no_page() -> None:
    code = (
        "import sys, pruneviz.render.payload as p; "
        "bad = [m for m in ('gradio', 'matplotlib.pyplot') if m in sys.modules]; "
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_layers_of_an_image_seen_twice_show_both_grids(baseline, pruned, grid) -> None:
    plain = layer_figure(baseline, pruned, grid)
    whole = dataclasses.replace(grid, title="whole image")
    twice = layer_figure(
        baseline, pruned, dataclasses.replace(grid, title="tiles", others=(whole,))
    )
    said = [text.get_text() for text in twice.texts]
    names = [text for text in said if text.startswith("Baseline")]
    signals = len(names) // 2
    assert names == ["Baseline, tiles", "Baseline, whole image"] * signals
    assert len(twice.axes) == len(plain.axes) + 2 * signals
    assert twice.get_figheight() > plain.get_figheight()
