"""LLaVA-NeXT's layout: the whole image, then its tiles row by row, a newline after each row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers.image_processing_utils import select_best_resolution

from pruneviz.geometry import PatchGrid
from pruneviz.models.core.tiles import TILES, WHOLE


def tiling(config: Any, image_size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """Rows and columns of tiles that an image (width, height) is cut into, patches per side."""
    crop = config.vision_config.image_size
    size = [image_size[1], image_size[0]]
    height, width = select_best_resolution(size, config.image_grid_pinpoints)
    return (height // crop, width // crop), crop // config.vision_config.patch_size


def numbered(tiles: tuple[int, int], side: int) -> torch.Tensor:
    """The number of every patch of every crop, float64 ``[crops, patches, 1]``."""
    crops = 1 + tiles[0] * tiles[1]
    return torch.arange(crops * side * side, dtype=torch.float64).view(crops, -1, 1)


@dataclass(frozen=True)
class Layout:
    """Where every visual token of one image comes from.

    Attributes
    ----------
    source : torch.Tensor
        Int64 ``[tokens]``: crop times patches per crop plus patch, -1 for a newline. Crop 0 is
        the whole image.
    tiles : tuple of int
        Rows and columns of tiles.
    side : int
        Patches per side of a crop.
    """

    source: torch.Tensor
    tiles: tuple[int, int]
    side: int

    @classmethod
    def of(cls, model: Any, image_size: tuple[int, int]) -> Layout:
        """Read it off the model's own packing, by packing numbers in place of features.

        `image_size` is width and height of the original.
        """
        tiles, side = tiling(model.config, image_size)
        packed, _ = model.model.pack_image_features(
            [numbered(tiles, side)],
            torch.tensor([[image_size[1], image_size[0]]]),
            vision_feature_select_strategy="full",
            image_newline=torch.tensor([-1.0], dtype=torch.float64),
        )
        return cls(packed[0].squeeze(-1).long(), tiles, side)

    @property
    def crops(self) -> int:
        """Crops that the encoder sees: the whole image and every tile."""
        return 1 + self.tiles[0] * self.tiles[1]

    @property
    def tile_grid(self) -> tuple[int, int]:
        """Rows of the tiles' tokens, and tokens in a row with its newline."""
        rows = int((self.source < 0).sum())
        return rows, (len(self.source) - self.side**2) // max(1, rows)

    def crop_of(self) -> torch.Tensor:
        """The crop that each token is from, int64 ``[tokens]``; a newline is of its row's last."""
        own = torch.where(self.source < 0, -1, self.source.clamp_min(0) // self.side**2)
        before = torch.where(own < 0, -1, torch.arange(len(own))).cummax(0).values
        return own[before.clamp_min(0)]

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        """One value per visual token from one per patch of every crop; a newline has the largest.

        `values` ``[crops * patches]``; returns ``[tokens]``.
        """
        source = self.source.to(values.device)
        return torch.where(source < 0, values.max(), values[source.clamp_min(0)])

    def grid(self, image_size: tuple[int, int]) -> PatchGrid:
        """Boxes of the tokens: the tiles' grid, and as its other part the whole image's."""
        across, down = map(float, image_size)
        whole = PatchGrid.regular(image_size, self.side, self.side, (0.0, 0.0, across, down))
        source = self.source.numpy()
        per_crop = self.side**2
        base = np.where((source >= 0) & (source < per_crop), source, -1)
        whole = replace(whole, token_cell=base, title=WHOLE)
        # Row and column of a tile's patch among all tiles' patches, padding included.
        tile, patch = np.divmod(source - per_crop, per_crop)
        row = tile // self.tiles[1] * self.side + patch // self.side
        column = tile % self.tiles[1] * self.side + patch % self.side
        inside = source >= per_crop
        if not inside.any():
            # A strip so thin that no row of the tiles shows it.
            return whole
        rows, columns = (np.unique(places[inside]) for places in (row, column))
        top, left = int(rows[0]), int(columns[0])
        cells = np.where(inside, (row - top) * len(columns) + column - left, -1)
        view = self._view(image_size, (left, top, left + len(columns), top + len(rows)))
        grid = PatchGrid.regular(image_size, len(rows), len(columns), view)
        return replace(grid, token_cell=cells.astype(np.int64), title=TILES, others=(whole,))

    def _view(
        self, image_size: tuple[int, int], cells: tuple[int, int, int, int]
    ) -> tuple[float, float, float, float]:
        """Rectangle of cells of the padded tiles in original pixels.

        The image is scaled into the tiles keeping its shape (sizes rounded up) and centred.
        """
        patches = (self.tiles[1] * self.side, self.tiles[0] * self.side)
        scale = min(p / length for p, length in zip(patches, image_size, strict=True))
        found = []
        for axis in range(2):
            length, room = image_size[axis], patches[axis]
            # In patches; the processor rounds up to whole pixels, which is far less than one.
            taken = min(length * scale, room)
            start = (room - taken) / 2
            found.append([(cells[axis + end] - start) * length / taken for end in (0, 2)])
        (left, right), (top, bottom) = found
        return left, top, right, bottom
