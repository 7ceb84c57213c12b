"""Accuracy of the shipped model under every pruning method, on the same questions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from transformers import LlavaForConditionalGeneration, ProcessorMixin

from pruneviz.methods import get_method
from pruneviz.models.words import remember_tokenizer
from pruneviz.pruning import prune
from pruneviz.training.evaluate import Asked, Score, answer

logger = logging.getLogger(__name__)
METHODS = ("transprune", "resprune", "fopru", "fastv", "random", "uniform")
RATIOS = (1.0, 0.5, 0.25, 0.125, 0.0625)


def accuracy_under_pruning(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    methods: Sequence[str] = METHODS,
    ratios: Sequence[float] = RATIOS,
    batch: int = 32,
) -> list[dict[str, Any]]:
    """Ask the same questions at every keep ratio of every method.

    Parameters
    ----------
    model, processor
        From :func:`pruneviz.training.evaluate.load`.
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
    rows = []
    for name in methods:
        for ratio in ratios:
            method = get_method(name, num_layers=layers, keep_ratio=ratio)
            right = 0
            for start in range(0, len(asked), batch):
                part = asked[start : start + batch]
                with prune(model, method):
                    said = answer(model, processor, part)
                right += sum(s == one.question.answer for s, one in zip(said, part, strict=True))
            logger.info("%s at %g %%: %s", name, 100 * ratio, Score(right, len(asked)))
            rows.append({"method": name, "keep_ratio": ratio, "right": right, "total": len(asked)})
    return rows
