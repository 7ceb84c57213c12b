"""Questions about scenes that training never used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from PIL import Image

from pruneviz.scenes import held_out as scenes
from pruneviz.scenes.questions import KINDS, Question, Say, ask_many
from pruneviz.scenes.render import render
from pruneviz.scenes.saying import say as say_freely
from pruneviz.scenes.scene import SMALL, TEST_SEEDS, Scene, SceneRules, sample_scene
from pruneviz.scenes.vocabulary import CARD, CLASSES
from training.novel import say_novel
from training.openmoji import OPENMOJI
from training.typos import with_typos


@dataclass(frozen=True)
class Asked:
    """A picture and a question about it."""

    picture: Image.Image
    question: Question


@dataclass(frozen=True)
class HeldOut:
    """What a set of held-out questions is made of.

    Attributes
    ----------
    rules : SceneRules
        How its scenes are invented.
    say : callable
        Puts the questions into words.
    typos : float
        Share of the questions with one letter wrong.
    style : str
        Redraws all things in this style; none where empty.
    """

    rules: SceneRules = field(default_factory=SceneRules)
    say: Say = say_freely
    typos: float = 0.0
    style: str = ""


SETS = {
    "scenes": HeldOut(),
    "small": HeldOut(SMALL),
    "novel": HeldOut(say=say_novel),
    "typos": HeldOut(typos=1.0),
    OPENMOJI: HeldOut(style=OPENMOJI),
}


def held_out(count: int, name: str, seed: int = 0, kinds: Sequence[str] = KINDS) -> list[Asked]:
    """Make questions about scenes outside the training seeds.

    Parameters
    ----------
    count : int
        Number of questions; four a picture.
    name : str
        One of :data:`SETS`: ``scenes`` as in training, crowds of ``small`` things, wordings that
        are ``novel``, ``typos``, or ``openmoji``, whose drawings must be at hand.
    seed : int
        Which part of the held-out seeds to use.
    kinds : sequence of str
        Which kinds, all equally often where scenes allow.

    Returns
    -------
    list of Asked
        ``count`` pictures (224 px) with questions.
    """
    made = SETS[name]
    found = scenes.held_out(
        count,
        made.rules,
        seed,
        kinds,
        made.say,
        redraw=lambda scene: redrawn(scene, made.style),
        reword=lambda questions, rng: with_typos(questions, rng, made.typos),
    )
    pictures: dict[int, Image.Image] = {}
    asked = []
    for scene, question in found:
        if scene.seed not in pictures:
            pictures[scene.seed] = render(scene)[0]
        asked.append(Asked(pictures[scene.seed], question))
    return asked


def redrawn(scene: Scene, style: str) -> Scene:
    """Return the scene with all its things in one style; as it is where that is empty."""
    if not style:
        return scene
    items = (i if i.name == CARD else replace(i, style=style) for i in scene.items)
    return replace(scene, items=tuple(items))


def alone(style: str, rounds: int = 3, seed: int = 0) -> list[Asked]:
    """Ask what the only thing in a picture is, of every class equally often.

    Parameters
    ----------
    style : str
        Known to :func:`pruneviz.scenes.art.load_sheet`, of every class.
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
