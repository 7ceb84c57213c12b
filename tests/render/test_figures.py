from __future__ import annotations

import io
import subprocess
import sys

from pruneviz.render import comparison_figure


def test_figure_saves_as_pdf_svg_and_png(image, grid, baseline, pruned) -> None:
    figure = comparison_figure(
        image, grid, baseline, pruned, ["Costs $5 & more?", "baseline: yes", "pruned: no"]
    )
    assert len(figure.axes) == 4, "original, two stages, staircase"
    for kind, head in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        data = io.BytesIO()
        figure.savefig(data, format=kind)
        assert data.getvalue().startswith(head)


def test_figure_of_a_run_without_stages(image, grid, baseline) -> None:
    assert len(comparison_figure(image, grid, baseline, baseline).axes) == 2


def test_drawing_needs_no_model_and_no_page() -> None:
    code = (
        "import sys, pruneviz.render.payload as p; "
        "bad = [m for m in ('gradio', 'matplotlib.pyplot') if m in sys.modules]; "
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
