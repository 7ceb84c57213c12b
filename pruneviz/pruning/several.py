"""Several tokens at once on the cache of a pruned prefill."""

from __future__ import annotations

from typing import Any

import torch

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.checks import check_continuation
from pruneviz.pruning.decode import DecodeStep
from pruneviz.pruning.frames import Frame
from pruneviz.pruning.inputs import DecoderInputs
from pruneviz.pruning.masks import for_backend
from pruneviz.pruning.state import Prefill


class SeveralTokens(DecodeStep):
    """A decode step of more than one token.

    Each stretch of layers needs a causal mask of its own cache's length: where there is none,
    SDPA would take as many keys as queries. Parameters as of :class:`DecodeStep`.

    Raises
    ------
    PruningError
        Where a key is padding.
    """

    def __init__(
        self, decoder: Decoder, prefill: Prefill, inputs: DecoderInputs, recounted: bool
    ) -> None:
        super().__init__(decoder, prefill, inputs, recounted)
        if self.in_layers:
            check_continuation(inputs.length)
        self.in_layers = True
        # Tokens since the prefill, these included.
        self._since = inputs.cache.get_seq_length() - self.frames.base.length + inputs.length

    def stack_inputs(self, inputs: DecoderInputs) -> dict[str, Any]:
        """Positions by the prompt's length, and as many keys as the stack's first layers have."""
        base = self.frames.base
        seen = base.columns.new_ones(inputs.batch, base.length + self._since)
        return inputs.kwargs | self._positions(inputs) | {"attention_mask": seen}

    def mask(self, frame: Frame, hidden: torch.Tensor) -> Any:
        """Causal, of the new tokens over the frame and all that came after it."""
        backend = str(self._decoder.config._attn_implementation)
        return causal_mask(backend, hidden, frame.length + self._since)


def causal_mask(backend: str, hidden: torch.Tensor, keys: int) -> torch.Tensor | None:
    """What the last tokens, `hidden` ``[batch, n, width]``, may see of so many keys.

    Bool ``[batch, 1, n, keys]``; what eager attention adds; None where the backend aligns
    queries with the last keys by itself.
    """
    if "flash" in backend:
        return None
    batch, queries = hidden.shape[:2]
    seen = torch.ones(queries, keys, dtype=torch.bool, device=hidden.device)
    seen = seen.tril(keys - queries).expand(batch, 1, -1, -1)
    return for_backend(backend, seen, hidden.dtype)
