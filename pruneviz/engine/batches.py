"""Several questions asked at once: one forward for all whose prompts have one shape."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch

from pruneviz.engine.answers import answered
from pruneviz.engine.feeding import block
from pruneviz.engine.generate import asked
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Answer, Settings, Times
from pruneviz.engine.runs import reach_of
from pruneviz.engine.session import Session
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning.prefix import Prefix, Reach
from pruneviz.pruning.sharing import Sharing

ROW_AXES = {"inputs_embeds": 0, "attention_mask": 0, "position_ids": -2}
"""Along which axis rows of a batch lie in what models are fed."""


def shape_of(prepared: Prepared) -> Hashable | None:
    """What prompts must have in common to be asked in one batch; None where this one must not be.

    Of equal shape they need no padding, so that each is computed as it is alone but for the
    rounding of larger products.
    """
    seen = prepared.vision
    plain = prepared.inputs.keys() <= ROW_AXES.keys() and bool(
        prepared.inputs["attention_mask"].all()
    )
    if not plain or (seen is not None and seen.alike is None):
        return None
    return (
        tuple((name, tuple(value.shape)) for name, value in sorted(prepared.inputs.items())),
        prepared.visual_mask.cpu().numpy().tobytes(),
        None if seen is None else seen.alike,
        prepared.grid.num_tokens,
        (prepared.newlines, prepared.positions),
    )


def questions_at_once(session: Session, most: int, prepared: Prepared) -> int:
    """How many such questions, at most `most`, fit in as much as the session may remember.

    A layer keeps keys and values of every token, and its output where methods start from it.
    """
    decoder = session.loaded.adapter.decoder(session.loaded.model)
    embeds = prepared.inputs["inputs_embeds"]
    bytes_each = 4 * embeds.numel() * embeds.element_size() * decoder.num_layers
    return max(1, min(most, session.memory.limit // bytes_each))


class Batch:
    """Questions of one shape, asked together of one model; their first layers are shared.

    Parameters
    ----------
    session : Session
        Whose model answers; take it with :meth:`Session.alone` while the batch is used.
    questions : sequence of Prepared
        All of one :func:`shape_of`.
    settings : Settings
        How answers are generated; signals are not recorded.
    stop : threading.Event
        Ends a run early; its answers are then marked as stopped.
    """

    def __init__(
        self,
        session: Session,
        questions: Sequence[Prepared],
        settings: Settings,
        stop: threading.Event,
    ) -> None:
        self._session, self._questions = session, list(questions)
        self._settings, self._stop = replace(settings, signals=False), stop
        self._prefix = Prefix()
        self._whole = joined(self._questions)

    def unpruned(self, ahead: Sequence[Method] = ()) -> list[Answer]:
        """An answer to each question; what the methods to come start from is remembered."""
        reach = Reach()
        for method in ahead:
            reach = reach.joined(self._reach(method))
        return self._run(None, reach, self._questions)

    def pruned(self, method: Method) -> list[Answer]:
        """An answer to each question under a method.

        The FLOPs of choosing are counted for all together and shared out evenly.
        """
        seen = [self._session.seen_for(one, method) for one in self._questions]
        return self._run(method, self._reach(method), seen)

    def _reach(self, method: Method) -> Reach:
        session = self._session
        known = session.resolved(method)
        return reach_of(known, self._settings, self._whole, session.num_layers)

    def _run(self, method: Method | None, reach: Reach, seen: Sequence[Prepared]) -> list[Answer]:
        loaded, whole = self._session.loaded, self._whole
        if seen != self._questions:
            whole = joined(seen)
        sharing = Sharing(loaded.adapter.decoder(loaded.model), reach, self._prefix)
        with (
            torch.no_grad(),
            sharing.attached(),
            block(loaded, whole, method, count_flops=method is not None) as run,
        ):
            made = loaded.model.generate(**asked(loaded, whole, self._settings, self._stop))
        if sharing.prefix.cache:
            self._prefix = sharing.prefix
        return [
            answered(
                loaded,
                question,
                method,
                _until_end(loaded, tokens),
                trace,
                Times(question.vision_seconds, 0.0, 0.0, 0.0),
                scoring_flops=round(run.scoring_flops / len(seen)),
                stopped=self._stop.is_set(),
            )
            for question, tokens, trace in zip(seen, made.tolist(), run.traces, strict=True)
        ]


def joined(questions: Sequence[Prepared]) -> Prepared:
    """Questions of one shape as a single one with a row for each; it describes the first."""
    first = questions[0]
    if len(questions) == 1:  # of whatever shape
        return first
    inputs: dict[str, Any] = {
        name: torch.cat([one.inputs[name] for one in questions], dim=ROW_AXES[name])
        for name in first.inputs
    }
    further = zip(*(one.further for one in questions), strict=True)
    return replace(
        first,
        input_ids=torch.cat([one.input_ids for one in questions]),
        visual_mask=torch.cat([one.visual_mask for one in questions]),
        inputs=inputs,
        vision=_together([one.vision for one in questions]),
        further=tuple(_together(list(records)) for records in further),
    )


def _together(records: Sequence[Any]) -> Any:
    """Records of one layer as one; None where there is none."""
    return None if records[0] is None else records[0].joined(records[1:])


def _until_end(loaded: LoadedModel, tokens: Sequence[int]) -> list[int]:
    """A row of a batch without what fills it up behind its end."""
    ends = loaded.model.generation_config.eos_token_id
    stops = set(ends) if isinstance(ends, list | tuple) else {ends}
    last = next((place for place, token in enumerate(tokens) if token in stops), len(tokens))
    return list(tokens[: last + 1])
