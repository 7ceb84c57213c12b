"""Controls that any method must beat: random and evenly spread tokens, a coarser picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pruneviz.methods.base import Merge, Scores, Stage, StageContext
from pruneviz.methods.before_llm import BeforeLLM
from pruneviz.ops import even_places, grid_cells, group_means


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
        kept = even_places(total, keep).to(context.device)
        marks = torch.zeros(total, device=context.device).index_fill(0, kept, 1.0)
        return Scores(marks, kept=kept)


@dataclass(frozen=True, kw_only=True)
class Grid(BeforeLLM):
    """The middles of equal cells: a g x g grid for g * g tokens of a square picture.

    Other numbers give bands of rows with as many cells in one band as in another, or one more.
    Each grid of an image in several (LLaVA-NeXT's whole picture and tiles) gets its share.

    Parameters
    ----------
    keep_ratio, keep_tokens, num_layers
        See :class:`~pruneviz.methods.base.Method`.
    """

    name: ClassVar[str] = "grid"
    title: ClassVar[str] = "Grid"
    summary: ClassVar[str] = "Control: keeps the middles of equal cells, spread in both directions."
    reads_grid: ClassVar[bool] = True
    exact_prefix: ClassVar[bool] = False

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """1 at the kept tokens, 0 elsewhere."""
        _, middles = grid_cells(context.blocks(), keep)
        kept = middles.sort().values.to(context.device)
        marks = torch.zeros(context.num_visual, device=context.device).index_fill(0, kept, 1.0)
        return Scores(marks, kept=kept)


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
    title: ClassVar[str] = "Downsample"
    summary: ClassVar[str] = "Control: averages neighbouring patches, as a coarser picture would."
    reads_grid: ClassVar[bool] = True
    merges: ClassVar[bool] = True
    exact_prefix: ClassVar[bool] = False

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """The cells' means; every token counts alike."""
        states = context.visual_features()
        total = torch.ones(len(states), device=context.device)
        if keep >= len(states):
            return Scores(total)
        cells, middles = grid_cells(context.blocks(), keep)
        into, anchors = cells.to(context.device), middles.to(context.device)
        means = group_means(states, into, keep).to(states.dtype)
        return Scores(total, merge=Merge(means, anchors, into))
