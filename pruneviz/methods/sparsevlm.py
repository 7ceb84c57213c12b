"""SparseVLM: attention of those text tokens that look at the picture at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from pruneviz.methods.base import Scores, Stage, StageContext, check_count
from pruneviz.methods.schedule import ScheduledMethod

# Tokens of 576 that the code keeps after each of its layers, for its four budgets.
PUBLISHED = ((66, 30, 17), (238, 48, 26), (303, 110, 36), (300, 200, 110))
_OF = 576


@dataclass(frozen=True, kw_only=True)
class SparseVLM(ScheduledMethod):
    """Let the text tokens that match the picture best rate the patches, in stages.

    Raters are chosen once, from embeddings: text tokens whose mean share of the softmax over
    the text, taken for every visual token, is above average. The score is their mean attention
    inside the pruning layer itself, averaged over heads.

    Parameters
    ----------
    prune_layers, keep_ratios : tuple, optional
        Published: after layers 3, 7, 16 of 32; 300, 200 and 110 of 576 tokens by default.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. Between the four published budgets (110, 36,
        26 and 17 tokens at the end) stages are interpolated linearly, which is ours.

    Notes
    -----
    SparseVLM (ICML 2025, arXiv 2410.04417), first version of its code, without recycling: what
    is dropped is not merged into further tokens. Positions are renumbered. ``round(N * ratio)``
    tokens, so that 576 gives the published counts.
    """

    name: ClassVar[str] = "sparsevlm"
    title: ClassVar[str] = "SparseVLM"
    summary: ClassVar[str] = (
        "Drops patches in stages inside the LLM, by how little those words of the question that "
        "match the picture attend to them."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2410.04417"
    published_layers: ClassVar[tuple[int, ...]] = (3, 7, 16)
    published_ratios: ClassVar[tuple[float, ...]] = tuple(n / _OF for n in PUBLISHED[-1])
    rounds: ClassVar[bool] = True
    reads_own_attention: ClassVar[bool] = True
    reads_raters: ClassVar[bool] = True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Mean attention of the raters inside the pruning layer."""
        attention = context.attention("raters", own_layer=True)
        return Scores(attention, {"raters": attention})

    def count(self, stage: Stage, num_visual: int) -> int:
        """Visual tokens left after a stage."""
        if self.keep_tokens is None:
            return super().count(stage, num_visual)
        final = check_count(self.keep_tokens, num_visual)
        ratios = self._ratios_to(final / num_visual, len(self.layers))
        return max(final, round(num_visual * ratios[stage.index]))

    def _ratios_to(self, final: float, stages: int) -> tuple[float, ...]:
        return _interpolated(final)[-stages:]


def _interpolated(final: float) -> tuple[float, ...]:
    """Keep ratios of the three stages for a final one, between the published rows."""
    rows = [(0.0, 0.0, 0.0), *(tuple(n / _OF for n in row) for row in PUBLISHED), (1.0, 1.0, 1.0)]
    low, high = next(pair for pair in pairwise(rows) if final <= pair[1][-1])
    share = (final - low[-1]) / (high[-1] - low[-1])
    values = [a + share * (b - a) for a, b in zip(low, high, strict=True)]
    return (*(round(value, 12) for value in values[:-1]), final)
