"""What a decoder stack does, counted by hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder


@dataclass
class Work:
    """What a decoder stack did.

    Attributes
    ----------
    passes : int
        Forwards of the stack, decode steps among them.
    token_layers : int
        Tokens that its layers computed, summed over them: layers that are passed by do not count.
    """

    passes: int = 0
    token_layers: int = 0


@contextmanager
def counted(decoder: Decoder) -> Iterator[Work]:
    """Count what a decoder stack does while the block runs."""
    work = Work()

    def on_stack(*_: Any) -> None:
        work.passes += 1

    def on_output(_: Any, args: tuple[torch.Tensor, ...]) -> None:
        work.token_layers += args[0].shape[0] * args[0].shape[1]

    with ExitStack() as handles:
        handles.callback(decoder.module.register_forward_pre_hook(on_stack).remove)
        layers: Any = decoder.layers
        for layer in layers:
            # What every layer that runs has to do last in its attention.
            projection = layer.self_attn.o_proj
            handles.callback(projection.register_forward_pre_hook(on_output).remove)
        yield work
