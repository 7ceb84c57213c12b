"""PyramidDrop: attention of the last prompt token, in stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import (
    ALIVE,
    BUDGET,
    HEADS,
    Card,
    Formula,
    ScheduledMethod,
    Scores,
    Stage,
    StageContext,
    slashed,
)

LAYERS, RATIOS = (8, 16, 24), (0.5, 0.25, 0.125)
"""As published."""


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
    card: ClassVar[Card] = Card(
        title="PyramidDrop",
        summary=(
            "Drops patches in stages inside the LLM, by how little the last prompt token attends "
            "to them."
        ),
        decides="attention of the last prompt token, in stages",
        standing="equal to its code on 1 reference run",
        paper="https://arxiv.org/abs/2410.17247",
        formula=Formula(
            (
                (r"score_i = \frac{1}{H} ∑_h a_{h, last, i}", "in layer p + 1"),
                (r"K_p = ⌊N (1 - (1 - r) c_p)⌋", "largest scores kept after layer p"),
            ),
            (
                ("i", ALIVE[1]),
                HEADS,
                ("a", "attention of the last prompt token to patch i, softmax over all tokens"),
                ("p", "the layer after which patches are dropped"),
                BUDGET,
                ("c_p", "share of all dropping done by then: 4/7, 6/7 and 1 at the three layers"),
            ),
            f"Published: after layers {slashed(LAYERS)} of 32 keep "
            f"{slashed(RATIOS)} of the patches. Scaling to other keep ratios "
            "and depths is ours. The formula is the published code's; we do not know its number in "
            "the paper.",
        ),
        terms={
            "attention": "attention paid to the patch by the last prompt token",
        },
    )
    published_layers: ClassVar[tuple[int, ...]] = LAYERS
    published_ratios: ClassVar[tuple[float, ...]] = RATIOS

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention of the last prompt token in the next layer."""
        attention = context.attention("last")
        return Scores(attention, {"attention": attention})
