"""Control: a random subset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import (
    BUDGET,
    LARGEST,
    BeforeLLM,
    Card,
    Formula,
    Scores,
    Stage,
    StageContext,
    Whole,
    check_whole,
)


@dataclass(frozen=True, kw_only=True)
class Random(BeforeLLM):
    """A random subset, the same for the same seed and number of tokens.

    Parameters
    ----------
    seed : int
        Of the CPU generator, so that every device draws alike.
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "random"
    card: ClassVar[Card] = Card(
        title="Random",
        summary="Control: keeps a random subset of the patches (seeded).",
        decides="nothing: a control",
        standing="ours",
        formula=Formula(
            (
                (r"score_i = π(i)", "the same for the same seed"),
                (r"K = ⌊r N⌋", "largest scores kept"),
            ),
            (("π", "a random permutation of the patches, drawn from the seed"), BUDGET),
            "A control of ours: a method that looks at picture or question should do better.",
        ),
        options=(Whole("seed", "The same seed draws the same patches."),),
        nested=True,
        control=True,
        compared=True,
        place=20,
    )

    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        super().__post_init__()
        check_whole(self.seed, "seed", -LARGEST)

    @property
    def batched(self) -> bool:
        """Rows are scored alike."""
        return True

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """A random permutation's ranks, nested in the budget."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = context.alive.shape
        order = torch.randperm(shape[-1], generator=generator)
        return Scores(order.float().to(context.device).expand(shape))
