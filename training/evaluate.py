"""Measure a saved model's accuracy on scenes that training never used."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoProcessor, BatchFeature, LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.evaluation.intervals import wilson
from training.held_out import Asked

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Score:
    """Right answers out of all, with Wilson's 95 % interval."""

    right: float
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the 95 % interval of the accuracy."""
        return wilson(self.right, self.total)

    def __str__(self) -> str:
        low, high = self.interval
        share = self.right / self.total
        return f"{100 * share:5.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {self.total}"


def load(folder: Path, device: str = "cpu") -> tuple[LlavaForConditionalGeneration, ProcessorMixin]:
    """Load a model folder with stock classes, in float32."""
    model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval().to(device), AutoProcessor.from_pretrained(folder)


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
