"""Quick beginnings: what reads a tower that has learned before learns from its fixed features."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from itertools import islice

import torch
from torch import Tensor, nn

from training.lessons import Alike, Plan, stream
from training.loop import LOG_SECONDS
from training.pictures import normalise
from training.settings import Settings

logger = logging.getLogger(__name__)
FIRST_SEED = 100_000_000
_DRAWN, _BATCH = 20, 32

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
Batch = tuple[Tensor, Tensor, dict[str, Tensor]]


class FrozenPictures:
    """Features and labels of some pictures, computed once.

    Parameters
    ----------
    encode : callable
        Gives patches ``[batch, 256, width]`` and the pooled class token ``[batch, width]`` of
        pixels ``[batch, 3, side, side]``.
    settings : Settings
        Rules of the scenes, how many, and the pictures' side.
    device : torch.device
        Where to compute.
    """

    def __init__(self, encode: Encode, settings: Settings, device: torch.device) -> None:
        patches, pooled, labels = [], [], []
        side, rules = settings.model.image_size, settings.tower_rules
        lessons = stream(Alike(Plan(FIRST_SEED, _DRAWN, _DRAWN, rules, 0, {}, side)), 0, settings)
        told = time.monotonic()
        for lesson in islice(lessons, -(-settings.frozen_scenes // _DRAWN)):
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                seen = encode(normalise(lesson.values.to(device)))
            patches.append(seen[0].bfloat16().cpu())
            pooled.append(seen[1].bfloat16().cpu())
            labels.append(lesson.labels)
            if time.monotonic() - told > LOG_SECONDS:
                told = time.monotonic()
                done = _DRAWN * len(labels)
                logger.info("%d of %d pictures encoded", done, settings.frozen_scenes)
        self.device = device
        self.patches, self.pooled = torch.cat(patches), torch.cat(pooled)
        self.labels = {key: torch.cat([m[key] for m in labels]) for key in labels[0]}
        logger.info("%d pictures encoded", len(self.patches))

    def batches(self, steps: int) -> Iterable[Batch]:
        """Yield random batches of patches, pooled tokens (both float32) and labels."""
        for _ in range(steps):
            index = torch.randint(len(self.patches), (_BATCH,))
            labels = {key: value[index].to(self.device) for key, value in self.labels.items()}
            patches, pooled = (
                t[index].float().to(self.device) for t in (self.patches, self.pooled)
            )
            yield patches, pooled, labels


def fit(
    module: nn.Module,
    loss_of: Callable[[Tensor, Tensor, dict[str, Tensor]], Tensor],
    pictures: FrozenPictures,
    steps: int,
    rate: float,
) -> None:
    """Train a module on fixed features.

    Parameters
    ----------
    module : nn.Module
        What learns.
    loss_of : callable
        Gives the loss of patches, pooled tokens and labels.
    pictures : FrozenPictures
        What it learns from.
    steps : int
        Optimiser steps, the rate falling along a line to nothing.
    rate : float
        First learning rate of AdamW.
    """
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.01)
    for step, batch in enumerate(pictures.batches(steps)):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 100 == 0 or step + 1 == steps:
            logger.info("fixed features %d/%d: loss %.3f", step, steps, float(loss.detach()))
