"""Measure a saved model's accuracy on scenes that training never used."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch
from PIL import Image
from transformers import AutoProcessor, BatchFeature, LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.scenes.questions import KINDS, Question, ask_many
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import TEST_SEEDS, Scene, SceneRules, sample_scene
from pruneviz.scenes.vocabulary import CARD, CLASSES

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A picture and a question about it."""

    picture: Image.Image
    question: Question


@dataclass(frozen=True)
class Score:
    """Right answers out of all, with Wilson's 95 % interval."""

    right: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval of the accuracy."""
        n, p, z = self.total, self.right / self.total, 1.96
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        return middle - half, middle + half

    def __str__(self) -> str:
        low, high = self.interval
        share = self.right / self.total
        return f"{100 * share:5.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {self.total}"


def load(folder: Path, device: str = "cpu") -> tuple[LlavaForConditionalGeneration, ProcessorMixin]:
    """Load a model folder with stock classes, in float32."""
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval().to(device), AutoProcessor.from_pretrained(folder)


def held_out(count: int, styles: str, seed: int = 0, kinds: Sequence[str] = KINDS) -> list[Asked]:
    """Make questions about scenes outside the training seeds.

    Parameters
    ----------
    count : int
        Number of questions; four a picture.
    styles : str
        ``seen`` or ``held_out``; see :class:`pruneviz.scenes.scene.SceneRules`.
    seed : int
        Which part of the held-out seeds to use.
    kinds : sequence of str
        Which kinds, all equally often where scenes allow.

    Returns
    -------
    list of Asked
        ``count`` pictures (224 px) with questions.
    """
    rules = SceneRules(styles=styles)
    return _ask(count, lambda scene_seed: sample_scene(scene_seed, rules), seed, kinds)


def redrawn(count: int, style: str, seed: int = 0, kinds: Sequence[str] = KINDS) -> list[Asked]:
    """Make questions about scenes outside the training seeds, all things drawn in one style.

    Parameters
    ----------
    style : str
        Known to :func:`pruneviz.scenes.art.load_sheet`, of every class.
    count, seed, kinds
        See :func:`held_out`.

    Returns
    -------
    list of Asked
        As of :func:`held_out`.
    """

    def sample(scene_seed: int) -> Scene:
        scene = sample_scene(scene_seed, SceneRules())
        items = (i if i.name == CARD else replace(i, style=style) for i in scene.items)
        return replace(scene, items=tuple(items))

    return _ask(count, sample, seed, kinds)


def alone(style: str, rounds: int = 3, seed: int = 0) -> list[Asked]:
    """Ask what the only thing in a picture is, of every class equally often.

    Parameters
    ----------
    style : str
        See :func:`redrawn`.
    rounds : int
        Pictures of each class.
    seed : int
        See :func:`held_out`.

    Returns
    -------
    list of Asked
        ``rounds`` questions of the kind ``what`` about each class.
    """
    asked = []
    first = TEST_SEEDS[0] + seed * 100_000
    for index in range(rounds * len(CLASSES)):
        scene = sample_scene(first + index, SceneRules(crowds=(1.0,), card=0.0))
        item = replace(scene.items[0], name=CLASSES[index % len(CLASSES)].name, style=style)
        scene = replace(scene, items=(item,))
        rng = Random(first + index)  # noqa: S311 - questions, not secrets
        asked += [Asked(render(scene)[0], q) for q in ask_many(scene, 1, rng, {"what": 1.0})]
    return asked


def _ask(
    count: int, sample: Callable[[int], Scene], seed: int, kinds: Sequence[str]
) -> list[Asked]:
    asked: list[Asked] = []
    scene_seed = TEST_SEEDS[0] + seed * 100_000
    while len(asked) < count:
        scene = sample(scene_seed)
        rng = Random(scene_seed)  # noqa: S311 - questions, not secrets
        picture = render(scene)[0]
        questions = ask_many(scene, 4, rng, dict.fromkeys(kinds, 1.0)) if scene.items else []
        asked += [Asked(picture, question) for question in questions]
        scene_seed += 1
    return asked[:count]


def prepare(processor: ProcessorMixin, asked: Sequence[Asked]) -> BatchFeature:
    """Make the model's inputs of one batch of questions, padded on the left."""
    prompts = [
        processor.apply_chat_template(
            [
                {
                    "role": "user",
                    "content": [{"type": "image"}, {"type": "text", "text": one.question.text}],
                }
            ],
            add_generation_prompt=True,
        )
        for one in asked
    ]
    pictures = [one.picture for one in asked]
    return processor(images=pictures, text=prompts, padding=True, return_tensors="pt")


@torch.inference_mode()
def answer(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, asked: Iterable[Asked]
) -> list[str]:
    """Answer questions by greedy generation.

    Parameters
    ----------
    model, processor
        From :func:`load`.
    asked : iterable of Asked
        One batch.

    Returns
    -------
    list of str
        The decoded answers.
    """
    inputs = prepare(processor, list(asked))
    out = model.generate(**inputs.to(model.device))
    texts = processor.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in texts]


def evaluate(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    batch: int = 32,
) -> dict[str, Score]:
    """Score answers: right means equal to the true answer, word for word.

    Parameters
    ----------
    model, processor
        From :func:`load`.
    asked : sequence of Asked
        The questions.
    batch : int
        Questions answered at once.

    Returns
    -------
    dict of str to Score
        One for every kind, and ``all``.
    """
    found: dict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        for one, said in zip(part, answer(model, processor, part), strict=True):
            right = said == one.question.answer
            found[one.question.kind].append(right)
            found["all"].append(right)
            if not right:
                logger.debug("%s | %s | %s", one.question.text, said, one.question.answer)
    return {kind: Score(sum(v), len(v)) for kind, v in sorted(found.items())}
