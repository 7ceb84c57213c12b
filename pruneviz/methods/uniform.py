"""Control: every n-th token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import even_places


@dataclass(frozen=True, kw_only=True)
class Uniform(BeforeLLM):
    """Evenly spread tokens: index ``floor((k + 0.5) * N / K)`` of the raster order.

    Where N / K divides the grid's width, the kept tokens form whole columns.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "uniform"
    card: ClassVar[Card] = Card(
        title="Uniform",
        summary="Control: keeps every n-th patch, evenly spread over the rows.",
        decides="nothing: a control",
        standing="ours",
        formula=Formula(
            (
                (r"i_k = ⌊\frac{(2 k + 1) N}{2 K}⌋", "kept, for k = 0, 1, …, K − 1"),
                (r"K = ⌊r N⌋", "patches kept"),
            ),
            (("k", "counts the kept patches; patches are counted row by row from 0"), BUDGET),
            "A control of ours: the middle one of each of K equal stretches of patches.",
        ),
        control=True,
        compared=True,
        place=21,
    )

    def foreseen(self, num_visual: int, keep: int) -> Sequence[int]:
        """The kept places: neither picture nor question changes them."""
        return even_places(num_visual, keep).tolist()

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """1 at the kept tokens, 0 elsewhere."""
        shape = context.alive.shape
        kept = even_places(shape[-1], keep)
        marks = torch.zeros(shape[-1]).index_fill(0, kept, 1.0).to(context.device)
        kept = kept.to(context.device).expand(*shape[:-1], -1)
        return Scores(marks.expand(shape), kept=kept)
