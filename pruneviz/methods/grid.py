"""Control: the middles of equal cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Needs,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import grid_cells


@dataclass(frozen=True, kw_only=True)
class Grid(BeforeLLM):
    """The middles of equal cells: a g x g grid for g * g tokens of a square picture.

    Other numbers give bands of rows with as many cells in one band as in another, or one more.
    Each grid of an image in several (LLaVA-NeXT's whole picture and tiles) gets its share.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "grid"
    card: ClassVar[Card] = Card(
        title="Grid",
        summary="Control: keeps the middles of equal cells, spread in both directions.",
        decides="nothing: a control",
        standing="ours",
        formula=Formula(
            (
                (r"B = round((\frac{K R}{C})^{1/2})", "bands of rows"),
                (r"K = ⌊r N⌋", "cells; the middle patch of each is kept"),
            ),
            (("R, C", "rows and columns of patches"), BUDGET),
            "A control of ours: each band is cut into equally many cells, or one more.",
        ),
        control=True,
        place=22,
    )

    @property
    def needs(self) -> Needs:
        """The grid of patches."""
        return Needs(grid=True)

    @property
    def batched(self) -> bool:
        """Always."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """1 at the kept tokens, 0 elsewhere."""
        _, middles = grid_cells(context.blocks(), keep)
        shape = context.alive.shape
        kept = middles.sort().values.to(context.device)
        marks = torch.zeros(shape[-1], device=context.device).index_fill(0, kept, 1.0)
        return Scores(marks.expand(shape), kept=kept.expand(*shape[:-1], -1))
