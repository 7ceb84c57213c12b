"""A method as a newcomer writes it: one file, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruneviz.methods import (
    BUDGET,
    BeforeLLM,
    Card,
    Formula,
    Range,
    Scores,
    Stage,
    StageContext,
)


@dataclass(frozen=True, kw_only=True)
class LargestNorm(BeforeLLM):
    """Keep the tokens with the longest vectors.

    Parameters
    ----------
    power : float
        To which the length is raised; the order stays the same.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "throw-away"
    card: ClassVar[Card] = Card(
        title="Throw-away",
        summary="Before the LLM, keeps the patches whose vectors are longest.",
        decides="length of the token's vector",
        formula=Formula(
            ((r"score_i = ‖v_i‖^p", "largest scores kept"), (r"K = ⌊r N⌋", "patches kept")),
            (("v_i", "patch i as it enters the LLM"), ("p", "the power that is set"), BUDGET),
            "Written to show how little a method needs.",
        ),
        terms={"length": "length of the patch's vector"},
        options=(Range("power", "Does not change the order.", 0.5, 3, 0.5),),
        nested=True,
    )

    power: float = 1.0

    @property
    def scored_by(self) -> str:
        """How the score is made of its term."""
        return f"Score = length to the power of {self.power:g}."

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """Lengths of the alive tokens."""
        length = context.visual_features().float().norm(dim=-1)
        return Scores(length**self.power, {"length": length})
