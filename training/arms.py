"""Ask a model in memory the same questions under several methods, as an evaluation does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from PIL import Image
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.engine import Session, Settings, picture_key
from pruneviz.evaluation.asking import Asker
from pruneviz.evaluation.cases import Case
from pruneviz.evaluation.pictures import Picture
from pruneviz.evaluation.plan import Arm, Task
from pruneviz.evaluation.runner import UNIT
from pruneviz.evaluation.scoring import Truth
from pruneviz.models.core.loading import LoadedModel
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import find_adapter
from training.held_out import Asked

logger = logging.getLogger(__name__)


def right_under(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    arms: Sequence[Arm],
) -> list[list[bool]]:
    """Say which answers are right, word for word.

    Parameters
    ----------
    model, processor
        From :func:`training.evaluate.load`.
    asked : sequence of Asked
        The questions.
    arms : sequence of Arm
        Methods at a budget, or the unpruned run.

    Returns
    -------
    list of list of bool
        Of each question, one value an arm.

    Raises
    ------
    RuntimeError
        Where a method fails.
    """
    # Lets ResPrune find the question's content words, as in the app.
    remember_tokenizer(model, processor.tokenizer)
    session = Session(LoadedModel("trained", model, processor, find_adapter(model)))
    asker = Asker(session, Settings(signals=False))
    ids = tuple(map(str, range(len(arms))))
    tasks = [Task(_case(str(place), one), tuple(arms), ids) for place, one in enumerate(asked)]
    right = [[False] * len(arms) for _ in asked]
    for start in range(0, len(tasks), UNIT):
        for row in chain.from_iterable(asker.ask(tasks[start : start + UNIT])):
            if row["error"]:
                raise RuntimeError(f"{row['method']} at {row['budget']}: {row['error']}")
            place = int(row["item"])
            right[place][int(row["id"])] = row["answer"].strip() == asked[place].question.answer
        logger.info("%d of %d questions", min(start + UNIT, len(tasks)), len(tasks))
    return right


@dataclass(frozen=True)
class _Held(Picture):
    """A picture in memory."""

    image: Image.Image
    label: str = ""

    def read(self) -> Image.Image:
        return self.image

    def digest(self) -> str:
        return picture_key(self.image)


def _case(name: str, one: Asked) -> Case:
    question = one.question
    truth = Truth((question.answer,))
    return Case(name, _Held(one.picture), question.text, truth, question.kind, "exact")
