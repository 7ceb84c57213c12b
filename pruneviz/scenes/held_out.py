"""Questions about scenes that training never used, by number and seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from pruneviz.scenes.questions import KINDS, Question, Say, ask_many
from pruneviz.scenes.saying import say as say_freely
from pruneviz.scenes.scene import TEST_SEEDS, Scene, SceneRules, sample_scene

A_PICTURE = 4
"""Questions asked of each picture."""
APART = 100_000
"""Scenes that belong to a seed."""
MAX_SEED = (TEST_SEEDS[1] - TEST_SEEDS[0]) // APART - 1


def held_out(
    count: int,
    rules: SceneRules,
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
    say: Say = say_freely,
    *,
    redraw: Callable[[Scene], Scene] | None = None,
    reword: Callable[[list[Question], Random], list[Question]] | None = None,
) -> Iterator[tuple[Scene, Question]]:
    """Make questions about scenes outside the training seeds.

    Parameters
    ----------
    count : int
        Number of questions; four a picture.
    rules : SceneRules
        How scenes are invented.
    seed : int
        Which part of the held-out seeds to use, from 0 to ``MAX_SEED``.
    kinds : sequence of str
        Which kinds, all equally often where scenes allow.
    say : callable
        Puts the questions into words.
    redraw : callable, optional
        Changes a scene before it is asked about.
    reword : callable, optional
        Changes a scene's questions, with the scene's own source of chance.

    Yields
    ------
    scene : Scene
        Of its seed and the rules alone.
    question : Question
        With its one right answer.
    """
    scene_seed, left = TEST_SEEDS[0] + seed * APART, count
    while left > 0:
        scene = sample_scene(scene_seed, rules)
        scene = redraw(scene) if redraw else scene
        rng = Random(scene_seed)  # noqa: S311 - questions, not secrets
        asked = ask_many(scene, A_PICTURE, rng, dict.fromkeys(kinds, 1.0), say)
        asked = reword(asked, rng) if reword else asked
        for question in asked[:left]:
            yield scene, question
        left -= len(asked)
        scene_seed += 1
