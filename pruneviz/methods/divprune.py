"""DivPrune: tokens as different from each other as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods.base import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Scores,
    Stage,
    StageContext,
)
from pruneviz.ops import diversity_profile


@dataclass(frozen=True, kw_only=True)
class DivPrune(BeforeLLM):
    """Keep a set whose members lie far apart; the question plays no part.

    Picks first the token whose nearest other is farthest, then always the one farthest from its
    nearest pick. Distance is ``1 - cos`` in the LLM's input space.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`. Published ratio: 0.098 (56 of 576).

    Notes
    -----
    DivPrune (CVPR 2025, arXiv 2503.02175), as its published code: ``round(N * ratio)`` tokens,
    newlines of LLaVA-NeXT among the candidates, positions closed up. The score of a picked token
    is its distance from the earlier picks (2, the largest there is, for the first), of another
    the distance from all of them.
    """

    name: ClassVar[str] = "divprune"
    card: ClassVar[Card] = Card(
        title="DivPrune",
        summary=(
            "Before the LLM, keeps the patches that differ most from each other, whatever is asked."
        ),
        decides="distance from the tokens already picked",
        standing="equal to its code on 1 reference run",
        paper="https://arxiv.org/abs/2503.02175",
        formula=Formula(
            (
                (r"d(i, j) = 1 - cos(v_i, v_j)", "distance"),
                (r"first = argmax_i min_{j ≠ i} d(i, j)", "the first pick"),
                (r"next = argmax_{i ∉ S} min_{j ∈ S} d(i, j)", "added to S until K are picked"),
                (r"K = round(r N)", "patches kept"),
            ),
            (
                ("v_i", "patch i as it enters the LLM"),
                ("S", "the patches picked so far"),
                BUDGET,
            ),
            "As in the published code, which also rounds. We do not know the equations' numbers.",
        ),
        terms={
            "distance": "distance from the nearest patch picked before",
        },
        nested=True,
        rounding="nearest",
    )
    default_ratio: ClassVar[float] = 0.098

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Distances from the picks."""
        order, distance, rest = diversity_profile(context.visual_features(), keep)
        total = rest.scatter(-1, order, distance)
        return Scores(total, {"distance": total}, order.sort(-1).values)
