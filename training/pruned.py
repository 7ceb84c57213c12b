"""Accuracy of the shipped model under every pruning method, on the same questions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.methods import Method, get_method
from pruneviz.methods.registry import METHODS
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import find_adapter
from pruneviz.pruning import prune
from training.evaluate import Asked, Score, prepare

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
    layers = model.config.text_config.num_hidden_layers
    tried = {
        (name, ratio): get_method(name, num_layers=layers, keep_ratio=ratio)
        for name in methods
        for ratio in ratios
    }
    right = dict.fromkeys(tried, 0)
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        once = _encode(model, processor, part)
        for key, method in tried.items():
            said = _answer(model, processor, once, method)
            right[key] += sum(s == one.question.answer for s, one in zip(said, part, strict=True))
        logger.info("%d of %d questions", start + len(part), len(asked))
    rows = []
    for (name, ratio), count in right.items():
        logger.info("%s at %g %%: %s", name, 100 * ratio, Score(count, len(asked)))
        rows.append({"method": name, "keep_ratio": ratio, "right": count, "total": len(asked)})
    return rows


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
    method: Method,
) -> list[str]:
    with prune(model, method, once.visual, input_ids=once.ids, vision=once.vision):
        out = model.generate(**once.embedded)
    return [text.strip() for text in processor.batch_decode(out, skip_special_tokens=True)]
