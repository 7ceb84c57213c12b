"""One pruning stage: the method chooses for every row, the frame shrinks."""

from __future__ import annotations

import time
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.methods.base import Method, Stage
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
    """

    def __init__(
        self, method: Method | None, positions: str | None, layers: Any, tokenizer: Any
    ) -> None:
        self.method, self.positions = method, positions
        self.layers, self.tokenizer = layers, tokenizer
        self.seconds = 0.0

    @torch.no_grad()
    def run(self, state: Prefill, stage: Stage, hidden: torch.Tensor) -> torch.Tensor | None:
        """Choose for every row and add the new frame to the state.

        `hidden` is ``[batch, n, hidden]`` at the stage. Returns the places that stay, int64
        ``[batch, n']``, or None where nothing is dropped.
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
            sample.alive = record.kept
            counts[sample.row] = len(record.alive) - len(record.kept)
        if not any(counts):
            return None
        _check_last(state, drop, counts)
        mode = self.positions or method.positions_at(stage)
        index, frame = shrink(state.frame, drop, counts, mode == "renumber")
        state.visual = (state.visual & ~drop).gather(1, index)
        state.frames.append((stage.layer, frame))
        state.pruned = True
        return index

    def _choose(
        self, method: Method, state: Prefill, stage: Stage, sample: Sample, hidden: torch.Tensor
    ) -> StageRecord:
        keep = min(method.count(stage, len(sample.columns)), len(sample.alive))
        context = RowContext(state, sample, stage.layer, hidden, self.layers, self.tokenizer)
        start = time.perf_counter()
        places, scores = method.select(context, stage, keep)
        self.seconds += time.perf_counter() - start
        kept = sample.alive[places]
        return StageRecord(stage, method.name_at(stage), sample.alive, kept, scores)


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
