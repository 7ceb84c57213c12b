"""LLaVA-OneVision's layout: LLaVA-NeXT's, with tiles that may be scaled down after encoding."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

from pruneviz.errors import UnsupportedModelError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.tiles import TILES, WHOLE
from pruneviz.models.llava_next.layout import Layout, numbered, tiling

UNLIMITED = f"anyres_max_{10**9}"
Edges = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class OnevisionLayout(Layout):
    """Where every visual token of one image comes from.

    Attributes
    ----------
    shown : torch.Tensor
        Int64 ``[rows, columns]``: the tiles' patches that are left without the padding, numbered
        as in `source`. Where the model scales them down, there are fewer tokens than these, and
        `source` has for each the patch under its middle.
    patch, crop : int
        Sides of a patch and of a crop in pixels. Patches need not fill the crop: at 384 pixels
        and 14 a patch, the encoder leaves out 6 pixels at the right and at the bottom.
    """

    shown: torch.Tensor
    patch: int
    crop: int

    @classmethod
    def of(cls, model: Any, image_size: tuple[int, int], limit: str | None = None) -> Layout:
        """Read it off the model's own packing, by packing numbers in place of features.

        `image_size` is width and height of the original; `limit` the ``vision_aspect_ratio``,
        None for the model's own.
        """
        limit = limit or str(model.config.vision_aspect_ratio)
        if not re.fullmatch(r"anyres_max_\d+", limit):
            raise UnsupportedModelError(
                f"vision_aspect_ratio {limit!r} is not supported; set it to 'anyres_max_9' or "
                "another 'anyres_max_N' in the model's config."
            )
        tiles, side = tiling(model.config, image_size)

        def packed(most: str) -> torch.Tensor:
            found, _ = model.model.pack_image_features(
                [numbered(tiles, side)],
                torch.tensor([[image_size[1], image_size[0]]]),
                image_newline=torch.tensor([-1.0], dtype=torch.float64),
                vision_aspect_ratio=most,
            )
            return found[0].squeeze(-1)[side**2 :]

        shown, tokens = _rows(packed(UNLIMITED))[:, :-1].long(), _rows(packed(limit))
        rows, columns = (
            ((torch.arange(few) + 0.5) * many / max(few, 1)).long()
            for few, many in zip((len(tokens), tokens.shape[1] - 1), shown.shape, strict=True)
        )
        ended = pad(shown[rows][:, columns], (0, 1), value=-1)
        source = torch.cat([torch.arange(side**2), ended.flatten()])
        vision = model.config.vision_config
        return cls(source, tiles, side, shown, vision.patch_size, vision.image_size)

    @classmethod
    def one_crop(cls, model: Any) -> Layout:
        """One of several images in a prompt: no tiles, and a newline after its tokens.

        For what is gathered from the encoder; such an image is padded to a square, which
        :meth:`grid` does not know.
        """
        vision = model.config.vision_config
        side = vision.image_size // vision.patch_size
        source = torch.cat([torch.arange(side**2), torch.tensor([-1])])
        none = torch.empty(1, 0, dtype=torch.long)
        return cls(source, (0, 0), side, none, vision.patch_size, vision.image_size)

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        """As of any layout; values of tiles that are scaled down are interpolated like features."""
        found = super().gather(values)
        rows, columns = self._scaled
        if (rows, columns) != tuple(self.shown.shape):
            tiles = values[self.shown.to(values.device)][None, None]
            found[self.side**2 :].view(rows, columns + 1)[:, :-1] = interpolate(
                tiles, (rows, columns), mode="bilinear"
            )[0, 0]
        return found

    @property
    def _scaled(self) -> tuple[int, int]:
        """Rows of the tiles' tokens, and tokens in a row without its newline."""
        rows, columns = self.tile_grid
        return rows, max(columns - 1, 0)

    def grid(self, image_size: tuple[int, int]) -> PatchGrid:
        """Boxes of the tokens: the tiles' grid, and as its other part the whole image's.

        A token that was interpolated has the box of its cell, so of all patches it stands for.
        """
        seen = self.side * self.patch / self.crop
        view = (0.0, 0.0, image_size[0] * seen, image_size[1] * seen)
        whole = PatchGrid.regular(image_size, self.side, self.side, view)
        numbers = np.arange(len(self.source))
        base = np.where(numbers < self.side**2, numbers, -1)
        whole = replace(whole, token_cell=base, title=WHOLE)
        if not self.shown.numel():
            # A strip so thin that no row of the tiles shows it.
            return whole
        y, x = (self._edges(axis, image_size) for axis in range(2))
        cells = np.arange(math.prod(self._scaled)).reshape(self._scaled)
        cells = np.pad(cells, ((0, 0), (0, 1)), constant_values=-1)
        cells = np.concatenate([np.full(self.side**2, -1), cells.flatten()])
        grid = PatchGrid.of_edges(image_size, x, y, cells)
        return replace(grid, title=TILES, others=(whole,))

    def _edges(self, axis: int, image_size: tuple[int, int]) -> Edges:
        """Where rows (axis 0) or columns (axis 1) of the tiles' tokens start and end.

        Float64 in original pixels; may reach beyond the image.
        """
        tile, patch = divmod(int(self.shown[0, 0]) - self.side**2, self.side**2)
        first = divmod(tile, self.tiles[1])[axis] * self.side + divmod(patch, self.side)[axis]
        many, few = self.shown.shape[axis], self._scaled[axis]
        start, taken = self._placed(axis, image_size)
        scale = image_size[1 - axis] / taken
        # In whole numbers, so that no cell reaches over a tile's rim by a rounding error.
        starts = [self._pixel(first + i * many // few, i * many % few / few) for i in range(few)]
        ends = []
        for i in range(1, few + 1):
            last = (i * many - 1) // few
            ends.append(self._pixel(first + last, i * many / few - last))
        return (np.array(starts) - start) * scale, (np.array(ends) - start) * scale

    def _pixel(self, patch: int, within: float) -> float:
        """Pixel of the padded tiles at a fraction of a patch, counted among all tiles' patches."""
        tile, own = divmod(patch, self.side)
        return tile * self.crop + (own + within) * self.patch

    def _placed(self, axis: int, image_size: tuple[int, int]) -> tuple[int, int]:
        """Where the processor puts the image among the padded tiles' pixels, and how long it is.

        It is scaled into the tiles keeping its shape, rounded up to whole pixels, and centred.
        """
        room = (self.tiles[0] * self.crop, self.tiles[1] * self.crop)
        scale = min(room[0] / image_size[1], room[1] / image_size[0])
        taken = min(math.ceil(image_size[1 - axis] * scale), room[axis])
        return (room[axis] - taken) // 2, taken


def _rows(packed: torch.Tensor) -> torch.Tensor:
    """Rows of packed tokens, each with its newline (the only negative numbers)."""
    rows = int((packed < 0).sum())
    return packed.view(rows, -1) if rows else packed.new_empty(0, 1)
