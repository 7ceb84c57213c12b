"""One run of a question: answer, trace, and what it predicts of the baseline's answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruneviz.engine.answers import Generated, answered, finite, label
from pruneviz.engine.feeding import block
from pruneviz.engine.generate import Told, tell
from pruneviz.engine.guessing import guess, rest_of
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings, Times
from pruneviz.methods.base import Method, TransitionSpec
from pruneviz.metrics import Fidelity
from pruneviz.models.core.loading import LoadedModel
from pruneviz.pruning.prefix import Prefix, Reach
from pruneviz.pruning.sharing import Sharing
from pruneviz.pruning.spec import SIGNALS
from pruneviz.trace import Trace


@dataclass(frozen=True, eq=False)
class Ran:
    """A finished run.

    Attributes
    ----------
    made : Generated
        The answer.
    fidelity : Fidelity or None
        Against the baseline; None of the baseline itself and where a run was stopped.
    prefix : Prefix
        What is known of the first layers after it.
    """

    made: Generated
    fidelity: Fidelity | None
    prefix: Prefix


def reach_of(method: Method, settings: Settings, prepared: Prepared, num_layers: int) -> Reach:
    """How far a run of a method, resolved for the model, can go with the baseline."""
    read = method.needs.transitions
    if settings.signals and read is not None and replace(read, layers=()) != TransitionSpec(()):
        # It records TTV as the method reads it: another than the baseline's.
        return Reach()
    return Reach.of(method, num_layers, prepared.grid.num_tokens)


def run_baseline(
    loaded: LoadedModel,
    prepared: Prepared,
    settings: Settings,
    on_text: Callable[[str], None],
    stop: threading.Event,
    reach: Reach,
) -> Ran:
    """Answer without pruning; of the layers, what runs of this reach can start from is kept."""
    sharing = Sharing(loaded.adapter.decoder(loaded.model), reach, Prefix())
    record = SIGNALS if settings.signals else ()
    with torch.no_grad(), sharing.attached(), block(loaded, prepared, None, record) as run:
        told = tell(loaded, prepared, settings, on_text, stop)
    answer = answered(
        loaded,
        prepared,
        None,
        told.tokens,
        run.trace,
        _times(prepared, told, run.scoring_seconds),
        stopped=stop.is_set(),
    )
    made = Generated(answer, finite(loaded, told.logits, label(None)))
    return Ran(made, None, sharing.prefix)


def run_pruned(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method,
    settings: Settings,
    reference: Generated,
    sharing: Sharing,
    on_text: Callable[[str], None] | None,
    stop: threading.Event,
) -> Ran:
    """Answer with pruning, in one prefill, and compare.

    Where nobody wants the text while it grows, `on_text` None, the baseline's answer is checked
    in one piece, and only what differs is generated.
    """
    baseline, record = reference.answer, SIGNALS if settings.signals else ()
    forced: torch.Tensor | None = None
    with (
        torch.no_grad(),
        sharing.attached(),
        block(loaded, prepared, method, record, count_flops=True) as run,
    ):
        run.let_several_follow()
        if on_text is None:
            told, forced = guess(loaded, prepared, settings, baseline.token_ids, stop)
        else:
            told = tell(loaded, prepared, settings, on_text, stop)
        stopped = stop.is_set()
        if forced is None and not (stopped or baseline.stopped):
            length = run.trace.kv_lengths[0]
            forced = rest_of(loaded, prepared, told, length, baseline.token_ids)
    answer = answered(
        loaded,
        prepared,
        method,
        told.tokens,
        _whole(run.trace, sharing.passed, baseline.trace),
        _times(prepared, told, run.scoring_seconds),
        scoring_flops=run.scoring_flops,
        stopped=stopped,
    )
    made = Generated(answer, finite(loaded, told.logits, answer.label))
    fidelity = None
    if forced is not None and not (stopped or baseline.stopped):
        logits = finite(loaded, forced, answer.label)
        fidelity = reference.fidelity(told.tokens, logits)
    return Ran(made, fidelity, sharing.prefix)


def _whole(trace: Trace, passed: int, baseline: Trace) -> Trace:
    """The trace with the baseline's signals in the layers that were passed by."""
    if not passed or not trace.signals:
        return trace
    signals = {
        name: np.concatenate([baseline.signals[name][:passed], values[passed:]])
        for name, values in trace.signals.items()
    }
    shares = {
        name: (*baseline.shares[name][:passed], *sizes[passed:])
        for name, sizes in trace.shares.items()
    }
    return replace(trace, signals=signals, shares=shares)


def _times(prepared: Prepared, told: Told, scoring: float) -> Times:
    return Times(prepared.vision_seconds, scoring, told.prefill, told.per_token)
