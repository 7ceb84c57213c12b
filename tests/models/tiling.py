"""What must hold of every grid of tiles, whichever family cut them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from pruneviz.geometry import PatchGrid


def check_marks(grid: PatchGrid, brightness: Callable[[Image.Image], torch.Tensor]) -> None:
    """A marked box lights its token, and no other of its own part, measured ``[tokens]``."""
    width, height = grid.image_size
    dark = brightness(Image.new("RGB", grid.image_size))
    for part in grid.parts:
        own = np.flatnonzero(part.token_cell >= 0)
        for token in {own[0], own[:6][-1], own[len(own) // 3], own[len(own) // 2], own[-1]}:
            left, top, right, bottom = (round(v) for v in grid.token_box(int(token)))
            marked = np.zeros((height, width, 3), dtype=np.uint8)
            marked[top:bottom, left:right] = 255
            change = (brightness(Image.fromarray(marked)) - dark)[own]
            assert own[int(change.argmax())] == token
            others = change[torch.from_numpy(own != token)]
            assert float(others.max()) < 0.35 * float(change.max())


def check_places(grid: PatchGrid, covered: float) -> None:
    """Every token has one place, every place of every part one token."""
    width, height = grid.image_size
    placed = sum((part.token_cell >= 0).astype(int) for part in grid.parts)
    assert placed.tolist() == [1] * grid.num_tokens
    for part in grid.parts:
        cells = part.token_cell[part.token_cell >= 0]
        assert sorted(cells) == list(range(part.rows * part.columns))
        sides = part.boxes[:, 2:] - part.boxes[:, :2]
        assert sides.min() > 0
        assert float(sides.prod(-1).sum()) / (width * height) == pytest.approx(covered, rel=1e-3)
