"""Where each visual token lies on the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Which box of the original image each visual token shows.

    Attributes
    ----------
    rows, columns : int
        Size of the grid of cells.
    image_size : tuple of int
        Width and height of the original image in pixels.
    boxes : np.ndarray
        Float32 ``[rows * columns, 4]``: left, top, right, bottom of each cell in original
        pixels, row by row, clipped to the image.
    token_cell : np.ndarray
        Int64 ``[num_tokens]``: cell of each visual token, -1 for a token with no place.
    seen : tuple of float
        The rectangle of the original image that the model saw, in pixels.
    title : str
        What this grid shows where there are several.
    others : tuple of PatchGrid
        Further grids over the same tokens: where a model sees the image more than once, each
        token has its cell in one of them.
    """

    rows: int
    columns: int
    image_size: tuple[int, int]
    boxes: np.ndarray
    token_cell: np.ndarray
    seen: tuple[float, float, float, float]
    title: str = ""
    others: tuple[PatchGrid, ...] = ()

    @property
    def parts(self) -> tuple[PatchGrid, ...]:
        """The grid itself and the others."""
        return (self, *self.others)

    @property
    def num_tokens(self) -> int:
        """Number of visual tokens."""
        return len(self.token_cell)

    def token_box(self, token: int) -> tuple[float, float, float, float] | None:
        """Box of a token in original pixels, None for a token with no place."""
        for part in self.parts:
            cell = int(part.token_cell[token])
            if cell >= 0:
                left, top, right, bottom = (float(v) for v in part.boxes[cell])
                return left, top, right, bottom
        return None

    def to_cells(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """Spread one value per token over the grid: ``[rows, columns]``, `fill` elsewhere."""
        flat = np.full(self.rows * self.columns, fill, dtype=np.float32)
        placed = self.token_cell >= 0
        flat[self.token_cell[placed]] = np.asarray(values, dtype=np.float32)[placed]
        return flat.reshape(self.rows, self.columns)

    def without_placeless(self) -> PatchGrid:
        """The same grid without the tokens that have no place in any part."""
        placed = np.any([part.token_cell >= 0 for part in self.parts], axis=0)
        own, *others = (replace(p, token_cell=p.token_cell[placed]) for p in self.parts)
        return replace(own, others=tuple(others))

    def resized(self, size: tuple[int, int]) -> PatchGrid:
        """The same grid on the image scaled to another width and height."""
        across, down = size[0] / self.image_size[0], size[1] / self.image_size[1]
        boxes = self.boxes * np.array([across, down, across, down], dtype=np.float32)
        left, top, right, bottom = self.seen
        seen = (left * across, top * down, right * across, bottom * down)
        others = tuple(other.resized(size) for other in self.others)
        return replace(self, image_size=size, boxes=boxes, seen=seen, others=others)

    @classmethod
    def regular(
        cls,
        image_size: tuple[int, int],
        rows: int,
        columns: int,
        view: tuple[float, float, float, float],
        leading: int = 0,
        skipped: int = 0,
    ) -> PatchGrid:
        """Build a grid of equal cells over a rectangle of the original image.

        Parameters
        ----------
        image_size : tuple of int
            Width and height of the original.
        rows, columns : int
            Cells.
        view : tuple of float
            Rectangle that the grid covers, in original pixels; may reach beyond the image
            (padding).
        leading : int
            Tokens with no place before the first cell, such as CLS.
        skipped : int
            Cells from the first on that have no token.
        """
        left, top, right, bottom = view
        x = np.linspace(left, right, columns + 1)
        y = np.linspace(top, bottom, rows + 1)
        cells = np.concatenate([np.full(leading, -1), np.arange(skipped, rows * columns)])
        return cls.of_edges(image_size, (x[:-1], x[1:]), (y[:-1], y[1:]), cells)

    @classmethod
    def of_edges(
        cls,
        image_size: tuple[int, int],
        x: tuple[np.ndarray, np.ndarray],
        y: tuple[np.ndarray, np.ndarray],
        token_cell: np.ndarray,
    ) -> PatchGrid:
        """Build a grid whose columns and rows may differ in size and have gaps between them.

        Parameters
        ----------
        image_size : tuple of int
            Width and height of the original.
        x, y : tuple of np.ndarray
            Where each column, and each row, starts and ends, in original pixels; may reach
            beyond the image.
        token_cell : np.ndarray
            ``[num_tokens]``: cell of each visual token, -1 for none.
        """
        width, height = image_size
        (left, right), (top, bottom) = (
            (np.clip(starts, 0, length), np.clip(ends, 0, length))
            for (starts, ends), length in ((x, width), (y, height))
        )
        x0, y0 = np.meshgrid(left, top)
        x1, y1 = np.meshgrid(right, bottom)
        boxes = np.stack([x0, y0, x1, y1], axis=-1).reshape(-1, 4).astype(np.float32)
        seen = (float(left[0]), float(top[0]), float(right[-1]), float(bottom[-1]))
        return cls(len(top), len(left), image_size, boxes, token_cell.astype(np.int64), seen)
