"""FastV: attention of the last prompt token in an early layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pruneviz.methods.base import (
    BUDGET,
    HEADS,
    Card,
    Formula,
    Method,
    Needs,
    Positions,
    Scores,
    Stage,
    StageContext,
)

LAYER = 2
"""Published K: prune after the second layer."""


@dataclass(frozen=True, kw_only=True)
class FastV(Method):
    """Run the first layers on all tokens, then keep those the last token attends to.

    The score is the attention of the last prompt token inside decoder layer `prune_layer`
    itself, averaged over heads.

    Parameters
    ----------
    prune_layer : int
        Published K = 2: prune after the second layer.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. Published ratio: keep 0.5.

    Notes
    -----
    FastV (ECCV 2024, arXiv 2403.06764). The code keeps the original positions and keeps
    ``round(N * ratio)`` tokens, not the floor.
    """

    name: ClassVar[str] = "fastv"
    card: ClassVar[Card] = Card(
        title="FastV",
        summary=(
            "Drops patches after an early LLM layer, by how little the last prompt token attends "
            "to them there."
        ),
        decides="attention of the last prompt token",
        standing="equal to its code on 1 reference run",
        paper="https://arxiv.org/abs/2403.06764",
        formula=Formula(
            (
                (r"score_i = \frac{1}{H} ∑_h a_{h, last, i}", "in layer L"),
                (r"K = round(r N)", "largest scores kept"),
            ),
            (
                HEADS,
                ("a", "attention of the last prompt token to patch i, softmax over all tokens"),
                ("L", f"the layer after which patches are dropped: {LAYER}, as published"),
                BUDGET,
            ),
            "As in the published code, which also rounds and leaves the kept patches their "
            "positions. The paper describes the attention received from all tokens; it gives the "
            "rule in words.",
        ),
        terms={
            "attention": "attention paid to the patch by the last prompt token",
        },
        nested=True,
        rounding="nearest",
        compared=True,
    )
    positions: ClassVar[Positions] = "keep"
    default_ratio: ClassVar[float] = 0.5

    prune_layer: int = LAYER

    def __post_init__(self) -> None:
        """Check the layer."""
        if not isinstance(self.prune_layer, int) or self.prune_layer < 1:
            raise ValueError(f"prune_layer must be a whole number from 1, not {self.prune_layer}.")
        super().__post_init__()

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Published layer 2, or 1 on a model of two layers."""
        settings.setdefault("prune_layer", max(1, min(LAYER, num_layers - 1)))
        return super().for_depth(num_layers, **settings)

    def stages(self) -> tuple[Stage, ...]:
        """After `prune_layer`."""
        return (Stage(self.prune_layer),)

    @property
    def needs(self) -> Needs:
        """Attention inside `prune_layer`."""
        return Needs(own_attention=True)

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention of the last prompt token inside layer `prune_layer`."""
        attention = context.attention("last", own_layer=True)
        return Scores(attention, {"attention": attention})
