"""Make the example pictures, with questions that the shipped model answers rightly."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.methods import get_method
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.pruning import prune
from pruneviz.scenes.questions import KINDS, ask
from pruneviz.scenes.render import compose
from pruneviz.scenes.saying import say_plainly
from pruneviz.scenes.scene import Item, Scene
from pruneviz.scenes.vocabulary import CARD, PLACES
from training.evaluate import Asked, answer

logger = logging.getLogger(__name__)
QUESTIONS, ATTEMPTS = 4, 12
# The keep ratio at which notes compare methods with random.
RATIO = 0.1
# Those that prune before the LLM come first: the patches they keep carry the answer alone.
SHOWN = ("resprune", "fopru", "transprune", "fastv")


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


def _candidates(layout: Layout, kinds: Sequence[str]) -> list[Asked]:
    """Return every question of some kinds that the templates ask of a layout, each text once."""
    scene = build_scene(layout)
    picture = compose(scene, layout.width, layout.height, 0)[0]
    found: dict[str, Asked] = {}
    for attempt in range(ATTEMPTS):
        for kind in kinds:
            question = ask(scene, kind, Random(attempt), say_plainly)  # noqa: S311 - not a secret
            if question is not None:
                found.setdefault(question.text, Asked(picture, question))
    return list(found.values())


def _right(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, asked: Sequence[Asked]
) -> list[bool]:
    said = answer(model, processor, asked)
    return [text == one.question.answer for text, one in zip(said, asked, strict=True)]


@dataclass(frozen=True)
class Tried:
    """A question that the model answers, and the methods whose answer survives pruning."""

    asked: Asked
    keeps: frozenset[str]

    @property
    def best(self) -> list[str]:
        """Methods that keep the answer where random loses it."""
        return [] if "random" in self.keeps else [name for name in SHOWN if name in self.keeps]

    @property
    def worst(self) -> list[str]:
        """Methods that lose the answer where random keeps it."""
        return [name for name in SHOWN if name not in self.keeps] if "random" in self.keeps else []

    def row(self, shown: Counter[str]) -> dict[str, Any]:
        """Return what ``examples.json`` holds of it.

        Of several methods that tell the same, the one `shown` least often so far is named, and
        counted.
        """
        question = self.asked.question
        row: dict[str, Any] = {"text": question.text, "answer": question.answer}
        if told := self.best or self.worst:
            method = min(told, key=lambda name: shown[name])
            shown[method] += 1
            verb = ("keeps", "loses") if self.best else ("loses", "keeps")
            title = METHODS[method].title
            percent = 100 * RATIO
            row |= {
                "method": method,
                "keep_percent": percent,
                "note": f"At {percent:g} % {title} {verb[0]} the answer, Random {verb[1]} it.",
            }
        return row


def _try(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    layout: Layout,
    kinds: Sequence[str],
) -> list[Tried]:
    candidates = _candidates(layout, kinds)
    checked = zip(candidates, _right(model, processor, candidates), strict=True)
    good = [one for one, right in checked if right]
    keeps: list[set[str]] = [set() for _ in good]
    layers = model.config.text_config.num_hidden_layers
    for name in (*SHOWN, "random"):
        with prune(model, get_method(name, num_layers=layers, keep_ratio=RATIO)):
            for index, right in enumerate(_right(model, processor, good) if good else []):
                if right:
                    keeps[index].add(name)
    return [Tried(one, frozenset(names)) for one, names in zip(good, keeps, strict=True)]


def choose(tried: Sequence[Tried]) -> list[Tried]:
    """Choose the questions to show: pruning at its best, at its worst, then other kinds.

    Parameters
    ----------
    tried : sequence of Tried
        All that are answered rightly without pruning.

    Returns
    -------
    list of Tried
        At most ``QUESTIONS``, of as many kinds as possible.
    """
    chosen: list[Tried] = []

    def add(pool: Iterable[Tried]) -> None:
        used = [one.asked.question.kind for one in chosen]
        said = [one.asked.question.answer for one in chosen]
        fresh = [one for one in pool if one not in chosen]
        # Another wording of the same question comes last.
        fresh.sort(
            key=lambda one: (one.asked.question.answer in said, used.count(one.asked.question.kind))
        )
        chosen.extend(fresh[:1])

    add(one for one in tried if one.best)
    add(one for one in tried if one.worst)
    while len(chosen) < min(QUESTIONS, len(tried)):
        add(tried)
    return chosen


def make_examples(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    folder: Path,
    kinds: Sequence[str] = KINDS,
) -> None:
    """Write the pictures and ``examples.json``.

    Parameters
    ----------
    model, processor
        The shipped model, from :func:`training.evaluate.load`.
    folder : Path
        Where to write.
    kinds : sequence of str
        Kinds of questions that may be offered.
    """
    # Lets ResPrune find the question's content words, as in the app.
    remember_tokenizer(model, processor.tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    shown: Counter[str] = Counter()
    for layout in LAYOUTS:
        chosen = choose(_try(model, processor, layout, kinds))
        file = f"{layout.name}.png"
        compose(build_scene(layout), layout.width, layout.height, 0)[0].save(folder / file)
        rows.append({"image": file, "questions": [one.row(shown) for one in chosen]})
        notes = sum("note" in row for row in rows[-1]["questions"])
        logger.info("%s: %d questions, %d with a note", file, len(chosen), notes)
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    (folder / "examples.json").write_text(text, encoding="utf-8")
