"""What a model is fed after a prompt, and the block of a method that it is fed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from pruneviz.engine.prepared import Prepared
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning import Run, observe, prune


@contextmanager
def block(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    record: Sequence[str] = (),
    count_flops: bool = False,
) -> Iterator[Run]:
    """The block of a method on a question; None only watches."""
    where: dict[str, Any] = {
        "visual_mask": prepared.visual_mask,
        "input_ids": prepared.input_ids,
        "newlines": prepared.newlines,
    }
    if method is None:
        with observe(loaded.model, record=record, **where) as run:
            yield run
    else:
        seen = () if prepared.vision is None else (prepared.vision, *prepared.further)
        where |= {"vision": seen, "positions": prepared.positions, "count_flops": count_flops}
        with prune(loaded.model, method, record=record, **where) as run:
            yield run


def after_prompt(inputs: dict[str, Any], fed: int, tokens: Sequence[int]) -> dict[str, Any]:
    """Inputs of a prompt's next tokens.

    Parameters
    ----------
    inputs : dict of str to Any
        What the prompt was fed as.
    fed : int
        Tokens that were fed since.
    tokens : sequence of int
        Those to be fed now to every row, at least one.
    """
    mask = inputs["attention_mask"]
    rows, new = len(mask), fed + len(tokens)
    step = {
        "input_ids": torch.tensor([list(tokens)], device=mask.device).expand(rows, -1),
        "attention_mask": torch.cat([mask, mask.new_ones(rows, new)], dim=1),
    }
    if "position_ids" in inputs:
        last = inputs["position_ids"][..., -1:]
        step["position_ids"] = last + torch.arange(fed + 1, new + 1, device=last.device)
    return step


def crop(cache: Any, count: int) -> None:
    """Take the last tokens from every layer of a cache, however long each is."""
    if count:  # to some releases 0 means an empty cache
        cache.crop(-count)
