"""PyramidDrop: attention of the last prompt token, in stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import Scores, Stage, StageContext
from pruneviz.methods.schedule import ScheduledMethod


@dataclass(frozen=True, kw_only=True)
class PyramidDrop(ScheduledMethod):
    """Halve the visual tokens stage by stage, by the last prompt token's attention.

    The score is the attention of the last prompt token in the layer after the pruning layer,
    averaged over heads, softmax over all keys.

    Parameters
    ----------
    prune_layers, keep_ratios : tuple, optional
        Published: after layers 8, 16, 24 of 32 keep 0.5, 0.25, 0.125.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.

    Notes
    -----
    PyramidDrop (CVPR 2025, arXiv 2410.17247); positions are renumbered as in its code.
    """

    name: ClassVar[str] = "pyramiddrop"
    title: ClassVar[str] = "PyramidDrop"
    summary: ClassVar[str] = (
        "Drops patches in stages inside the LLM, by how little the last prompt token attends "
        "to them."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2410.17247"
    published_layers: ClassVar[tuple[int, ...]] = (8, 16, 24)
    published_ratios: ClassVar[tuple[float, ...]] = (0.5, 0.25, 0.125)

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention of the last prompt token in the next layer."""
        attention = context.attention("last")
        return Scores(attention, {"attention": attention})
