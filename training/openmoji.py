"""OpenMoji's drawings, a style that never trains and never ships: evaluation alone reads them."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from pruneviz.scenes.art import add_sheet
from pruneviz.scenes.vocabulary import CLASSES
from training.pack_art import fill_cell, open_picture

OPENMOJI = "openmoji"
HOW_TO_GET = (
    "also ask about drawings in a style never seen, OpenMoji (CC BY-SA 4.0: it must neither train "
    "nor ship), and three times what each class is: the folder package that `npm pack openmoji && "
    "tar xzf openmoji-*.tgz` makes; needs `pip install resvg-py`"
)
_SIDE = 144
# What classes are called there, where not by their own name.
_ANNOTATIONS = {
    "cat": "cat face",
    "dog": "dog face",
    "pig": "pig face",
    "fish": "tropical fish",
    "horse": "horse face",
    "chick": "front-facing baby chick",
    "apple": "red apple",
    "cherry": "cherries",
    "cake": "birthday cake",
    "cheese": "cheese wedge",
    "egg": "cooking",
    "car": "automobile",
    "train": "locomotive",
    "boat": "sailboat",
    "piano": "musical keyboard",
    "tree": "deciduous tree",
    "hat": "top hat",
    "shirt": "t-shirt",
    "shoe": "running shoe",
    "sock": "socks",
    "ball": "soccer ball",
    "teddy": "teddy bear",
    "umbrella": "umbrella with rain drops",
    "clock": "alarm clock",
    "book": "closed book",
}


def add_openmoji(package: Path) -> None:
    """Let scenes show OpenMoji's drawings, as the style :data:`OPENMOJI`.

    Parameters
    ----------
    package : Path
        The unpacked npm package, or another folder with ``data/openmoji.json`` and drawings
        in ``color/svg`` or ``color/72x72``.

    Raises
    ------
    FileNotFoundError
        If the folder is not such a one.
    """
    listed = json.loads((package / "data" / "openmoji.json").read_text(encoding="utf-8"))
    codes = {entry["annotation"]: entry["hexcode"] for entry in listed}
    names = (_ANNOTATIONS.get(entry.name, entry.name) for entry in CLASSES)
    add_sheet(OPENMOJI, [_open(package / "color", codes[name]) for name in names])


def _open(folder: Path, code: str) -> Image.Image:
    drawn = folder / "72x72" / f"{code}.png"
    path = drawn if drawn.is_file() else folder / "svg" / f"{code}.svg"
    return fill_cell(open_picture(path, _SIDE), _SIDE)
