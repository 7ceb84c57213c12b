"""Replay: a method that only repeats a given choice, another one in each row of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch

from pruneviz.methods.base import (
    Card,
    Formula,
    Method,
    Positions,
    Scores,
    Stage,
    StageContext,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay(Method):
    """Keep what is said, in every row what is said of it.

    Parameters
    ----------
    layers : tuple of int
        After which it prunes, 1-based, ascending; 0 = before the LLM.
    kept : tuple of np.ndarray
        For each of them int64 ``[rows, k]``: ascending indices among the original visual tokens.
    modes : tuple of str
        For each of them the position mode.
    """

    name: ClassVar[str] = "replay"
    card: ClassVar[Card] = Card(
        title="Replay",
        summary="A choice that is given.",
        decides="whoever gives the choice",
        standing="ours",
        formula=Formula(((r"K", "patches kept"),), (), "What is given is kept."),
    )

    layers: tuple[int, ...]
    kept: tuple[np.ndarray, ...]
    modes: tuple[str, ...]

    @property
    def batched(self) -> bool:
        """All rows at once."""
        return True

    @property
    def apart(self) -> bool:
        """Equal rows differ in what is kept of them."""
        return True

    def stages(self) -> tuple[Stage, ...]:
        """One for each layer."""
        return tuple(Stage(layer, index) for index, layer in enumerate(self.layers))

    def count(self, stage: Stage, num_visual: int) -> int:
        """As many as are given."""
        return int(self.kept[stage.index].shape[1])

    def positions_at(self, stage: Stage) -> Positions:
        """As given."""
        return cast(Positions, self.modes[stage.index])

    def score(self, context: StageContext, stage: Stage, keep: int) -> Scores:
        """1 at what stays, 0 elsewhere, ``[rows, n]``."""
        alive = context.alive.contiguous()
        wanted = torch.from_numpy(np.ascontiguousarray(self.kept[stage.index])).to(alive.device)
        places = torch.searchsorted(alive, wanted)
        marks = torch.zeros(alive.shape, device=alive.device).scatter(1, places, 1.0)
        return Scores(marks, kept=places)

    def parameters(self) -> dict[str, Any]:
        """Where it prunes."""
        return {"layers": list(self.layers)}
