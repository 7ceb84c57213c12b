"""One pruning stage: the method chooses for every row, the frame shrinks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Merge, Method, Stage
from pruneviz.pruning.context import RowContext
from pruneviz.pruning.frames import shrink
from pruneviz.pruning.state import Prefill, Sample, StageRecord


class Chooser:
    """Applies a method's stages to a running prefill.

    Parameters
    ----------
    method : Method or None
        None chooses nothing.
    positions : str or None
        Overrides the method's position mode.
    layers
        The decoder layers.
    tokenizer
        Of the model, None where it is not known.
    project : callable
        The model's projector.
    """

    def __init__(
        self,
        method: Method | None,
        positions: str | None,
        layers: Any,
        tokenizer: Any,
        project: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        self.method, self.positions = method, positions
        self.layers, self.tokenizer, self.project = layers, tokenizer, project
        self.seconds = 0.0
        self.by_place = False
        """Whether the model adds something to visual tokens by their places in the prompt."""

    @torch.no_grad()
    def run(
        self, state: Prefill, stage: Stage, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Choose for every row and add the new frame to the state.

        `hidden` is ``[batch, n, hidden]`` at the stage. Returns the places that stay, int64
        ``[batch, n']``, and the states with merged tokens in their places, or None where nothing
        is dropped.
        """
        method = self.method
        if method is None:
            return None
        drop = torch.zeros_like(state.visual)
        counts = [0] * len(state.samples)
        for sample in state.samples:
            if not len(sample.columns):
                continue
            leader = state.samples[state.leaders[sample.row]]
            if leader is sample:
                record = self._choose(method, state, stage, sample, hidden)
            else:
                record = leader.stages[-1]
            sample.stages.append(record)
            drop[sample.row, state.visual_places(sample)] = True
            drop[sample.row, state.frame.places(sample.row, sample.columns[record.kept])] = False
            sample.alive, sample.origin = record.kept, record.after
            hidden = _put_merged(state, sample, record, hidden)
            counts[sample.row] = len(record.alive) - len(record.kept)
        if not any(counts):
            return None
        _check_last(state, drop, counts)
        renumber = self._mode(method, stage) == "renumber"
        index, frame = shrink(state.frame, drop, counts, renumber)
        state.visual = (state.visual & ~drop).gather(1, index)
        state.frames.append((stage.layer, frame))
        state.pruned = True
        return index, hidden

    def _mode(self, method: Method, stage: Stage) -> str:
        return self.positions or method.positions_at(stage)

    def _stands_apart(self, method: Method, stage: Stage, sample: Sample) -> bool:
        """Whether each merged token must stand in its own place, not in the method's order."""
        first, last = sample.columns[[0, -1]].tolist()
        between = last - first + 1 > len(sample.columns)
        return between or self.by_place or self._mode(method, stage) == "keep"

    def _choose(
        self, method: Method, state: Prefill, stage: Stage, sample: Sample, hidden: torch.Tensor
    ) -> StageRecord:
        left = [len(record.kept) for record in sample.stages]
        keep = min(method.count_now(stage, len(sample.columns), left), len(sample.alive))
        context = RowContext(
            state, sample, stage.layer, hidden, self.layers, self.tokenizer, self.project
        )
        start = time.perf_counter()
        places, scores = method.select(context, stage, keep)
        if scores.merge is not None and self._stands_apart(method, stage, sample):
            scores = replace(scores, merge=scores.merge.in_place())
        self.seconds += time.perf_counter() - start
        kept = sample.alive[places]
        after = _origins(sample, kept, scores.merge)
        name = method.name_at(stage)
        return StageRecord(stage, name, sample.alive, kept, scores, sample.origin, after)


def _origins(sample: Sample, kept: torch.Tensor, merge: Merge | None) -> torch.Tensor:
    """Which original token each slot holds once merged tokens have taken theirs."""
    if merge is None:
        return sample.origin
    own = sample.origin[sample.alive[merge.anchors.clamp_min(0)]]
    stands_for = torch.where(merge.anchors >= 0, own, -1)
    return sample.origin.index_copy(0, kept, stands_for)


def _put_merged(
    state: Prefill, sample: Sample, record: StageRecord, hidden: torch.Tensor
) -> torch.Tensor:
    """States with a sample's merged tokens in the slots that they took."""
    merge = record.scores.merge
    if merge is None:
        return hidden
    places = state.frame.places(sample.row, sample.columns[record.kept])
    hidden = hidden.clone()
    hidden[sample.row, places] = merge.states.to(hidden.dtype)
    return hidden


def _check_last(state: Prefill, drop: torch.Tensor, counts: list[int]) -> None:
    """Raise PruningError if the token that the answer is read from would be dropped."""
    for sample in state.samples:
        if counts[sample.row] and not len(sample.after_image):
            last = state.frame.places(sample.row, sample.last)
            if bool(drop[sample.row, last].any()):
                raise PruningError(
                    "The prompt ends in a visual token that would be dropped, but the answer is "
                    "read from the last token. Put some text after the image."
                )
