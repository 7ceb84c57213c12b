"""What one prefill has done so far."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from pruneviz.methods.base import Scores, TransitionSpec
from pruneviz.pruning.finite import Doubts
from pruneviz.pruning.frames import Frame, Frames
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.prompt import Prompt
from pruneviz.pruning.recording import Recording
from pruneviz.pruning.rows import Group
from pruneviz.pruning.signals import Rotary
from pruneviz.pruning.spent import mark, spend


@dataclass(frozen=True, eq=False)
class StageRecord:
    """One stage of the rows of a group, still on the device.

    A slot is a visual token's place among all of its row. What merging made may stand in
    another one than its original token did.

    Attributes
    ----------
    alive, kept : torch.Tensor
        Int64 ``[rows, n]``, ascending: slots of the tokens before and after.
    scores : Scores
        Of all rows, with that many leading dimensions more; of a group of one row without.
    columns : torch.Tensor
        Int64 ``[rows, k]``: columns of the prompt that `kept` stand in.
    before, after : torch.Tensor
        Int64 ``[rows, num_visual]``: which original token each slot held before and after; -1 for
        none (a CLS token).
    """

    stage: PlannedStage
    alive: torch.Tensor
    kept: torch.Tensor
    scores: Scores
    columns: torch.Tensor
    before: torch.Tensor
    after: torch.Tensor

    def of(self, place: int) -> StageRecord:
        """The same of one row, without the leading dimension."""
        own = (self.alive, self.kept, self.columns, self.before, self.after)
        alive, kept, columns, before, after = (values[place] for values in own)
        scores = self.scores.of(place)
        return StageRecord(self.stage, alive, kept, scores, columns, before, after)


@dataclass(frozen=True, eq=False)
class Selection:
    """Which visual tokens of a group's rows are left: what the stages so far chose.

    Attributes
    ----------
    group : Group
        The rows.
    records : list of StageRecord
        In order; grows with every stage.
    """

    group: Group
    records: list[StageRecord] = field(default_factory=list)

    @property
    def alive(self) -> torch.Tensor:
        """Int64 ``[rows, n]``, ascending: slots of the tokens that are still there."""
        return self.records[-1].kept if self.records else self.group.slots

    @property
    def origin(self) -> torch.Tensor:
        """Int64 ``[rows, num_visual]``: the original token that each slot holds, -1 for none."""
        return self.records[-1].after if self.records else self.group.slots

    @property
    def whole(self) -> bool:
        """Whether every visual token is still there."""
        return self.alive.shape[1] == self.group.num_visual

    @property
    def columns(self) -> torch.Tensor:
        """Columns of the prompt that those alive stand in, int64 ``[rows, n]``."""
        return self.records[-1].columns if self.records else self.group.columns

    def tokens(self, slots: torch.Tensor) -> torch.Tensor:
        """Original tokens that slots ``[rows, n]`` hold, int64; -1 for none."""
        origin = self.origin
        return slots if origin is self.group.slots else origin.gather(1, slots)

    def places(self, frame: Frame) -> torch.Tensor:
        """Their places in a frame, int64 ``[rows, n]``."""
        return frame.places(self.columns, self.group.index)


@dataclass(eq=False)
class RunningLayer:
    """What the decoder layer that is running was given, and what it computed of it.

    Attributes
    ----------
    index : int
        Which, from 0.
    rotary : tuple of torch.Tensor
        Cosines and sines as its attention applies them, ``[batch or 1, 1, n, head_dim]``.
    hidden : torch.Tensor
        What entered it, ``[batch, n, hidden]``.
    normed : torch.Tensor or None
        What entered its attention, likewise, once that has run.
    query : torch.Tensor or None
        Its queries before RoPE, ``[batch, heads, n, head_dim]``, where they are read.
    keys : torch.Tensor or None
        Its keys after RoPE, ``[batch, kv_heads, n, head_dim]``, where they are read and cached.
    stream : torch.Tensor or None
        What its FFN's output is added to, ``[batch, n, hidden]``.
    """

    index: int
    rotary: Rotary
    hidden: torch.Tensor
    normed: torch.Tensor | None = None
    query: torch.Tensor | None = None
    keys: torch.Tensor | None = None
    stream: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class _Sum:
    """TTV of some layers, by index, summed for the slots ``[rows, n]`` alive at a stage."""

    layers: frozenset[int]
    alive: torch.Tensor
    values: torch.Tensor

    def of(self, alive: torch.Tensor) -> torch.Tensor:
        """Of those that are still alive."""
        if alive is self.alive:
            return self.values
        # Places picked of several rows at once are a slice of their order.
        places = torch.searchsorted(self.alive.contiguous(), alive.contiguous())
        return self.values.gather(1, places)


class Prefill:
    """One prompt, and what became of it; stays for its decode steps and its traces.

    Attributes
    ----------
    prompt : Prompt
        The facts.
    frames : Frames
        What each decoder layer sees.
    selections : list of Selection
        One per group of rows.
    recording : Recording
        What was read.
    doubts : Doubts
        What has to be finite.
    scoring_seconds : float
        Time spent choosing tokens, as the host saw it.
    """

    def __init__(self, prompt: Prompt, model: Any) -> None:
        self.prompt = prompt
        self.doubts = Doubts(model)
        self.frames = Frames(prompt.frame)
        self.selections = [Selection(group) for group in prompt.groups]
        self.recording = Recording()
        self.scoring_seconds = 0.0
        self._sums: dict[int, _Sum] = {}
        self._cache: weakref.ref[Any] | None = None

    @cached_property
    def _homes(self) -> dict[int, tuple[Selection, int]]:
        """For each row of the batch the selection that it follows, and as which of its rows."""
        return {
            number: (selection, place)
            for selection in self.selections
            for place, numbers in enumerate(selection.group.followers)
            for number in numbers
        }

    def records(self, row: int) -> list[StageRecord]:
        """The stages of one row, without leading dimensions; none without visual tokens."""
        found = self._homes.get(row)
        if found is None:
            return []
        selection, place = found
        return [record.of(place) for record in selection.records]

    def transition_mask(self, spec: TransitionSpec, frame: Frame) -> torch.Tensor | None:
        """The tokens of a frame that TTV's softmax runs over, bool ``[batch, n]``; None = all."""
        if spec.scope != "image":
            return frame.valid
        visual = self.prompt.visual
        if frame.whole:
            return visual
        visual = visual.gather(1, frame.columns)
        return visual if frame.valid is None else visual & frame.valid

    def transitions(
        self, spec: TransitionSpec, selection: Selection, layers: Sequence[int]
    ) -> torch.Tensor:
        """TTV of the tokens alive, summed over layers counted from 1: float32 ``[rows, n]``.

        What an earlier stage summed is taken from there.
        """
        alive, open_ = selection.alive, {layer - 1 for layer in layers}
        total: torch.Tensor | None = None
        before = self._sums.get(id(selection))
        if before is not None and before.layers <= open_:
            total, open_ = before.of(alive), open_ - before.layers
        for stretch in self.recording.stretches:
            own = [layer for layer in stretch.layers if layer in open_]
            if not own:
                continue
            values = stretch.ttv(spec, self.transition_mask(spec, stretch.frame), own)
            summed = values[0] if len(values) == 1 else values.sum(0)
            places = selection.places(stretch.frame)
            found = selection.group.of(summed).gather(1, places)
            total = found if total is None else total + found
        if total is None:
            return torch.zeros(alive.shape, device=alive.device)
        self._sums[id(selection)] = _Sum(frozenset(layer - 1 for layer in layers), alive, total)
        return total

    def fills(self, cache: Any) -> None:
        """Note the cache that the prefill fills; None where it runs without."""
        self._cache = None if cache is None else weakref.ref(cache)

    def filled(self, cache: Any) -> bool:
        """Whether this is the cache that the prefill filled."""
        return self._cache is not None and self._cache() is cache

    def mark(self) -> None:
        """Let copies of the cache know that tokens are missing in it."""
        if (cache := self._pruned_cache()) is not None:
            mark(cache)

    def retire(self) -> None:
        """Its cache, where it was pruned, takes no more tokens."""
        if (cache := self._pruned_cache()) is not None:
            spend(cache)

    def _pruned_cache(self) -> Any:
        return self._cache() if self._cache is not None and self.frames.pruned else None
