"""One answer of one model, token by token."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from pruneviz.engine.answers import text_of
from pruneviz.engine.penalty import penalised
from pruneviz.engine.prepared import Prepared
from pruneviz.engine.results import Settings
from pruneviz.engine.streaming import StopWhen, TokenStream
from pruneviz.models.core.loading import LoadedModel


@dataclass(frozen=True, eq=False)
class Told:
    """What a model said to a prompt.

    Attributes
    ----------
    tokens : tuple of int
        The answer.
    logits : torch.Tensor
        ``[tokens, vocabulary]``: what each was read from.
    cache : Any
        Holds the prompt and all of these tokens but the last.
    prefill, per_token : float
        Seconds, see :class:`~pruneviz.engine.results.Times`.
    """

    tokens: tuple[int, ...]
    logits: torch.Tensor
    cache: Any
    prefill: float
    per_token: float


def tell(
    loaded: LoadedModel,
    prepared: Prepared,
    settings: Settings,
    on_text: Callable[[str], None],
    stop: threading.Event,
) -> Told:
    """Generate inside a block that is there already; hands on the text so far."""
    stream = TokenStream(lambda ids: text_of(loaded, ids), on_text)
    made = loaded.model.generate(
        **asked(loaded, prepared, settings, stop),
        output_logits=True,
        return_dict_in_generate=True,
        streamer=stream,
    )
    return Told(
        tokens=tuple(made.sequences[0].tolist()),
        logits=torch.cat(made.logits),
        cache=made.past_key_values,
        prefill=stream.prefill_seconds,
        per_token=stream.seconds_per_token,
    )


def asked(
    loaded: LoadedModel, prepared: Prepared, settings: Settings, stop: threading.Event
) -> dict[str, Any]:
    """What `generate` is called with for a greedy answer that can be stopped."""
    return {
        **prepared.inputs,
        **penalised(loaded.model, prepared.input_ids),
        "max_new_tokens": settings.max_new_tokens,
        "do_sample": False,
        "num_beams": 1,
        "stopping_criteria": [StopWhen(stop)],
    }
