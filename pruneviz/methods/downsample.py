"""Control: a coarser picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Merge,
    Needs,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import grid_cells, group_means


@dataclass(frozen=True, kw_only=True)
class Downsample(BeforeLLM):
    """Means over equal cells of the grid: the same picture, more coarsely seen.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    A picture of fewer pixels would give fewer tokens only to encoders that take any size; means
    of neighbours' tokens, after the projector, are the like for all of them.
    """

    name: ClassVar[str] = "downsample"
    card: ClassVar[Card] = Card(
        title="Downsample",
        summary="Control: averages neighbouring patches, as a coarser picture would.",
        decides="nothing: a control",
        standing="ours",
        formula=Formula(
            (
                (r"z_c = mean_{i ∈ c} v_i", "one token a cell"),
                (r"K = ⌊r N⌋", "cells, as for Grid"),
            ),
            (
                ("c", "a cell of neighbouring patches"),
                ("v_i", "patch i as it enters the LLM"),
                BUDGET,
            ),
            "A control of ours: what a picture of fewer pixels would show, for encoders of one "
            "size.",
        ),
        control=True,
        merges=True,
        place=23,
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
        """The cells' means; every token counts alike."""
        states = context.visual_features()
        rows = states.shape[:-1]
        total = torch.ones(rows, device=context.device)
        if keep >= rows[-1]:
            return Scores(total)
        cells, middles = grid_cells(context.blocks(), keep)
        into, anchors = cells.to(context.device), middles.to(context.device)
        means = group_means(states, into, keep).to(states.dtype)
        into, anchors = into.expand(rows), anchors.expand(*rows[:-1], -1)
        return Scores(total, merge=Merge(means, anchors, into, anchors))
