"""What a model predicts of an answer while tokens are hidden, for many choices at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from pruneviz.models.core.decoder import Decoder
from pruneviz.pruning.sharing import put_in


class Hiding:
    """Hides columns of a prompt in every layer, and reads what is predicted of an answer.

    A column that no query may look at is as good as removed. What stands before the first hidden
    column does not change, for attention is causal: its keys and values are computed once.

    Parameters
    ----------
    model
        Takes embeddings.
    decoder : Decoder
        Its decoder stack.
    inputs : dict of str to torch.Tensor
        The prompt, batch 1, without padding: ``inputs_embeds``, ``attention_mask`` and, where the
        family computes them, ``position_ids``.
    visual : torch.Tensor
        Bool ``[sequence]``, True at visual tokens.
    answer : sequence of int
        Tokens, at least one.
    positions : {"keep", "renumber"}
        Whether what stays keeps its positions, or is counted without gaps.
    """

    def __init__(
        self,
        model: Any,
        decoder: Decoder,
        inputs: dict[str, Any],
        visual: torch.Tensor,
        answer: Sequence[int],
        positions: str,
    ) -> None:
        self._model, self._renumber = model, positions == "renumber"
        self._count, device = len(answer), visual.device
        self._length = len(visual)
        last = self._length - 1
        # In three dimensions a picture's own positions are no count, so nothing of it is shared.
        flat = not (self._renumber and decoder.multimodal_rope)
        self._most = last if flat else min(last, int(visual.nonzero()[0]))
        ids = torch.tensor([list(answer[:-1])], dtype=torch.long, device=device)
        embeds = inputs["inputs_embeds"]
        said = model.get_input_embeddings()(ids).to(embeds.dtype)
        self._embeds = torch.cat([embeds, said], dim=1)
        counted = torch.arange(self._length, device=device)[None]
        given = inputs.get("position_ids", counted)
        more = torch.arange(1, self._count, device=device)
        self._positions = torch.cat([given, given[..., -1:] + more], dim=-1)
        with torch.no_grad():
            out = model(**inputs, use_cache=True, logits_to_keep=1)
        layers = out.past_key_values.layers
        self._cache = [(layer.keys, layer.values) for layer in layers]

    def fed(self, hidden: np.ndarray) -> int:
        """How many tokens of each row are fed, the others being known."""
        return int(self._embeds.shape[1]) - self._start(hidden)

    @torch.no_grad()
    def logits(self, hidden: np.ndarray) -> torch.Tensor:
        """What is predicted for each token of the answer: ``[rows, tokens, vocabulary]``.

        `hidden` is bool ``[rows, sequence]``, True at columns of the prompt that are hidden; not
        the last one.
        """
        rows, start = len(hidden), self._start(hidden)
        seen = torch.from_numpy(~hidden).to(self._embeds.device)
        said = seen.new_ones(rows, self._embeds.shape[1] - self._length)
        seen = torch.cat([seen, said], dim=1)
        out = self._model(
            inputs_embeds=self._embeds[:, start:].expand(rows, -1, -1),
            attention_mask=seen.long(),
            position_ids=self._places(seen)[..., start:],
            past_key_values=self._known(rows, start),
            use_cache=True,
            logits_to_keep=self._count,
        )
        logits: torch.Tensor = out.logits
        return logits

    def _start(self, hidden: np.ndarray) -> int:
        """The first column that is fed: the first hidden one, or the last of the prompt."""
        columns = np.flatnonzero(hidden.any(0))
        return min(int(columns[0]), self._most) if len(columns) else self._most

    def _known(self, rows: int, start: int) -> Any:
        cache = DynamicCache()
        for index, (keys, values) in enumerate(self._cache):
            own = (part[:, :, :start].expand(rows, -1, -1, -1) for part in (keys, values))
            put_in(cache, index, *own)
        return cache

    def _places(self, seen: torch.Tensor) -> torch.Tensor:
        """Positions of all columns, ``[..., rows, n]``."""
        given = self._positions.expand(*self._positions.shape[:-2], len(seen), -1)
        if not self._renumber:
            return given
        # Closed up from the front: what comes before the first gap keeps its cached keys, and
        # RoPE knows only differences.
        closed = given[..., :1] + (seen.long().cumsum(-1) - 1).clamp_min(0)
        return torch.where(seen.all(-1, keepdim=True), given, closed)


def hides_as_removes(decoder: Decoder) -> bool:
    """Whether positions turn queries and keys alike however many tokens there are.

    RoPE types that choose their frequencies by the length do not.
    """
    rope = getattr(decoder.config, "rope_parameters", None) or {}
    return rope.get("rope_type", "default") not in ("dynamic", "longrope")
