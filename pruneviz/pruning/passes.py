"""One forward of the decoder stack, as far as its layers must see another sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from pruneviz.pruning.frames import Frame, Frames
from pruneviz.pruning.inputs import DecoderInputs


class Pass(ABC):
    """A forward of the decoder stack in which tokens are removed or were removed before.

    Hooks ask it what to change. It lives until the next forward.

    Parameters
    ----------
    frames : Frames
        What each layer sees.

    Attributes
    ----------
    in_layers : bool
        Whether layers must hear what to change, and not the stack alone.
    """

    in_layers = True

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self._made: dict[Frame, dict[str, Any]] = {}

    @abstractmethod
    def stack_inputs(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Keyword arguments in place of the stack's own, None where those are right."""

    @abstractmethod
    def mask(self, frame: Frame, hidden: torch.Tensor) -> Any:
        """Attention mask of a layer that `hidden` ``[batch, n, hidden]`` enters."""

    @abstractmethod
    def rotary(self, frame: Frame, hidden: torch.Tensor, tables: Any) -> Any:
        """Its rotary tables; `tables` are the stack's own."""

    def before_layer(
        self, index: int, hidden: torch.Tensor, kwargs: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Keyword arguments in place of a layer's own, None where those are right."""
        frame = self.frames.at(index)
        if frame is self.frames.base:
            return None
        if frame not in self._made:
            # Layers read positions through the rotary tables alone; gapped ids would only make
            # FlashAttention take the sequence for several packed ones.
            self._made[frame] = {
                "attention_mask": self.mask(frame, hidden),
                "position_embeddings": self.rotary(frame, hidden, kwargs["position_embeddings"]),
                "position_ids": None,
            }
        return kwargs | self._made[frame]
