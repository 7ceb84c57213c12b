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

from pruneviz.engine import Budget
from pruneviz.evaluation.plan import SEEDED, SEEDS, UNPRUNED, arms_of
from pruneviz.methods.registry import METHODS
from pruneviz.scenes.questions import KINDS, ask
from pruneviz.scenes.render import compose
from pruneviz.scenes.saying import say_plainly
from training.arms import right_under
from training.held_out import Asked
from training.layouts import CROWDS, LAYOUTS, Layout, build_scene

logger = logging.getLogger(__name__)
QUESTIONS, ATTEMPTS = 4, 12
# The keep ratio at which notes compare methods with random, and with which the page opens: where
# which patches stay decides what the model can still answer.
RATIO = 0.0625
# All of these keep the answer to the question that the page opens with; it shows the first.
OPENING = ("transprune", "resprune", "fopru")
# Those that prune before the LLM come first: the patches they keep carry the answer alone.
SHOWN = ("resprune", "fopru", "transprune", "fastv")


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


@dataclass(frozen=True)
class Tried:
    """A question that the model answers unpruned, and what is left of that at ``RATIO``.

    Attributes
    ----------
    asked : Asked
        Picture, question and true answer.
    keeps : frozenset of str
        Names, of ``SHOWN``, under which the answer stays the same.
    random : tuple of bool
        Whether it does under each of random's draws, in the order of their seeds: the first is
        what the page runs.
    """

    asked: Asked
    keeps: frozenset[str]
    random: tuple[bool, ...]

    @property
    def best(self) -> list[str]:
        """Methods that keep the answer where random loses it, in nine draws of ten or more.

        None where the answer is that something is not there: nothing shows what was kept for it.
        """
        denied = {"no", "nothing."} & set(self.asked.question.answer.split())
        lost = not self.random[0] and self.random.count(False) >= 0.9 * len(self.random)
        return [name for name in SHOWN if name in self.keeps] if lost and not denied else []

    @property
    def worst(self) -> list[str]:
        """Methods that lose the answer where random keeps it, in most of its draws."""
        kept = self.random[0] and self.random.count(True) > 0.5 * len(self.random)
        return [name for name in SHOWN if name not in self.keeps] if kept else []

    @property
    def opens(self) -> bool:
        """Whether the page may open with it.

        Not with yes or no, which is right by chance every other time.
        """
        return set(OPENING) <= set(self.best) and self.asked.question.kind != "exists"

    @property
    def note(self) -> str:
        """What the page says of it; empty where there is nothing to say."""
        told, draws = self.best or self.worst, len(self.random)
        if not told:
            return ""
        *others, last = (METHODS[name].title for name in sorted(told, key=list(METHODS).index))
        titles = f"{', '.join(others)} and {last}" if others else last
        do, other = ("keep", "loses") if self.best else ("lose", "keeps")
        verb = do if others else f"{do}s"
        count = self.random.count(not self.best)
        return (
            f"At {100 * RATIO:g} % {titles} {verb} the answer; "
            f"Random {other} it in {count} of {draws} draws."
        )

    def row(self, shown: Counter[str], opening: bool = False) -> dict[str, Any]:
        """Return what ``examples.json`` holds of it.

        Of several methods that tell the same, the one `shown` least often so far is the one that
        the page runs, and counted; for the page's `opening` it is the first of ``OPENING``.
        """
        question = self.asked.question
        row: dict[str, Any] = {"text": question.text, "answer": question.answer}
        if told := self.best or self.worst:
            method = OPENING[0] if opening else min(told, key=lambda name: shown[name])
            shown[method] += 1
            row |= {"method": method, "keep_percent": 100 * RATIO, "note": self.note}
        return row


def try_all(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, asked: Sequence[Asked]
) -> list[Tried]:
    """Ask questions unpruned and under the methods that notes speak of, at ``RATIO``.

    Parameters
    ----------
    model, processor
        From :func:`training.evaluate.load`.
    asked : sequence of Asked
        The questions with their true answers.

    Returns
    -------
    list of Tried
        Those that are answered rightly unpruned, in the same order.
    """
    arms = arms_of([*SHOWN, SEEDED], [Budget(RATIO)], controls=False, seeds=SEEDS)
    found = []
    for one, right in zip(asked, right_under(model, processor, asked, arms), strict=True):
        kept = {arm.method: kept for arm, kept in zip(arms, right, strict=True)}
        draws = [kept for arm, kept in zip(arms, right, strict=True) if arm.method == SEEDED]
        if kept[UNPRUNED]:
            names = frozenset(name for name in SHOWN if kept[name])
            found.append(Tried(one, names, tuple(draws)))
    return found


def choose(tried: Sequence[Tried], turns: Counter[str]) -> list[Tried]:
    """Choose the questions to show: pruning at its best, at its worst, then other kinds.

    Parameters
    ----------
    tried : sequence of Tried
        All that are answered rightly without pruning.
    turns : Counter of str
        How often each kind was shown so far, with other pictures; counted on.

    Returns
    -------
    list of Tried
        At most ``QUESTIONS``, of as many kinds as possible; first one that may open the page, if
        there is one: of those, one that random loses most often.
    """
    chosen: list[Tried] = []

    def add(pool: Iterable[Tried]) -> None:
        kinds = [one.asked.question.kind for one in chosen]
        said = [one.asked.question.answer for one in chosen]

        def seen(one: Tried) -> tuple[bool, int, int]:
            kind = one.asked.question.kind
            # Another wording of the same question comes last.
            return one.asked.question.answer in said, kinds.count(kind), turns[kind]

        if fresh := [one for one in pool if one not in chosen]:
            chosen.append(min(fresh, key=seen))
            turns[chosen[-1].asked.question.kind] += 1

    best = [one for one in tried if one.opens] or [one for one in tried if one.best]
    least = min((one.random.count(True) for one in best), default=0)
    add(one for one in best if one.random.count(True) == least)
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

    The crowd whose first question random loses most often comes first: the page opens with it.

    Parameters
    ----------
    model, processor
        The shipped model, from :func:`training.evaluate.load`.
    folder : Path
        Where to write.
    kinds : sequence of str
        Kinds of questions that may be offered.

    Raises
    ------
    ValueError
        If no crowd has a question with which the page may open.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen, turns = {}, Counter[str]()
    for layout in LAYOUTS:
        chosen[layout] = choose(try_all(model, processor, _candidates(layout, kinds)), turns)
        picture = compose(build_scene(layout), layout.width, layout.height, 0)[0]
        picture.save(folder / f"{layout.name}.png")
        notes = sum(bool(one.note) for one in chosen[layout])
        logger.info("%s: %d questions, %d with a note", layout.name, len(chosen[layout]), notes)
    opening = [layout for layout in CROWDS if chosen[layout] and chosen[layout][0].opens]
    if not opening:
        raise ValueError("No crowd has a question that the methods keep and random loses.")
    first = min(opening, key=lambda layout: chosen[layout][0].random.count(True))
    rows, shown = [], Counter[str]()
    for layout in sorted(LAYOUTS, key=lambda layout: layout is not first):
        asked = [
            one.row(shown, opening=layout is first and index == 0)
            for index, one in enumerate(chosen[layout])
        ]
        rows.append({"image": f"{layout.name}.png", "questions": asked})
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    (folder / "examples.json").write_text(text, encoding="utf-8")
