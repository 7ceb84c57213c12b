"""FastV: attention of the last prompt token in an early layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pruneviz.methods.base import Method, Positions, Scores, Stage, StageContext


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
    title: ClassVar[str] = "FastV"
    summary: ClassVar[str] = (
        "Drops patches after an early LLM layer, by how little the last prompt token attends "
        "to them there."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2403.06764"
    positions: ClassVar[Positions] = "keep"
    reads_own_attention: ClassVar[bool] = True
    rounds: ClassVar[bool] = True
    default_ratio: ClassVar[float] = 0.5

    prune_layer: int = 2

    def __post_init__(self) -> None:
        """Check the layer."""
        if not isinstance(self.prune_layer, int) or self.prune_layer < 1:
            raise ValueError(f"prune_layer must be a whole number from 1, not {self.prune_layer}.")
        super().__post_init__()

    @classmethod
    def for_depth(cls, num_layers: int, **settings: Any) -> Self:
        """Published layer 2, or 1 on a model of two layers."""
        settings.setdefault("prune_layer", max(1, min(2, num_layers - 1)))
        return super().for_depth(num_layers, **settings)

    def stages(self) -> tuple[Stage, ...]:
        """After `prune_layer`."""
        return (Stage(self.prune_layer),)

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Attention of the last prompt token inside layer `prune_layer`."""
        attention = context.attention("last", own_layer=True)
        return Scores(attention, {"attention": attention})
