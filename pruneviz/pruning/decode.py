"""A decode step on the cache of a pruned prefill."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.masks import decode_mask, open_mask, valid_keys
from pruneviz.pruning.passes import Pass
from pruneviz.pruning.state import Prefill


class DecodeStep(Pass):
    """Gives one new token what its layers' shorter caches ask for.

    Its positions are those that the model gives it: a prompt that is counted anew is counted from
    its last token back. Where no key is padding one mask goes for caches of every length, so that
    no layer needs a hook; else each stretch of layers has its own.

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
        self._decoder, self._recounted = decoder, recounted
        length = prefill.prompt.frame.length
        self._gone = length - self.frames.base.length
        self._past = inputs.cache.get_seq_length()
        # Which tokens since the prefill, this one included, are valid; None = all.
        self._later: Any = None if inputs.mask is None else inputs.mask[:, length:]
        self.in_layers = self.frames.ragged or not (self._later is None or bool(self._later.all()))
        if self.in_layers and self._later is None:
            new = self._past - self.frames.base.length + inputs.length
            self._later = inputs.embeds.new_ones(inputs.batch, new, dtype=torch.long)

    def stack_inputs(self, inputs: DecoderInputs) -> dict[str, Any]:
        """Positions by the prompt's length, and a mask that fits the stack's first layers."""
        changed = inputs.kwargs | self._positions(inputs)
        if not self.in_layers:
            mask = open_mask(self._decoder.config, inputs.embeds)
            return changed | {"attention_mask": mask}
        # As long as the prompt it may be all the same: with filler in place of what is gone.
        if self.frames.base.whole:
            return changed
        return changed | {"attention_mask": valid_keys(self.frames.base, self._later)}

    def mask(self, frame: Frame, hidden: torch.Tensor) -> Any:
        """Of one token over the frame and what came after it."""
        return decode_mask(self._decoder.config, valid_keys(frame, self._later), hidden.dtype)

    def rotary(self, frame: Frame, hidden: torch.Tensor, tables: Any) -> Any:
        """The stack's own: the token's position is the same in every layer."""
        return tables

    def _positions(self, inputs: DecoderInputs) -> dict[str, Any]:
        """Position ids in place of those that go by the length of the first layer's cache."""
        if not self._gone:
            return {}
        if inputs.position_ids is None:
            return {"position_ids": inputs.positions(self._past + self._gone)}
        return {"position_ids": inputs.position_ids + self._gone} if self._recounted else {}
