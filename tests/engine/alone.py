"""A whole run of its own, which shares and remembers nothing: what a session must come to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from pruneviz.engine.answers import Generated, answered, finite, label
from pruneviz.engine.feeding import block
from pruneviz.engine.generate import tell
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings, Times
from pruneviz.methods.base import Method
from pruneviz.models.core.loading import LoadedModel


def generate(
    loaded: LoadedModel,
    prepared: Prepared,
    method: Method | None,
    settings: Settings,
    on_text: Callable[[str], None],
    stop: threading.Event,
) -> Generated:
    """One answer, greedily; `method` None is the baseline."""
    with torch.no_grad(), block(loaded, prepared, method) as run:
        told = tell(loaded, prepared, settings, on_text, stop)
    answer = answered(
        loaded,
        prepared,
        method,
        told.tokens,
        run.trace,
        Times(prepared.vision_seconds, run.scoring_seconds, told.prefill, told.per_token),
        stopped=stop.is_set(),
    )
    return Generated(answer, finite(loaded, told.logits, label(method)))
