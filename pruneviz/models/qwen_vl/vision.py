"""What FoPru reads from the vision encoders of Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import nn

from pruneviz.models.core.towers import Handles, index_of
from pruneviz.models.core.vision import EncoderRecord
from pruneviz.ops import larger_variance, self_attention_means

Means = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class QwenVisionRecord(EncoderRecord):
    """Inputs of a block's attention over whole images.

    Attributes
    ----------
    attention : nn.Module
        The attention module (one projection for queries, keys and values).
    hidden : torch.Tensor
        Its input, ``[patches, width]``: all images one after another, patches in window order. A
        frame of a video is an image here: the encoder looks at each by itself.
    rotary : tuple of torch.Tensor
        Cosines and sines, ``[patches, head_dim]``, in the same order.
    sizes : tuple of tuple of int
        Rows and columns of patches of each image.
    merge : int
        Patches per side that are merged into one visual token.
    window : int
        Visual tokens per side of a window; 0 where the encoder has no windows.
    encoder_index : int or None
        Index of the block, from 0.
    """

    attention: nn.Module
    hidden: torch.Tensor
    rotary: tuple[torch.Tensor, torch.Tensor]
    sizes: tuple[tuple[int, int], ...]
    merge: int
    window: int
    encoder_index: int | None = None

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of visual tokens of each image."""
        return tuple((rows // self.merge, columns // self.merge) for rows, columns in self.sizes)

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """One grid an image."""
        return tuple((grid,) for grid in self.grids)

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens of each image."""
        return tuple(rows * columns for rows, columns in self.grids)

    @property
    def encoder_tokens(self) -> int:
        """Patches of the first image."""
        rows, columns = self.sizes[0]
        return rows * columns

    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of every visual token: the mean over its patches.

        The encoder has no CLS token, so `include_cls` changes nothing.
        """
        return self._each(larger_variance, images)

    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention averaged over all queries, and over a token's patches, float32."""
        return self._each(lambda received, _: received, images)

    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """The same: the encoder has no CLS token."""
        return self.received(images)

    @torch.no_grad()
    def _each(self, choose: Means, images: slice) -> torch.Tensor:
        chosen = range(len(self.sizes))[images]
        start = sum(rows * columns for rows, columns in self.sizes[: chosen.start])
        found = []
        # Images of one size after one another are looked at together.
        for (rows, columns), alike in groupby(self.sizes[index] for index in chosen):
            count = len(list(alike))
            stop = start + count * rows * columns
            found.append(self._alike(slice(start, stop), count, (rows, columns), choose))
            start = stop
        return torch.cat(found) if len(found) > 1 else found[0]

    def _alike(
        self, patches: slice, count: int, size: tuple[int, int], choose: Means
    ) -> torch.Tensor:
        """Of so many images of one size, one after another, ``[tokens]``."""
        attention: Any = self.attention
        hidden, heads = self.hidden[patches], attention.num_heads
        shape = count, len(hidden) // count, 3, heads, -1
        query, key, _ = attention.qkv(hidden).view(shape).unbind(2)
        cos, sin = (table[patches].float().view(*shape[:2], 1, -1) for table in self.rotary)
        query, key = (_rotate(rows.float(), cos, sin).transpose(1, 2) for rows in (query, key))
        scaling = query.shape[-1] ** -0.5
        received, emitted = self_attention_means(query, key, scaling, 0)
        # Patches of one visual token lie together, also in window order.
        tokens = choose(received, emitted).view(count, -1, self.merge**2).mean(-1)
        grid = size[0] // self.merge, size[1] // self.merge
        place = torch.from_numpy(_place_in_windows(*grid, self.window)).to(tokens.device)
        return tokens[:, place].flatten()


def _rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    low, high = states.chunk(2, dim=-1)
    return states * cos + torch.cat([-high, low], dim=-1) * sin


@lru_cache(maxsize=64)
def window_order(rows: int, columns: int, window: int) -> np.ndarray:
    """Which token comes where when a grid is read window by window, each row by row.

    Returns int64 ``[rows * columns]``: the row-major index of each token in turn.
    """
    order = np.arange(rows * columns).reshape(rows, columns)
    if not window:
        return order.ravel()
    bands = [order[top : top + window] for top in range(0, rows, window)]
    starts = range(0, columns, window)
    return np.concatenate(
        [band[:, left : left + window].ravel() for band in bands for left in starts]
    )


@lru_cache(maxsize=64)
def _place_in_windows(rows: int, columns: int, window: int) -> np.ndarray:
    """Where each token of a grid, row by row, comes in that order: int64 ``[rows * columns]``."""
    return np.argsort(window_order(rows, columns, window))


def watch_qwen(visual: Any, encoder_index: int, keep: Callable[[EncoderRecord], None]) -> Handles:
    """Register hooks that hand a :class:`QwenVisionRecord` of a block to `keep`."""
    full = getattr(visual, "fullatt_block_indexes", None)
    merge = visual.spatial_merge_size
    window = visual.window_size // merge // visual.patch_size if full else 0
    sizes: list[tuple[int, int]] = []

    def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        grid = kwargs["grid_thw"] if "grid_thw" in kwargs else args[1]
        sizes[:] = [
            (rows, columns) for frames, rows, columns in grid.tolist() for _ in range(frames)
        ]

    def read(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        rotary = kwargs["position_embeddings"]
        seen = (tuple(sizes), merge, window, encoder_index)
        keep(QwenVisionRecord(module, hidden.detach(), rotary, *seen))

    return Handles(
        visual.register_forward_pre_hook(note, with_kwargs=True),
        visual.blocks[encoder_index].attn.register_forward_pre_hook(read, with_kwargs=True),
    )


def full_block(visual: Any, encoder_layer: int | None) -> int:
    """Index from 0 of the encoder block to read.

    FoPru names the penultimate layer because LLaVA uses its features. Here the last block's
    are used; of blocks that see only a window none says what matters in the whole image, so
    the last one with full attention is read. `encoder_layer` is another, counted from 1 or, if
    negative, from the end.

    Raises
    ------
    ValueError
        If there is no such block, or it sees only windows.
    """
    full = getattr(visual, "fullatt_block_indexes", None)
    index = index_of(encoder_layer, max(full) if full else -1, len(visual.blocks))
    if full and index not in full:
        whole = ", ".join(str(block + 1) for block in sorted(full))
        raise ValueError(
            f"Layer {encoder_layer} of this vision encoder attends only within windows. "
            f"Choose one that attends to the whole image: {whole}."
        )
    return index
