"""What a decoder stack is called with, and the same for a shortened sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pruneviz.errors import PruningError
from pruneviz.pruning.frames import Frame


@dataclass(frozen=True, eq=False)
class DecoderInputs:
    """Arguments of one forward of the decoder stack."""

    kwargs: dict[str, Any]
    input_ids: torch.Tensor | None
    embeds: torch.Tensor
    mask: Any
    position_ids: torch.Tensor | None
    cache: Any

    @classmethod
    def read(cls, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> DecoderInputs:
        """Read a call's arguments.

        A prefill by ids is embedded here: hooks need the embeddings anyway.
        """
        names = ("input_ids", "attention_mask", "position_ids", "past_key_values", "inputs_embeds")
        if len(args) > len(names):
            raise PruningError("Call the language model with keyword arguments.")
        merged = dict(zip(names, args, strict=False)) | kwargs
        ids = merged.get("input_ids")
        embeds = merged.get("inputs_embeds")
        if embeds is None:
            if ids is None:
                raise PruningError("The language model needs input_ids or inputs_embeds.")
            embeds = module.embed_tokens(ids)
        return cls(
            merged,
            ids,
            embeds,
            merged.get("attention_mask"),
            merged.get("position_ids"),
            merged.get("past_key_values"),
        )

    @property
    def batch(self) -> int:
        """Rows."""
        return self.embeds.shape[0]

    @property
    def length(self) -> int:
        """Tokens per row of this forward."""
        return self.embeds.shape[1]

    def columns(self) -> torch.Tensor:
        """0, 1, 2 and so on for every row, int64 ``[batch, length]``."""
        return torch.arange(self.length, device=self.embeds.device).expand(self.batch, -1)

    def positions(self, start: int = 0) -> torch.Tensor:
        """Position ids ``[batch, length]``; where none were given, counted from `start`.

        ``[channels, batch, length]`` where they were given so.
        """
        given = self.position_ids
        if given is not None and given.ndim in (2, 3):
            return given.expand(*given.shape[:-2], self.batch, -1)
        counted = torch.arange(start, start + self.length, device=self.embeds.device)
        return counted.expand(self.batch, -1)

    def shortened(self, embeds: torch.Tensor, frame: Frame) -> dict[str, Any]:
        """Arguments of the prefill with only a frame's tokens, `embeds` ``[batch, n, hidden]``."""
        changed = self.kwargs | {
            "input_ids": None,
            "inputs_embeds": embeds,
            "position_ids": frame.positions,
        }
        if frame.valid is not None:
            changed["attention_mask"] = frame.valid.long()
        elif self.mask is not None or self.cache is None:
            # Without mask and cache, gaps between positions would be read as packed sequences.
            changed["attention_mask"] = torch.ones_like(frame.columns)
        return changed


def expand_rows(tensor: torch.Tensor, batch: int, what: str) -> torch.Tensor:
    """Repeat the rows of a tensor given per sample for beams or returned sequences."""
    rows = tensor if tensor.ndim == 2 else tensor.unsqueeze(0)
    if rows.ndim != 2 or batch % rows.shape[0]:
        raise PruningError(
            f"{what} has shape {tuple(tensor.shape)}, which does not fit a batch of {batch}."
        )
    return rows.repeat_interleave(batch // rows.shape[0], dim=0)
