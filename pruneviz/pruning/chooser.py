"""One pruning stage: the method chooses for every row, the frame shrinks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from pruneviz.errors import PruneVizError, PruningError
from pruneviz.methods.base import Merge
from pruneviz.pruning.context import RowContext
from pruneviz.pruning.frames import shrink
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.spec import RunSpec
from pruneviz.pruning.state import Prefill, RunningLayer, Selection, StageRecord


@dataclass(frozen=True, eq=False)
class Cut:
    """What a stage makes of the sequence.

    Attributes
    ----------
    places : torch.Tensor
        Int64 ``[batch, n']``, ascending: places in the frame before that stay.
    states : torch.Tensor
        ``[batch, n, hidden]``: the states that entered, merged tokens put in their places; the
        very tensor that entered where none was merged.
    """

    places: torch.Tensor
    states: torch.Tensor

    def of(self, hidden: torch.Tensor) -> torch.Tensor:
        """The places that stay of any states ``[batch, n, hidden]``."""
        return hidden.gather(1, self.places[..., None].expand(-1, -1, hidden.shape[-1]))


class Chooser:
    """Applies a method's stages to a running prefill.

    Parameters
    ----------
    spec : RunSpec
        The run.
    prefill : Prefill
        Its selections and frames are continued.
    """

    def __init__(self, spec: RunSpec, prefill: Prefill) -> None:
        self._spec, self._prefill = spec, prefill

    @torch.no_grad()
    def cut(
        self, stage: PlannedStage, hidden: torch.Tensor, running: RunningLayer | None
    ) -> Cut | None:
        """Choose for every row and add the new frame; None where all stays as it is.

        `hidden` is ``[batch, n, hidden]`` at the stage, `running` the layer that it comes from,
        None before the LLM.
        """
        prefill, frame = self._prefill, self._prefill.frames.newest
        drop = torch.zeros_like(frame.visual)
        counts = [0] * len(prefill.selections)
        states = hidden
        for selection in prefill.selections:
            number = selection.row.number
            if not selection.row.num_visual:
                continue
            leader = prefill.selections[prefill.prompt.leaders[number]]
            if leader is selection:
                record = self._choose(stage, selection, states, running)
            else:
                record = leader.records[-1]
            drop[number, selection.places(frame)] = True
            selection.records.append(record)
            kept = selection.places(frame)
            drop[number, kept] = False
            if record.scores.merge is not None:
                states = _put(states, number, kept, record.scores.merge.states)
            counts[number] = len(record.alive) - len(record.kept)
        if not any(counts):
            if states is hidden:
                return None
            # As many as there were, but made anew.
            return Cut(
                torch.arange(frame.length, device=hidden.device).expand(frame.columns.shape), states
            )
        self._check_last(drop, counts)
        places, shorter = shrink(frame, drop, counts, stage.positions == "renumber")
        prefill.frames.add(stage.layer, shorter)
        return Cut(places, states)

    def _choose(
        self,
        stage: PlannedStage,
        selection: Selection,
        hidden: torch.Tensor,
        running: RunningLayer | None,
    ) -> StageRecord:
        method, alive, origin = stage.method, selection.alive, selection.origin
        left = [len(record.kept) for record in selection.records]
        budget = min(method.count_now(stage.stage, selection.row.num_visual, left), len(alive))
        context = RowContext(self._spec, self._prefill, selection, hidden, running)
        start = time.perf_counter()
        where = f"after layer {stage.layer}" if stage.layer else "before the LLM"
        row, doubts = selection.row.number, self._prefill.doubts
        name = f"{method.title} {where}, row {row}"
        states = context.visual_features()
        try:
            with self._spec.counting(), _by(f"{method.title} {where}"):
                places, scores = method.select(context, stage.stage, budget)
        except (PruneVizError, ValueError, RuntimeError):
            doubts.explain(f"what {name} reads", states)
            raise
        doubts.note(f"the scores of {name}", scores.total)
        # Not every choice shows in its scores what is wrong with the tokens.
        doubts.note(f"the visual tokens of {name}", states)
        if scores.merge is not None and self._stands_apart(stage, selection):
            scores = replace(scores, merge=scores.merge.in_place())
        self._prefill.recording.scoring_seconds += time.perf_counter() - start
        kept = alive[places]
        after = _origins(selection, kept, scores.merge)
        return StageRecord(stage, alive, kept, scores, origin, after)

    def _stands_apart(self, stage: PlannedStage, selection: Selection) -> bool:
        """Whether each merged token must stand in its own place, not in the method's order."""
        first, last = selection.row.columns[[0, -1]].tolist()
        between = last - first + 1 > selection.row.num_visual
        return between or self._spec.adds_by_place or stage.positions == "keep"

    def _check_last(self, drop: torch.Tensor, counts: list[int]) -> None:
        """Raise PruningError if the token that the answer is read from would be dropped."""
        for row in self._prefill.prompt.rows:
            if counts[row.number] and not len(row.after_image):
                last = self._prefill.frames.newest.places(row.number, row.last)
                if bool(drop[row.number, last].any()):
                    raise PruningError(
                        "The prompt ends in a visual token that would be dropped, but the answer "
                        "is read from the last token. Put some text after the image."
                    )


@contextmanager
def _by(who: str) -> Iterator[None]:
    """Let an error that a method did not mean say whose it is."""
    try:
        yield
    except PruneVizError:
        raise
    except (ValueError, RuntimeError) as error:
        error.add_note(f"({who})")
        raise
    except (TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise PruningError(f"{who} failed: {type(error).__name__}: {error}") from error


def _origins(selection: Selection, kept: torch.Tensor, merge: Merge | None) -> torch.Tensor:
    """Which original token each slot holds once merged tokens have taken theirs."""
    if merge is None:
        return selection.origin
    own = selection.origin[selection.alive[merge.anchors.clamp_min(0)]]
    stands_for = torch.where(merge.anchors >= 0, own, -1)
    return selection.origin.index_copy(0, kept, stands_for)


def _put(
    hidden: torch.Tensor, row: int, places: torch.Tensor, states: torch.Tensor
) -> torch.Tensor:
    """The states with some of a row's replaced."""
    hidden = hidden.clone()
    hidden[row, places] = states.to(hidden.dtype)
    return hidden
