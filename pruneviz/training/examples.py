"""Make the example pictures, with questions that the shipped model answers rightly."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from random import Random

from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.scenes.questions import KINDS, ask
from pruneviz.scenes.render import compose
from pruneviz.scenes.scene import Item, Scene
from pruneviz.scenes.vocabulary import CARD, PLACES
from pruneviz.training.evaluate import Asked, answer

logger = logging.getLogger(__name__)
QUESTIONS = 5


@dataclass(frozen=True)
class Layout:
    """An example: its size in pixels, background seed, and things by place.

    ``things`` maps a place to ``class`` or, for a card, to ``card text colour``.
    """

    name: str
    width: int
    height: int
    seed: int
    things: dict[str, str]
    size: float = 0.28
    style: str = "fluent"


LAYOUTS = (
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
        x, y = ((v + 0.5) / 3 + rng.uniform(-0.03, 0.03) for v in (column, row))
        name, *card = thing.split()
        if name == CARD:
            text, colour = card
            items.append(Item(CARD, "", x, y, 0.3, index, text=text, colour=colour))
        else:
            items.append(
                Item(name, layout.style, x, y, layout.size, index, tilt=rng.uniform(-6, 6))
            )
    return Scene(tuple(items), layout.seed)


def _right_questions(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, layout: Layout
) -> list[Asked]:
    scene = build_scene(layout)
    picture = compose(scene, layout.width, layout.height)[0]
    chosen: dict[str, Asked] = {}
    for attempt in range(12):
        for kind in KINDS:
            question = ask(scene, kind, Random(attempt))  # noqa: S311 - not a secret
            if question is None or not question.text.endswith(("?", ".")):
                continue
            asked = Asked(picture, question)
            fresh = kind not in chosen or (attempt > 6 and question.text not in chosen)
            if fresh and answer(model, processor, [asked]) == [question.answer]:
                chosen[kind if kind not in chosen else question.text] = asked
        if len(chosen) >= QUESTIONS:
            break
    return list(chosen.values())[:QUESTIONS]


def make_examples(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, folder: Path
) -> None:
    """Write the pictures and ``examples.json``.

    Parameters
    ----------
    model, processor
        The shipped model, from :func:`pruneviz.training.evaluate.load`.
    folder : Path
        Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for layout in LAYOUTS:
        found = _right_questions(model, processor, layout)
        file = f"{layout.name}.png"
        compose(build_scene(layout), layout.width, layout.height)[0].save(folder / file)
        rows.append(
            {
                "image": file,
                "questions": [one.question.text for one in found],
                "answers": [one.question.answer for one in found],
            }
        )
        logger.info("%s: %d questions", file, len(found))
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    (folder / "examples.json").write_text(text, encoding="utf-8")
