"""One pruning stage: the method chooses for every row, the frame shrinks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruneviz.errors import PruneVizError, PruningError
from pruneviz.pruning.context import GroupContext
from pruneviz.pruning.policy import PlannedStage
from pruneviz.pruning.rows import Group, put
from pruneviz.pruning.shortening import Part, shrink
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
        states, fewer = hidden, False
        for selection in prefill.selections:
            record = self._choose(stage, selection, states, running)
            selection.records.append(record)
            fewer = fewer or record.kept.shape[1] < record.alive.shape[1]
            merge = record.scores.merge
            if merge is not None:
                made = merge.states if self._spec.policy.batched else merge.states[None]
                states = _put(states, selection.group, selection.places(frame), made)
        if not fewer:
            if states is hidden:
                return None
            # As many as there were, but made anew.
            every = torch.arange(frame.length, device=hidden.device)
            return Cut(every.expand(frame.columns.shape), states)
        self._check_last()
        places, shorter = shrink(frame, self._parts(), stage.positions == "renumber")
        prefill.frames.add(stage.layer, shorter)
        return Cut(places, states)

    def _parts(self) -> list[Part]:
        """All rows of the batch with the columns of what is left of their visual tokens."""
        rows, parts = self._prefill.prompt.rows, []
        for selection in self._prefill.selections:
            group = selection.group
            own = tuple(rows[number] for number in group.numbers)
            kept = group.repeated(selection.columns)
            parts.append(Part(own, kept, selection.records[-1].alive.shape[1]))
        without = tuple(row for row in rows if not row.num_visual)
        return [*parts, Part(without, None)] if without else parts

    def _choose(
        self,
        stage: PlannedStage,
        selection: Selection,
        hidden: torch.Tensor,
        running: RunningLayer | None,
    ) -> StageRecord:
        method, alive, origin = stage.method, selection.alive, selection.origin
        left = [record.kept.shape[1] for record in selection.records]
        num_visual = selection.group.num_visual
        budget = min(method.count_now(stage.stage, num_visual, left), alive.shape[1])
        batched = self._spec.policy.batched
        context = GroupContext(self._spec, self._prefill, selection, hidden, running, batched)
        start = time.perf_counter()
        where = f"after layer {stage.layer}" if stage.layer else "before the LLM"
        names = [f"{method.title} {where}, row {row.number}" for row in selection.group.rows]
        doubts = self._prefill.doubts
        try:
            with self._spec.counting(), _by(f"{method.title} {where}"):
                places, scores = method.select(context, stage.stage, budget)
        except (PruneVizError, ValueError, RuntimeError):
            what = [f"what {name} reads" for name in names]
            doubts.explain(what, context.visual_features(), batched)
            raise
        doubts.note([f"the scores of {name}" for name in names], scores.total, batched)
        if running is None:
            # Not every choice shows in its scores what is wrong with the tokens. Later on, what
            # is wrong with them is so with the text behind them as well.
            tokens = [f"the visual tokens of {name}" for name in names]
            doubts.note(tokens, context.visual_features(), batched)
        if scores.merge is not None and self._stands_apart(stage, selection):
            scores = replace(scores, merge=scores.merge.in_place())
        self._prefill.scoring_seconds += time.perf_counter() - start
        places = places if batched else places[None]
        kept = places if selection.whole else alive.gather(1, places)
        columns = selection.group.columns.gather(1, kept)
        after = selection.origin
        if scores.merge is not None:
            anchors = scores.merge.anchors
            after = _origins(selection, kept, anchors if batched else anchors[None])
        return StageRecord(stage, alive, kept, scores, columns, origin, after)

    def _stands_apart(self, stage: PlannedStage, selection: Selection) -> bool:
        """Whether each merged token must stand in its own place, not in the method's order."""
        between = selection.group.rows[0].spread
        return between or self._spec.adds_by_place or stage.positions == "keep"

    def _check_last(self) -> None:
        """Raise PruningError if the token that the answer is read from would be dropped."""
        for selection in self._prefill.selections:
            kept = selection.columns
            for place, row in enumerate(selection.group.rows):
                if len(row.after_image) or selection.whole:
                    continue
                if not bool((kept[place] == row.last).any()):
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


def _origins(selection: Selection, kept: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Which original token each slot holds once merged tokens have taken theirs."""
    tokens = selection.tokens(selection.alive)
    stands_for = torch.where(anchors >= 0, tokens.gather(1, anchors.clamp_min(0)), -1)
    return selection.origin.scatter(1, kept, stands_for)


def _put(
    hidden: torch.Tensor, group: Group, places: torch.Tensor, states: torch.Tensor
) -> torch.Tensor:
    """The states with those of a group's rows at `places` replaced, and of all that follow them."""
    places, states = group.repeated(places), group.repeated(states.to(hidden.dtype))
    if group.numbers == tuple(range(len(hidden))):
        return hidden.scatter(1, places[..., None].expand(states.shape), states)
    rows = put(np.array(group.numbers), hidden.device)
    return hidden.index_put((rows[:, None], places), states)
