"""Attention that an answer's tokens pay to the visual tokens of the prompt before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.models.core.decoder import Decoder
from pruneviz.ops import attention_rows, rotated
from pruneviz.pruning.compiled import as_written
from pruneviz.pruning.report import held_at
from pruneviz.pruning.signals import queries_of
from pruneviz.pruning.state import Prefill

ELEMENTS = 1 << 24
"""Largest number of attention probabilities held at once: what bounds the memory."""


class AnswerAttention:
    """Reads a forward of several tokens on the cache of a prompt, batch 1, layer by layer.

    Queries and keys are read where attention is computed, whatever computes it; of each layer
    nothing stays but the mean over its heads.

    Parameters
    ----------
    decoder : Decoder
        The stack.
    prefill : Prefill
        The prompt, whose first row is read.
    layerwise : bool
        Whether every layer is kept, and not their sum alone.

    Attributes
    ----------
    total : torch.Tensor or float
        Float32 ``[tokens, num_visual]``, summed over layers: the share of all that a token attends
        to, averaged over heads; NaN at visual tokens that a layer does not hold. 0 at first.
    layers : list of torch.Tensor
        The same of each layer, where they are kept.
    shares : list of torch.Tensor
        Of each layer float32 ``[tokens]``: what goes to all visual tokens together, those that
        stand for no patch included.
    """

    def __init__(self, decoder: Decoder, prefill: Prefill, layerwise: bool) -> None:
        self._decoder, self._prefill, self._layerwise = decoder, prefill, layerwise
        self._row = prefill.prompt.rows[0]
        self._records = prefill.records(self._row.number)
        self.total: torch.Tensor | float = 0.0
        self.layers: list[torch.Tensor] = []
        self.shares: list[torch.Tensor] = []

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read the forward that runs in the block."""
        with ExitStack() as handles:
            for index in range(self._decoder.num_layers):
                layer = handles.enter_context(as_written(self._decoder.layers, index))
                hook = layer.self_attn.register_forward_hook(self._hook(index), with_kwargs=True)
                handles.callback(hook.remove)
            yield

    def _hook(self, index: int) -> Callable[[Any, tuple[Any, ...], dict[str, Any], Any], None]:
        def hook(
            attention: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _output: Any
        ) -> None:
            normed = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            rows = self._rows(index, attention, normed, kwargs)
            places, tokens = held_at(self._prefill, self._row, self._records, index)
            seen = rows[:, places]
            spread = seen.new_full((len(seen), self._row.num_visual), torch.nan)
            known = torch.from_numpy(tokens).to(seen.device)
            spread[:, known[known >= 0]] = seen[:, known >= 0]
            self.total = self.total + spread
            self.shares.append(seen.sum(-1))
            if self._layerwise:
                self.layers.append(spread)

        return hook

    def _rows(
        self, index: int, attention: Any, normed: torch.Tensor, kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """Attention of the new tokens, averaged over heads: float32 ``[tokens, keys]``."""
        cos, sin = (
            table[:, None] for table in self._decoder.per_token(kwargs["position_embeddings"])
        )
        query = rotated(queries_of(attention, normed), cos, sin)
        keys = _keys(kwargs.get("past_key_values"), index)
        scaling = float(getattr(attention, "scaling", attention.head_dim**-0.5))
        count, length = query.shape[2], keys.shape[2]
        later = torch.ones(count, length, dtype=torch.bool, device=keys.device)
        later = later.triu(length - count + 1)[None, None]
        block = max(1, ELEMENTS // (query.shape[1] * length))
        found = []
        for at in range(0, count, block):
            own = slice(at, at + block)
            seen = attention_rows(query[:, :, own], keys, scaling, later[:, :, own])
            found.append(seen[0].mean(0))
        return torch.cat(found)


def _keys(cache: Any, index: int) -> torch.Tensor:
    """All keys of a layer after RoPE, ``[1, kv_heads, n, head_dim]``, those just added included."""
    layers = getattr(cache, "layers", ())
    keys: torch.Tensor | None = layers[index].keys if index < len(layers) else None
    if keys is None:
        raise PruningError("The model keeps its keys in no cache that can be read.")
    return keys
