"""Images cut into equal tiles with the whole image after them, patches merged by pixel shuffle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from pruneviz.errors import PruningError
from pruneviz.geometry import PatchGrid
from pruneviz.models.core.vision import EncoderRecord, VisionRecord

WHOLE, TILES = "whole image", "tiles"


@dataclass(frozen=True)
class Tiling:
    """How an image is cut: it is stretched over all tiles, so no tile is padded.

    Attributes
    ----------
    rows, columns : int
        Of tiles; the scaled-down whole image follows them, and is all there is where they are 0.
    side : int
        Visual tokens per side of a crop.
    covered : float
        Share of a crop's side that its tokens show: pixels behind the last whole patch, fewer
        than one patch's, are never seen.
    """

    rows: int
    columns: int
    side: int
    covered: float = 1.0

    @classmethod
    def of(cls, tiles: tuple[int, int], crop: int, patch: int, merge: int) -> Tiling:
        """Of crops of `crop` pixels a side, patches of `patch` pixels, `merge` patches a token."""
        side = crop // patch // merge
        return cls(*tiles, side, side * merge * patch / crop)

    @property
    def crops(self) -> int:
        """Crops that the encoder sees: every tile and the whole image."""
        return self.rows * self.columns + 1

    def grid(self, image_size: tuple[int, int]) -> PatchGrid:
        """Boxes of the tokens: the tiles' grid, and as its other part the whole image's."""
        tokens = np.arange(self.crops * self.side**2)
        crop, place = np.divmod(tokens, self.side**2)
        last = self.crops - 1
        whole = self._part(image_size, (1, 1), np.where(crop == last, place, -1))
        if not last:
            return whole
        row = crop // self.columns * self.side + place // self.side
        column = crop % self.columns * self.side + place % self.side
        cells = np.where(crop < last, row * (self.columns * self.side) + column, -1)
        tiles = self._part(image_size, (self.rows, self.columns), cells)
        return replace(tiles, title=TILES, others=(replace(whole, title=WHOLE),))

    def _part(
        self, image_size: tuple[int, int], tiles: tuple[int, int], cells: np.ndarray
    ) -> PatchGrid:
        down, across = (
            self._spans(count) * length / count
            for count, length in zip(tiles, image_size[::-1], strict=True)
        )
        return PatchGrid.of_edges(
            image_size, (across[:, 0], across[:, 1]), (down[:, 0], down[:, 1]), cells
        )

    def _spans(self, count: int) -> np.ndarray:
        """Begin and end of each token along `count` crops, in crops, ``[count * side, 2]``."""
        edges = np.linspace(0.0, self.covered, self.side + 1)
        inside = np.stack([edges[:-1], edges[1:]], axis=-1)
        return (np.arange(count)[:, None, None] + inside).reshape(-1, 2)


@dataclass
class TilesRecord(EncoderRecord):
    """What FoPru reads of crops whose patches are merged into fewer tokens.

    Attributes
    ----------
    crops : VisionRecord
        Of all crops of all images; each counts as an image here.
    merge : int
        Patches per side that make one visual token.
    padded : bool
        Whether the encoder was told to ignore some patches.

    Notes
    -----
    FoPru describes no crops. Here each crop's significance is its own, a token has the mean of
    its patches', and tokens of all crops are ranked together.
    """

    whole_images: ClassVar[bool] = False

    crops: VisionRecord
    merge: int
    padded: bool = False

    @property
    def encoder_index(self) -> int | None:
        """As of the crops."""
        return self.crops.encoder_index

    @property
    def counts(self) -> tuple[int, ...]:
        """Visual tokens of each crop."""
        return tuple(count // self.merge**2 for count in self.crops.counts)

    @property
    def blocks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """One grid a crop."""
        rows, columns = self.crops.grid
        return (((rows // self.merge, columns // self.merge),),) * len(self.counts)

    @property
    def encoder_tokens(self) -> int:
        """Patches and CLS tokens of all crops; where they are counted there is one image."""
        return self.encoder_crops * self.crops.encoder_tokens

    @property
    def encoder_crops(self) -> int:
        """Crops of all images."""
        return len(self.crops.counts)

    def scores(self, include_cls: bool = False, images: slice = slice(None)) -> torch.Tensor:
        """FoPru's significance of some crops' visual tokens, one after another, float32.

        Raises
        ------
        PruningError
            If the encoder ignored padding: its attention is read without a mask.
        """
        return self._merged(lambda crops: self.crops.scores(include_cls, crops), images)

    def received_from_all(self, images: slice = slice(None)) -> torch.Tensor:
        """Attention averaged over a crop's queries and over a token's patches, float32."""
        return self._merged(self.crops.received_from_all, images)

    def _merged(self, values_of: Callable[[slice], torch.Tensor], images: slice) -> torch.Tensor:
        """Means over the patches that make a token, of one value a patch."""
        if self.padded:
            raise PruningError(
                "The encoder's attention to crops with padding inside cannot be read. Use the "
                "family's image processor, which stretches images over whole tiles, or leave "
                "pixel_attention_mask out."
            )
        (rows, columns), side = self.crops.grid, self.merge
        patches = values_of(images)
        return patches.view(-1, rows // side, side, columns // side, side).mean((2, 4)).flatten()
