"""The example pictures: what lies where in each."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from pruneviz.scenes.scene import Item, Scene
from pruneviz.scenes.vocabulary import CARD, PLACES


@dataclass(frozen=True, eq=False)
class Layout:
    """An example: its size in pixels, background seed, and things by place.

    ``things`` maps a place to ``class`` or, for a card, to ``card text colour``; ``size`` is the
    side of a thing and ``spread`` how far one lies from the middle of its place at most, both as
    shares of the picture's shorter side.
    """

    name: str
    width: int
    height: int
    seed: int
    things: dict[str, str]
    size: float = 0.28
    style: str = "fluent"
    spread: float = 0.03


def _crowd(name: str, seed: int, things: dict[str, str]) -> Layout:
    """A crowd of small things, as in :data:`pruneviz.scenes.scene.SMALL`.

    Its side is three times the model's, so that a patch is 42 whole pixels.
    """
    return Layout(name, 672, 672, seed, things, size=0.1, spread=0.08)


CROWDS = (
    _crowd(
        "bay",
        5,
        {
            "top left": "boat",
            "top right": "umbrella",
            "left": "crab",
            "middle": "turtle",
            "right": "fish",
            "bottom left": "ball",
            "bottom": "octopus",
            "bottom right": "hat",
        },
    ),
    _crowd(
        "garden",
        40,
        {
            "top left": "butterfly",
            "top": "tree",
            "left": "tulip",
            "middle": "chair",
            "right": "sunflower",
            "bottom": "frog",
            "bottom right": "hammer",
        },
    ),
    _crowd(
        "fair",
        11,
        {
            "top left": "kite",
            "top": "balloon",
            "top right": "rocket",
            "left": "doughnut",
            "middle": "train",
            "right": "teddy",
            "bottom left": "drum",
            "bottom": "shirt",
            "bottom right": "horse",
        },
    ),
)
LAYOUTS = (
    *CROWDS,
    Layout("farm", 640, 448, 13, {"top left": "chick", "right": "tractor", "bottom left": "horse"}),
    Layout(
        "picnic",
        640,
        480,
        2,
        {"left": "hamburger", "top": "watermelon", "right": "lemon", "bottom": "cookie"},
    ),
    Layout("cat", 512, 512, 5, {"middle": "cat"}, size=0.5),
    Layout(
        "street",
        640,
        448,
        8,
        {"top left": "helicopter", "left": "car", "right": "card stop red", "bottom": "bicycle"},
        style="noto",
    ),
    Layout(
        "zoo",
        480,
        640,
        3,
        {
            "top left": "lion",
            "top right": "elephant",
            "middle": "panda",
            "bottom left": "frog",
            "bottom right": "frog",
        },
    ),
    Layout(
        "desk",
        576,
        448,
        21,
        {"top left": "clock", "top right": "book", "left": "key", "bottom right": "card 7 yellow"},
    ),
)


def build_scene(layout: Layout) -> Scene:
    """Return the scene of a layout, with small irregularities that its seed decides."""
    rng = Random(layout.seed)  # noqa: S311 - pictures, not secrets
    items = []
    for place, thing in layout.things.items():
        index = PLACES.index(place)
        row, column = divmod(index, 3)
        x, y = ((v + 0.5) / 3 + rng.uniform(-layout.spread, layout.spread) for v in (column, row))
        name, *card = thing.split()
        if name == CARD:
            text, colour = card
            items.append(Item(CARD, "", x, y, 0.3, index, text=text, colour=colour))
        else:
            items.append(
                Item(name, layout.style, x, y, layout.size, index, tilt=rng.uniform(-6, 6))
            )
    return Scene(tuple(items), layout.seed)
