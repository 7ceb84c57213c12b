"""Accuracy of the shipped model under pruning methods, on the same questions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.evaluation.intervals import mcnemar, merged_p
from pruneviz.evaluation.plan import SEEDED
from pruneviz.methods import Method, get_method
from pruneviz.methods.base import Needs, Scores, Stage, StageContext
from pruneviz.methods.registry import METHODS
from pruneviz.methods.transprune import TransPrune
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import find_adapter
from pruneviz.pruning import prune
from training.evaluate import Score, prepare
from training.held_out import Asked

logger = logging.getLogger(__name__)
RATIOS = (0.125, 0.0625)
BASE = SEEDED
"""What every method is compared with, question by question, in some draws."""
SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class RandomScores(TransPrune):
    """TransPrune's schedule with scores by chance: what its scores are worth beside its layers."""

    @classmethod
    def of(cls, method: Method) -> RandomScores:
        """The control of a TransPrune, with its schedule."""
        return cls(**{field.name: getattr(method, field.name) for field in fields(TransPrune)})

    @property
    def needs(self) -> Needs:
        """Nothing: no signal decides."""
        return Needs()

    @property
    def batched(self) -> bool:
        """All rows have the same scores."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Numbers by chance, other ones at every layer."""
        shape, chance = context.alive.shape, torch.Generator().manual_seed(stage.layer)
        drawn = torch.rand(shape[-1], generator=chance)
        return Scores(drawn.to(context.device).expand(shape))


def _methods(name: str, ratio: float, layers: int) -> list[Method]:
    base, _, part = name.partition(":")
    common: dict[str, Any] = {"num_layers": layers, "keep_ratio": ratio}
    if part == "random":
        return [RandomScores.of(get_method(base, **common))]
    if base == BASE:
        return [get_method(base, **common, seed=seed) for seed in range(SEEDS)]
    return [get_method(base, **common | ({"signal": part} if part else {}))]


ABLATIONS = ("transprune:ttv", "transprune:iga", "transprune:random")
CONTENDERS = (*METHODS, *ABLATIONS)
"""All methods, and TransPrune by one of its signals or with scores by chance at its layers."""
COMPARED = (
    *(name for name, method in METHODS.items() if method.card.compared),
    *("divprune", "cdpruner"),
    *ABLATIONS,
)


def accuracy_under_pruning(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    contenders: Sequence[str] = COMPARED,
    ratios: Sequence[float] = RATIOS,
    positions: str | None = None,
    batch: int = 100,
) -> list[dict[str, Any]]:
    """Ask the same questions at every keep ratio of every method.

    Parameters
    ----------
    model, processor
        From :func:`training.evaluate.load`.
    asked : sequence of Asked
        The questions.
    contenders : sequence of str
        Of :data:`CONTENDERS`, with their published defaults scaled to the model's depth.
    ratios : sequence of float
        Final keep ratios.
    positions : {"renumber", "keep"}, optional
        Of the kept tokens; by default as each method was published.
    batch : int
        Questions answered at once.

    Returns
    -------
    list of dict
        ``method``, ``keep_ratio``, ``positions``, ``right`` (the mean over its draws of
        ``random``) and ``total`` of each combination, and where ``random`` is asked too ``p``:
        of McNemar's exact tests against its draws, merged. The first row is ``unpruned``.
    """
    # Lets ResPrune find the question's content words, as in the app.
    remember_tokenizer(model, processor.tokenizer)
    layers = model.config.text_config.num_hidden_layers
    tried: dict[tuple[str, float], list[Method]] = {("unpruned", 1.0): []}
    tried |= {(n, ratio): _methods(n, ratio, layers) for n in contenders for ratio in ratios}
    right: dict[tuple[str, float], list[list[bool]]] = {
        key: [[] for _ in methods or (None,)] for key, methods in tried.items()
    }
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        once = _encode(model, processor, part)
        for key, methods in tried.items():
            for method, answers in zip(methods or (None,), right[key], strict=True):
                said = _answer(model, processor, once, method, positions)
                answers += [s == one.question.answer for s, one in zip(said, part, strict=True)]
        logger.info("%d of %d questions", start + len(part), len(asked))
    return [_row(key, right, positions) for key in right]


@dataclass(frozen=True)
class _Encoded:
    """A batch whose pictures are encoded once for all methods."""

    embedded: dict[str, torch.Tensor]
    ids: torch.Tensor
    visual: torch.Tensor
    vision: EncoderRecord


@torch.inference_mode()
def _encode(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, asked: Sequence[Asked]
) -> _Encoded:
    inputs = prepare(processor, asked).to(model.device)
    adapter, records = find_adapter(model), list[EncoderRecord]()
    watching = adapter.watch_vision(model, records.append)
    try:
        embedded = adapter.embed(model, inputs)
    finally:
        watching.remove()
    ids = inputs["input_ids"]
    return _Encoded(embedded, ids, adapter.visual_mask(model, ids), records[0])


@torch.inference_mode()
def _answer(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    once: _Encoded,
    method: Method | None,
    positions: str | None,
) -> list[str]:
    given: dict[str, Any] = {"input_ids": once.ids, "vision": once.vision, "positions": positions}
    block: AbstractContextManager[Any] = (
        prune(model, method, once.visual, **given) if method else nullcontext()
    )
    with block:
        out = model.generate(**once.embedded)
    return [text.strip() for text in processor.batch_decode(out, skip_special_tokens=True)]


def _row(
    key: tuple[str, float], right: dict[tuple[str, float], list[list[bool]]], positions: str | None
) -> dict[str, Any]:
    name, ratio = key
    row: dict[str, Any] = {
        "method": name,
        "keep_ratio": ratio,
        "positions": positions or "",
        "right": sum(map(sum, right[key])) / len(right[key]),
        "total": len(right[key][0]),
    }
    draws = right.get((BASE, ratio))
    if draws and name != BASE:
        row["p"] = merged_p([_p(right[key][0], chance) for chance in draws])
    logger.info("%s at %g %%: %s", name, 100 * ratio, Score(row["right"], row["total"]))
    return row


def _p(answers: Sequence[bool], others: Sequence[bool]) -> float:
    pairs = list(zip(answers, others, strict=True))
    return mcnemar(sum(b > a for a, b in pairs), sum(a > b for a, b in pairs))
