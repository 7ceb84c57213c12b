"""Where in the decoder the picture is needed: all visual tokens dropped after a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration, ProcessorMixin

from training.answering import answer_loss
from training.held_out import Asked
from training.packing import NUM_PATCHES, pack


@torch.inference_mode()
def accuracy_by_depth(
    model: LlavaForConditionalGeneration,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    batch: int = 32,
) -> dict[str, list[tuple[int, int]]]:
    """Ask without any visual token from a layer on, for every layer.

    Hidden from the text in the layers that follow, which equals removal.

    Parameters
    ----------
    model, processor
        From :func:`training.evaluate.load`.
    asked : sequence of Asked
        The questions.
    batch : int
        Questions answered at once.

    Returns
    -------
    dict of str to list of (int, int)
        By kind: right answers and all, without visual tokens after 0, 1, ... layers. An answer
        is right if greedy decoding gives every token of it.
    """
    layers = model.config.text_config.num_hidden_layers
    right: list[list[bool]] = [[] for _ in range(layers + 1)]
    for start in range(0, len(asked), batch):
        part = asked[start : start + batch]
        pictures = [one.picture for one in part]
        pixels = processor.image_processor(pictures, return_tensors="pt")["pixel_values"]
        found: Any = model.model.get_image_features(pixels.to(model.device))
        visual = torch.stack(list(found.pooler_output))
        places = torch.arange(NUM_PATCHES, device=model.device).expand(len(part), -1)
        packed = pack([[one.question] for one in part])
        for after, answers in enumerate(right):
            _, good = answer_loss(
                model.model.language_model, visual, places, packed, blind=range(after, layers)
            )
            answers += good[:, 0].tolist()
    kinds = [one.question.kind for one in asked]
    return {
        kind: [_count(answers, kinds, kind) for answers in right] for kind in sorted(set(kinds))
    }


def _count(answers: Sequence[bool], kinds: Sequence[str], kind: str) -> tuple[int, int]:
    chosen = [answer for answer, one in zip(answers, kinds, strict=True) if one == kind]
    return sum(chosen), len(chosen)
