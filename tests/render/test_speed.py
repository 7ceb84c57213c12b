"""The figure of measured times."""

from __future__ import annotations

import pytest

from pruneviz.render import SpeedLine, save_figure, speed_figure

LINES = [
    SpeedLine("TransPrune 12.5 %", 1.2, 1.3, 1.5, 0.5, 0.94),
    SpeedLine("FoPru <b>$x$</b>", 0.9, 0.95, 1.0, 0.26, 0.93),
    SpeedLine("Random 12.5 %", 0.2, 0.3, 0.4, 0.26),
]


def test_every_line_has_its_bar_and_its_marks() -> None:
    figure = speed_figure([("Batch 1", LINES), ("Batch 8", LINES[:1])], ["A title"], "A caption.")
    first, second = figure.axes
    assert [bar.get_width() for bar in first.patches] == [1.3, 0.95, 0.3]
    assert [label.get_text() for label in first.get_yticklabels()] == [line.name for line in LINES]
    assert [bar.get_width() for bar in second.patches] == [1.3]
    marks = {group.get_label(): group.get_offsets()[:, 0].tolist() for group in first.collections}
    assert marks["FLOPs"] == [0.5, 0.26, 0.26]
    assert marks["ideal time"] == [0.94, 0.93]
    assert first.get_xlim()[1] > 1.5, "the whisker is inside"
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        "time (median, quartiles)",
        "FLOPs",
        "ideal time",
        "unpruned",
    }


def test_no_text_leaves_the_figure_or_covers_other_text() -> None:
    figure = speed_figure([("Batch 1", LINES), ("Batch 8", LINES)], ["word " * 60], "word " * 90)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    for axes in figure.axes:
        texts += [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_it_is_written_by_its_suffix(tmp_path, suffix) -> None:
    path = tmp_path / f"speed.{suffix}"
    save_figure(speed_figure([("Batch 1", LINES)]), path)
    begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert path.read_bytes().startswith(begins[suffix])


def test_nothing_measured_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no method was measured"):
        speed_figure([("Batch 1", [])])
