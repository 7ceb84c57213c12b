"""Drawings that are not the project's own: named by their folder, found by their own names."""

import json

import numpy as np
import pytest
from PIL import Image

from pruneviz.scenes.art import add_sheet, load_sheet
from pruneviz.scenes.vocabulary import CLASSES
from training.held_out import alone, held_out
from training.openmoji import _ANNOTATIONS, OPENMOJI, add_openmoji, strangers


@pytest.fixture
def package(tmp_path):
    """A folder such as OpenMoji's, each drawing of one shade."""
    (tmp_path / "data").mkdir()
    (tmp_path / "color" / "72x72").mkdir(parents=True)
    names = [_ANNOTATIONS.get(entry.name, entry.name) for entry in CLASSES]
    listed = [{"annotation": n, "hexcode": f"{i:X}"} for i, n in enumerate(names)]
    # Theirs are in another order.
    others = [
        {"annotation": "giraffe", "hexcode": "FFF", "group": "animals-nature"},
        {"annotation": "black cat", "hexcode": "FFE", "group": "animals-nature"},
        {"annotation": "grinning face", "hexcode": "FFD", "group": "smileys-emotion"},
    ]
    listed = [{**entry, "group": "objects"} for entry in listed]
    text = json.dumps([*others, *reversed(listed)])
    (tmp_path / "data" / "openmoji.json").write_text(text, encoding="utf-8")
    for index in range(len(CLASSES)):
        drawn = Image.new("RGBA", (72, 72), (0, 0, 0, 0))
        drawn.paste((200, 3 * index, 10, 255), (20, 10, 60, 50))
        drawn.save(tmp_path / "color" / "72x72" / f"{index:X}.png")
    giraffe = Image.new("RGBA", (72, 72), (0, 255, 0, 255))
    giraffe.save(tmp_path / "color" / "72x72" / "FFF.png")
    return tmp_path


def test_every_class_has_its_own_drawing(package) -> None:
    add_openmoji(package)
    for index, cell in enumerate(load_sheet(OPENMOJI)):
        assert cell.getpixel((cell.width // 2, cell.height // 2)) == (200, 3 * index, 10, 255)
        assert cell.getchannel("A").getbbox() == (0, 0, *cell.size), "without margins"


def test_scenes_are_drawn_and_asked_about_in_that_style(package) -> None:
    add_openmoji(package)
    asked = alone(OPENMOJI, rounds=2)
    assert [one.question.kind for one in asked] == ["what"] * 2 * len(CLASSES)
    for entry, one in zip(CLASSES, asked, strict=False):
        assert one.question.answer.split()[-1] == f"{entry.name}."
    kinds = {one.question.kind for one in held_out(60, OPENMOJI)}
    assert {"where", "exists", "count"} <= kinds
    first, again = held_out(1, OPENMOJI)[0], held_out(1, "scenes")[0]
    assert first.question == again.question
    assert not np.array_equal(first.picture, again.picture)


def test_things_of_no_class_are_shown_alone(package) -> None:
    shown = list(strangers(package))
    # Neither another cat, nor a face.
    assert len(shown) == 1
    green = np.abs(np.asarray(shown[0]).astype(int) - (0, 255, 0)).max(-1) < 90
    assert 0.03 < green.mean() < 0.3


def test_a_sheet_is_of_all_classes_and_takes_no_name_of_ours() -> None:
    cells = [Image.new("RGBA", (8, 8))] * len(CLASSES)
    with pytest.raises(ValueError, match="of the project's own"):
        add_sheet("noto", cells)
    with pytest.raises(ValueError, match=f"3 pictures for {len(CLASSES)} classes"):
        add_sheet("other", cells[:3])
    with pytest.raises(ValueError, match="unknown style 'other'"):
        load_sheet("other")
