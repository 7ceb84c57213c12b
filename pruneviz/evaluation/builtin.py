"""Built-in questions: composed scenes whose truth and kind are known, in any number."""

from __future__ import annotations

from dataclasses import dataclass

from pruneviz.errors import InputError
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.pictures import ScenePicture
from pruneviz.evaluation.scoring import Truth
from pruneviz.scenes.held_out import MAX_SEED, held_out
from pruneviz.scenes.scene import SMALL, SceneRules

MAX_SCENES = 100_000


@dataclass(frozen=True)
class SceneSet:
    """A set of scenes.

    Attributes
    ----------
    title : str
        What it is called.
    rules : SceneRules
        How scenes are drawn.
    """

    title: str
    rules: SceneRules


SETS = {
    "scenes": SceneSet("Composed scenes", SceneRules()),
    "small": SceneSet("Small and crowded scenes", SMALL),
}
"""By the names that ``NAME:N[:SEED]`` takes."""


def scene_cases(name: str, count: int, seed: int = 0, chosen: SceneSet | None = None) -> list[Case]:
    """Questions about composed scenes; each has one right answer, word for word.

    Parameters
    ----------
    name : str
        One of ``SETS``; what the pictures are called.
    count : int
        Number of questions, four a picture, at most ``MAX_SCENES``.
    seed : int
        Other seeds give other scenes; none was used in training.
    chosen : SceneSet, optional
        Rules of one's own in place of the named set's.

    Raises
    ------
    InputError
        On an unknown set, or a count or seed out of range.
    """
    if chosen is None and name not in SETS:
        raise InputError(f"Unknown set {name!r}. Sets: {', '.join(SETS)}.")
    if not 1 <= count <= MAX_SCENES:
        raise InputError(f"The number of questions must be from 1 to {MAX_SCENES}, not {count}.")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"The seed of scenes must be from 0 to {MAX_SEED}, not {seed}.")
    used = chosen or SETS[name]
    asked = held_out(count, used.rules, seed)
    return [
        Case(
            name=str(number),
            picture=ScenePicture(scene, f"{name}-{scene.seed}"),
            question=question.text,
            truth=Truth((question.answer,)),
            kind=question.kind,
            rule="exact",
        )
        for number, (scene, question) in enumerate(asked, 1)
    ]
