"""Controls that any method must beat: random and evenly spread tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import Scores, Stage, StageContext
from pruneviz.methods.before_llm import BeforeLLM


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
    title: ClassVar[str] = "Random"
    summary: ClassVar[str] = "Control: keeps a random subset of the patches (seeded)."

    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        super().__post_init__()
        if not isinstance(self.seed, int):
            raise ValueError(f"seed must be a whole number, not {self.seed!r}.")

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """A random permutation's ranks, nested in the budget."""
        generator = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(context.alive), generator=generator)
        return Scores(order.float().to(context.device))


@dataclass(frozen=True, kw_only=True)
class Uniform(BeforeLLM):
    """Evenly spread tokens: index ``floor((k + 0.5) * N / K)`` of the raster order.

    Where N / K divides the grid's width, the kept tokens form whole columns.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "uniform"
    title: ClassVar[str] = "Uniform"
    summary: ClassVar[str] = "Control: keeps every n-th patch, evenly spread over the rows."
    exact_prefix: ClassVar[bool] = False

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """1 at the kept tokens, 0 elsewhere."""
        total = len(context.alive)
        kept = torch.tensor(
            [(2 * k + 1) * total // (2 * keep) for k in range(keep)],
            dtype=torch.long,
            device=context.device,
        )
        marks = torch.zeros(total, device=context.device).index_fill(0, kept, 1.0)
        return Scores(marks, kept=kept)
