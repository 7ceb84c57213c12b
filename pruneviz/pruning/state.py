"""What one prefill has done so far."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import torch

from pruneviz.methods.base import Scores
from pruneviz.pruning.finite import Doubts
from pruneviz.pruning.frames import Frame, Frames
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.prompt import Prompt, Row
from pruneviz.pruning.signals import Rotary


@dataclass(frozen=True, eq=False)
class StageRecord:
    """One stage of one row, still on the device.

    A slot is a visual token's place among all of its row. What merging made may stand in
    another one than its original token did.

    Attributes
    ----------
    alive, kept : torch.Tensor
        Int64, ascending: slots of the tokens before and after.
    before, after : torch.Tensor
        Int64 ``[num_visual]``: which original token each slot held before and after; -1 for
        none (a CLS token).
    """

    stage: PlannedStage
    alive: torch.Tensor
    kept: torch.Tensor
    scores: Scores
    before: torch.Tensor
    after: torch.Tensor


@dataclass(frozen=True, eq=False)
class Selection:
    """Which visual tokens of a row are left: what the stages so far chose.

    Attributes
    ----------
    row : Row
        The row.
    records : list of StageRecord
        In order; grows with every stage.
    """

    row: Row
    records: list[StageRecord] = field(default_factory=list)

    @property
    def alive(self) -> torch.Tensor:
        """Int64, ascending: slots of the tokens that are still there."""
        return self.records[-1].kept if self.records else self.row.slots

    @property
    def origin(self) -> torch.Tensor:
        """Int64 ``[num_visual]``: the original token that each slot holds, -1 for none."""
        return self.records[-1].after if self.records else self.row.slots

    def seen_at(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """`alive` and `origin` as the decoder layer of this index, from 0, saw them."""
        before = [record for record in self.records if record.stage.layer <= index]
        return (before[-1].kept, before[-1].after) if before else (self.row.slots, self.row.slots)

    def places(self, frame: Frame, slots: torch.Tensor | None = None) -> torch.Tensor:
        """Places in a frame of some slots (default: those alive), int64."""
        slots = self.alive if slots is None else slots
        return frame.places(self.row.number, self.row.columns[slots])


@dataclass(eq=False)
class Recording:
    """What was read from the layers as they ran, by their indices from 0.

    Attributes
    ----------
    ttv : dict of int to torch.Tensor
        TTV of the layers in which it is computed, float32 ``[batch, n]``.
    signals : dict of str to dict
        The signals that are recorded in every layer, each float32 ``[batch, n]``.
    scoring_seconds : float
        Time spent choosing tokens, as the host saw it.
    """

    ttv: dict[int, torch.Tensor] = field(default_factory=dict)
    signals: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    scoring_seconds: float = 0.0


@dataclass(eq=False)
class RunningLayer:
    """What the decoder layer that is running was given.

    Attributes
    ----------
    index : int
        Which, from 0.
    rotary : tuple of torch.Tensor
        Cosines and sines as its attention applies them, ``[batch or 1, n, head_dim]``.
    normed : torch.Tensor or None
        What entered its attention, ``[batch, n, hidden]``, where a method may ask for it.
    """

    index: int
    rotary: Rotary
    normed: torch.Tensor | None = None


class Prefill:
    """One prompt, and what became of it; stays for its decode steps and its traces.

    Attributes
    ----------
    prompt : Prompt
        The facts.
    frames : Frames
        What each decoder layer sees.
    selections : list of Selection
        One per row of the batch.
    recording : Recording
        What was read.
    doubts : Doubts
        What has to be finite.
    """

    def __init__(self, prompt: Prompt, model: Any) -> None:
        self.prompt = prompt
        self.doubts = Doubts(model)
        self.frames = Frames(prompt.frame)
        self.selections = [Selection(row) for row in prompt.rows]
        self.recording = Recording()
        self._cache: weakref.ref[Any] | None = None

    def fills(self, cache: Any) -> None:
        """Note the cache that the prefill fills; None where it runs without."""
        self._cache = None if cache is None else weakref.ref(cache)

    def filled(self, cache: Any) -> bool:
        """Whether this is the cache that the prefill filled."""
        return self._cache is not None and self._cache() is cache
