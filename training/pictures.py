"""Batches of drawn scenes with the labels of their patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from pruneviz.scenes.render import render
from pruneviz.scenes.scene import Scene
from pruneviz.scenes.variation import GENTLE, WILD, squash_of
from training.labels import GRID, PatchLabels, label_patches, owners_from_pixels

_MEAN, _STD = OPENAI_CLIP_MEAN, OPENAI_CLIP_STD


def picture_files(folder: Path) -> Iterator[Path]:
    """Yield the files with pictures in a folder, at any depth; none where there is no folder."""
    kinds = Image.registered_extensions()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in kinds:
            yield path


def to_bytes(picture: Image.Image) -> Tensor:
    """Return a picture's values, uint8 of shape (3, height, width)."""
    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())


def normalise(values: Tensor) -> Tensor:
    """Return CLIP's pixels of uint8 values, float32 of the same shape [..., 3, height, width]."""
    mean, std = (torch.tensor(v, device=values.device)[:, None, None] for v in (_MEAN, _STD))
    return (values.float() / 255 - mean) / std


def to_pixels(picture: Image.Image) -> Tensor:
    """Return CLIP's normalised pixels, float32 of shape (3, height, width)."""
    return normalise(to_bytes(picture))


def stack_labels(labels: Sequence[PatchLabels]) -> dict[str, Tensor]:
    """Stack labels to int64 tensors of shape (batch, patches), one for every field."""
    return {
        field: torch.from_numpy(np.stack([getattr(entry, field) for entry in labels]))
        for field in ("kind", "text", "colour", "centre")
    }


def draw_batch(scenes: Sequence[Scene], side: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Draw scenes.

    Parameters
    ----------
    scenes : sequence of Scene
        What to draw.
    side : int
        Side of the model's input in pixels.

    Returns
    -------
    values : Tensor, uint8, shape (batch, 3, side, side)
        Not normalised: a quarter of the bytes travels from the process that draws.
    labels : dict of str to Tensor
        See :func:`stack_labels`.
    """
    values, labels = [], []
    for scene in scenes:
        # Some pictures are drawn large and shrunk, as a person's picture will be.
        large = scene.seed % 6 == 0
        drawn = side * 3 // (2 * GRID) * GRID if large else side
        # Half of them much changed, half as a person will see them.
        vary = WILD if scene.seed % 2 else GENTLE
        picture, owner = render(scene, drawn, vary, squash_of(scene.seed))
        if large:
            picture = picture.resize((side, side), Image.Resampling.BICUBIC)
        values.append(to_bytes(picture))
        labels.append(label_patches(scene, owners_from_pixels(owner)))
    return torch.stack(values), stack_labels(labels)
