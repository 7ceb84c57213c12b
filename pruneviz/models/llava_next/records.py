"""What methods read of crops that LLaVA-NeXT puts together with newlines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from pruneviz.models.core.vision import EncoderRecord, VisionRecord
from pruneviz.models.llava_next.layout import Layout


@dataclass
class PackedRecord(EncoderRecord):
    """What is read of crops or frames that are put together with newlines.

    Attributes
    ----------
    crops : VisionRecord
        Of all of them.
    newlines : bool
        Whether newlines are visual tokens.
    """

    crops: VisionRecord
    newlines: bool = field(default=True, kw_only=True)

    @property
    def encoder_index(self) -> int | None:
        """As of the crops."""
        return self.crops.encoder_index

    def without_newlines(self) -> EncoderRecord:
        """The same, newlines left out of everything."""
        return replace(self, newlines=False)


@dataclass
class CropsRecord(PackedRecord):
    """What FoPru reads of images that were encoded as several crops.

    Attributes
    ----------
    layouts : tuple of Layout
        One for every image.

    Notes
    -----
    FoPru describes no crops. Here each crop's significance is its own, and tokens of all crops
    are ranked together. A newline among them ranks with the best token, so it is kept.
    """

    layouts: tuple[Layout, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens of each image."""
        return tuple(int(self._counted(layout).sum()) for layout in self.layouts)

    @property
    def encoder_tokens(self) -> int:
        """Patches and CLS tokens of all crops of the first image."""
        return self.layouts[0].crops * self.crops.encoder_tokens

    @property
    def encoder_crops(self) -> int:
        """Crops of the first image."""
        return self.layouts[0].crops

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The whole image's grid, then that of the tiles."""
        return tuple(self._blocks(layout) for layout in self.layouts)

    def _tile_grid(self, layout: Layout) -> tuple[int, int]:
        rows, columns = layout.tile_grid
        return rows, columns if self.newlines else max(0, columns - 1)

    def _counted(self, layout: Layout) -> torch.Tensor:
        """Which tokens of an image are visual ones, bool ``[tokens]``."""
        return (layout.source >= 0) | self.newlines

    def _blocks(self, layout: Layout) -> tuple[tuple[int, int], ...]:
        grids = tuple(g for g in (self.crops.grid, self._tile_grid(layout)) if all(g))
        count = int(self._counted(layout).sum())
        fits = sum(rows * columns for rows, columns in grids) == count
        return grids if fits else ((1, count),)

    def crops_of(self, images: slice = slice(None)) -> torch.Tensor:
        """The crop of each visual token; a newline is of the one that its row ends in."""
        found, first = [], 0
        for index, layout in enumerate(self.layouts):
            if index in range(len(self.layouts))[images]:
                found.append(first + layout.crop_of()[self._counted(layout)])
            first += layout.crops
        return torch.cat(found)

    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some images' visual tokens, one after another, float32."""
        return self._packed(lambda crops: self.crops.scores(include_cls, crops), images)

    def received(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention from each crop's own CLS token, float32."""
        return self._packed(self.crops.received, images)

    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention averaged over each crop's own queries, float32."""
        return self._packed(self.crops.received_from_all, images)

    def _packed(self, values_of: Callable[[slice], torch.Tensor], images: slice) -> torch.Tensor:
        """Values of crops' patches in the order of the images' visual tokens."""
        found, first = [], 0
        chosen = range(len(self.layouts))[images]
        for index, layout in enumerate(self.layouts):
            crops = slice(first, first + layout.crops)
            first = crops.stop
            if index in chosen:
                values = layout.gather(values_of(crops))
                found.append(values[self._counted(layout).to(values.device)])
        return torch.cat(found)
