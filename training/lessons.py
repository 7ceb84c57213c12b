"""What a step learns from, made by processes beside the one that trains."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pruneviz.scenes.questions import KINDS, Question, ask_many
from pruneviz.scenes.scene import Scene, SceneRules, sample_scene
from training.labels import label_patches, owners_from_boxes
from training.packing import Packed, pack
from training.pictures import draw_batch, stack_labels
from training.settings import Settings
from training.stopping import ignore_interrupts
from training.typos import with_typos

# What stays for the process that trains and for the system.
_SPARE = 3


@dataclass(frozen=True)
class Lesson:
    """The data of one step, on the CPU.

    Attributes
    ----------
    labels : dict of str to Tensor
        Patch labels, shape (batch, 256); see :func:`training.pictures.stack_labels`.
    seed : int
        Seed of the first scene; chance that belongs to the step begins with it.
    values : Tensor, uint8, shape (batch, 3, side, side)
        The pictures; of no size where none are drawn.
    packed : Packed
        The questions; none where none are asked.
    kinds : Tensor, int64, shape (batch, questions)
        Index of each question's kind in :data:`pruneviz.scenes.questions.KINDS`.
    """

    labels: dict[str, Tensor]
    seed: int
    values: Tensor
    packed: Packed
    kinds: Tensor


@dataclass(frozen=True)
class Plan:
    """Which scenes a step shows and what it asks of them.

    Attributes
    ----------
    first : int
        Seed of the first step's first scene.
    batch, stride : int
        Scenes a step, and seeds from one step to the next.
    rules : SceneRules
        How scenes are invented.
    questions : int
        Questions a scene; 0 where none are asked.
    kinds : mapping of str to float
        Relative frequency of each kind.
    side : int
        Side of the drawn pictures in pixels; 0 where boxes are enough.
    typos : float
        Share of the questions with one letter wrong.
    """

    first: int
    batch: int
    stride: int
    rules: SceneRules
    questions: int
    kinds: Mapping[str, float]
    side: int = 0
    typos: float = 0.0


class Lessons(Dataset[Lesson]):
    """The lesson of every step: it follows from the step alone."""

    def plan(self, step: int) -> Plan:
        """Return what a step shows and asks."""
        raise NotImplementedError

    def __getitem__(self, step: int) -> Lesson:
        """Make the lesson of a step."""
        plan = self.plan(step)
        begin = plan.first + step * plan.stride
        scenes = [sample_scene(begin + i, plan.rules) for i in range(plan.batch)]
        if plan.side:
            values, labels = draw_batch(scenes, plan.side)
        else:
            values, labels = torch.empty(len(scenes), 0), symbolic_labels(scenes)
        rng = Random(begin)  # noqa: S311 - questions, not secrets
        asked = [
            with_typos(ask_many(scene, plan.questions, rng, plan.kinds), rng, plan.typos)
            for scene in scenes
        ]
        return Lesson(labels, begin, values, pack(asked), kind_indices(asked))


@dataclass(frozen=True)
class Alike(Lessons):
    """Lessons that all follow one plan."""

    one: Plan

    def plan(self, step: int) -> Plan:
        """Return the plan."""
        return self.one


def symbolic_labels(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Return patch labels estimated from boxes, without drawing."""
    return stack_labels([label_patches(s, owners_from_boxes(s)) for s in scenes])


def kind_indices(asked: Sequence[Sequence[Question]]) -> Tensor:
    """Return the index of each question's kind, int64 of shape (batch, questions)."""
    return torch.tensor([[KINDS.index(question.kind) for question in row] for row in asked])


def workers(settings: Settings) -> int:
    """Return how many processes make lessons: as set, or as the machine's cores allow."""
    if settings.workers is not None:
        return settings.workers
    return max(0, (os.cpu_count() or 1) - _SPARE)


def stream(lessons: Lessons, first: int, settings: Settings) -> Iterator[Lesson]:
    """Yield the lessons from a step on, in order, without end.

    Parameters
    ----------
    lessons : Lessons
        What to make.
    first : int
        First step.
    settings : Settings
        How many processes make them; with none they are made here.
    """
    count = workers(settings)
    return iter(
        DataLoader(
            lessons,
            batch_size=None,
            sampler=itertools.count(first),
            num_workers=count,
            prefetch_factor=2 if count else None,
            worker_init_fn=ignore_interrupts,
        )
    )
