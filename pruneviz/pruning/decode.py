"""A decode step on the cache of a pruned prefill."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.masks import decode_mask
from pruneviz.pruning.passes import Pass
from pruneviz.pruning.state import Prefill


class DecodeStep(Pass):
    """Gives one new token the positions and masks that each layer's shorter cache asks for.

    Parameters
    ----------
    decoder : Decoder
        The stack.
    prefill : Prefill
        What filled the cache.
    inputs : DecoderInputs
        What the stack is called with.
    recounted : bool
        Whether the positions among them were counted by the length of the first layer's cache
        instead of the prompt's.
    """

    def __init__(
        self, decoder: Decoder, prefill: Prefill, inputs: DecoderInputs, recounted: bool
    ) -> None:
        super().__init__(prefill.frames)
        self._decoder = decoder
        length = prefill.prompt.frame.length
        gone = length - self.frames.base.length
        past = inputs.cache.get_seq_length()
        # Tokens since the prefill, this one included, and their mask, None = all valid.
        self._new = past - self.frames.base.length + inputs.length
        self._later = None if inputs.mask is None else inputs.mask[:, length:].bool()
        counted = inputs.positions(past + gone)
        self._positions = counted + gone if recounted else counted

    def stack_inputs(self, inputs: DecoderInputs) -> dict[str, Any] | None:
        """Positions and mask of a stack whose prompt was pruned before it."""
        base = self.frames.base
        if base is self.frames.full:
            return None
        changed = inputs.kwargs | {"position_ids": self._positions_in(base)}
        if base.valid is None and inputs.mask is None:
            return changed
        past = torch.ones_like(base.columns) if base.valid is None else base.valid.long()
        later = torch.ones_like(past[:, :1]).expand(-1, self._new)
        if self._later is not None:
            later = self._later.long()
        return changed | {"attention_mask": torch.cat([past, later], dim=1)}

    def mask(self, frame: Frame, hidden: torch.Tensor) -> Any:
        """Of one token over the frame and what came after it."""
        return decode_mask(self._decoder.config, frame, self._new, self._later, hidden.dtype)

    def rotary(self, frame: Frame, hidden: torch.Tensor, tables: Any) -> Any:
        """The stack's own unless the frame counts positions anew."""
        if not frame.renumbered:
            return tables
        return self._decoder.rotary(hidden, self._positions_in(frame))

    def _positions_in(self, frame: Frame) -> torch.Tensor:
        """The token's position as a frame counts it."""
        steps, shift = self._positions, frame.shift[..., None]
        if steps.ndim == shift.ndim == 3:
            # One of them may hold the text's positions before the three others.
            channels = min(len(steps), len(shift))
            steps, shift = steps[-channels:], shift[-channels:]
        return steps - shift
