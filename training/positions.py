"""Sinusoids that tell where a patch is."""

from __future__ import annotations

import torch
from torch import Tensor

from training.labels import GRID

_WAVES = 8
WIDTH = 4 * _WAVES


def position_waves() -> Tensor:
    """Return 2-D sinusoids of all patch centres, float32 of shape (256, WIDTH)."""
    axis = (torch.arange(GRID) + 0.5) / GRID
    waves = axis[:, None] * torch.pi * 2.0 ** (torch.arange(_WAVES) / 2)
    encoded = torch.cat([waves.sin(), waves.cos()], dim=1)
    rows = encoded[:, None].expand(GRID, GRID, -1)
    columns = encoded[None].expand(GRID, GRID, -1)
    return torch.cat([rows, columns], dim=-1).reshape(GRID * GRID, -1)
