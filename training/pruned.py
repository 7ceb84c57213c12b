"""Accuracy of the shipped model under every pruning method, on the same questions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from PIL import Image
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.engine import Budget, Session, Settings, picture_key
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.plan import Task, arms_of
from pruneviz.evaluation.runner import UNIT
from pruneviz.evaluation.scoring import Truth, exact
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import find_adapter
from training.evaluate import Asked, Score

logger = logging.getLogger(__name__)
COMPARED = tuple(name for name, method in METHODS.items() if method.card.compared)
RATIOS = (1.0, 0.5, 0.25, 0.125, 0.0625)


def accuracy_under_pruning(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    methods: Sequence[str] = COMPARED,
    ratios: Sequence[float] = RATIOS,
    batch: int = 32,
) -> list[dict[str, Any]]:
    """Ask the same questions at every keep ratio of every method.

    Parameters
    ----------
    model, processor
        From :func:`training.evaluate.load`.
    asked : sequence of Asked
        The questions.
    methods : sequence of str
        Registry names, with their published defaults scaled to the model's depth.
    ratios : sequence of float
        Final keep ratios.
    batch : int
        Questions answered at once.

    Returns
    -------
    list of dict
        ``method``, ``keep_ratio``, ``right``, ``total`` of each combination.
    """
    # Lets ResPrune find the question's content words, as in the app.
    remember_tokenizer(model, processor.tokenizer)
    session = Session(LoadedModel("trained", model, processor, find_adapter(model)))
    budgets = [Budget(ratio) for ratio in ratios]
    arms = tuple(arms_of(methods, budgets, controls=False, seeds=1)[1:])
    ids = tuple(map(str, range(len(arms))))
    tasks = [Task(_case(one), arms, ids) for one in asked]
    asker = Asker(session, Settings(signals=False), batch)
    right = dict.fromkeys(ids, 0)
    for start in range(0, len(tasks), UNIT):
        part = tasks[start : start + UNIT]
        for row in chain.from_iterable(asker.ask(part)):
            if row["error"]:
                raise RuntimeError(f"{row['method']} at {row['budget']}: {row['error']}")
            right[row["id"]] += exact(row["answer"], Truth(tuple(row["expected"])))
        logger.info("%d of %d questions", start + len(part), len(tasks))
    rows = []
    for arm, count in zip(arms, right.values(), strict=True):
        share = arm.described()["budget"]
        logger.info("%s at %g %%: %s", arm.method, 100 * share, Score(count, len(asked)))
        rows.append(
            {"method": arm.method, "keep_ratio": share, "right": count, "total": len(asked)}
        )
    return rows


@dataclass(frozen=True)
class _Held(Picture):
    """A picture in memory."""

    image: Image.Image
    label: str = ""

    def read(self) -> Image.Image:
        return self.image

    def digest(self) -> str:
        return picture_key(self.image)


def _case(one: Asked) -> Case:
    question = one.question
    truth = Truth((question.answer,))
    return Case("", _Held(one.picture), question.text, truth, question.kind, "exact")
