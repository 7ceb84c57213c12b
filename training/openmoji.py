"""OpenMoji's drawings, a style that never trains and never ships: evaluation alone reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from pruneviz.scenes.art import add_sheet
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import TEST_SEEDS, SceneRules, sample_scene
from pruneviz.scenes.vocabulary import CLASSES
from training.pack_art import fill_cell, open_picture

OPENMOJI = "openmoji"
LISTED = Path("data", "openmoji.json")
HOW_TO_GET = (
    "also ask about drawings in a style never seen, OpenMoji (CC BY-SA 4.0: it must neither train "
    "nor ship), and three times what each class is: the folder package that `npm pack openmoji && "
    "tar xzf openmoji-*.tgz` makes; needs `pip install resvg-py`"
)
STRANGERS_SEED = TEST_SEEDS[0] + 70_000_000
_SIDE = 144
_THINGS = ("animals-nature", "food-drink", "travel-places", "objects", "activities")
# Other names of what some class shows: a coach is a bus, a tiger's face much like a lion's.
_NAMESAKES = frozenset(
    "taxi minibus trolleybus railway metro tram monorail locomotive ship ferry canoe notebook "
    "notebooks ledger newspaper watch timer stopwatch hourglass clothes kimono coat boot sandal "
    "cap helmet pick axe palm evergreen blossom bouquet hibiscus lotus clef keyboard volleyball "
    "basketball baseball tennis softball rugby polo vehicle scooter motorcycle oclock clock boar "
    "chicken hatching tangerine pancakes shortcake cupcake bagel baguette sun moon".split()
)
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
    listed = json.loads((package / LISTED).read_text(encoding="utf-8"))
    codes = {entry["annotation"]: entry["hexcode"] for entry in listed}
    names = (_ANNOTATIONS.get(entry.name, entry.name) for entry in CLASSES)
    add_sheet(OPENMOJI, [_open(package / "color", codes[name]) for name in names])


def _open(folder: Path, code: str) -> Image.Image:
    drawn = folder / "72x72" / f"{code}.png"
    path = drawn if drawn.is_file() else folder / "svg" / f"{code}.svg"
    return fill_cell(open_picture(path, _SIDE), _SIDE)


def strangers(package: Path) -> Iterator[Image.Image]:
    """Yield scenes of one thing of no class each, in OpenMoji's style.

    Parameters
    ----------
    package : Path
        See :func:`add_openmoji`.

    Yields
    ------
    PIL.Image.Image
        224 px.
    """
    codes = _strange_codes(package)
    # As many at once as there are classes: each lends its place in the sheet.
    for start in range(0, len(codes), len(CLASSES)):
        some = codes[start : start + len(CLASSES)]
        cells = [_open(package / "color", code) for code in some]
        style = f"strangers {start}"
        add_sheet(style, cells + cells[:1] * (len(CLASSES) - len(cells)))
        for index in range(len(some)):
            scene = sample_scene(
                STRANGERS_SEED + start + index, SceneRules(crowds=(1.0,), card=0.0)
            )
            item = replace(scene.items[0], name=CLASSES[index].name, style=style)
            yield render(replace(scene, items=(item,)))[0]


def _strange_codes(package: Path) -> list[str]:
    """Codes of the drawings of things, and of no class's, nor anything called by its name."""
    listed = json.loads((package / LISTED).read_text(encoding="utf-8"))
    ours = {word for c in CLASSES for word in (c.name, c.plural, *c.synonyms)} | _NAMESAKES
    codes = {entry.emoji.upper() for entry in CLASSES}
    return [
        entry["hexcode"]
        for entry in listed
        if entry["group"] in _THINGS
        and not ours & set(re.findall("[a-z]+", entry["annotation"].lower()))
        and entry["hexcode"] not in codes
        and entry["annotation"] not in _ANNOTATIONS.values()
        and "-200D-" not in entry["hexcode"]
    ]
