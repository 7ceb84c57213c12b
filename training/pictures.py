"""Batches of drawn scenes with the labels of their patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from pruneviz.scenes.render import render
from pruneviz.scenes.scene import Scene
from pruneviz.scenes.variation import GENTLE, WILD, squash_of
from training.labels import GRID, PatchLabels, label_patches, owners_from_pixels

_MEAN = np.array(OPENAI_CLIP_MEAN, dtype=np.float32)
_STD = np.array(OPENAI_CLIP_STD, dtype=np.float32)


def to_pixels(picture: Image.Image) -> Tensor:
    """Return CLIP's normalised pixels, float32 of shape (3, height, width)."""
    values = (np.asarray(picture, dtype=np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(values.transpose(2, 0, 1).copy())


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
    pixels : Tensor, float32, shape (batch, 3, side, side)
        Normalised.
    labels : dict of str to Tensor
        See :func:`stack_labels`.
    """
    pixels, labels = [], []
    for scene in scenes:
        # Some pictures are drawn large and shrunk, as a person's picture will be.
        large = scene.seed % 6 == 0
        drawn = side * 3 // (2 * GRID) * GRID if large else side
        # Half of them much changed, half as a person will see them.
        vary = WILD if scene.seed % 2 else GENTLE
        picture, owner = render(scene, drawn, vary, squash_of(scene.seed))
        if large:
            picture = picture.resize((side, side), Image.Resampling.BICUBIC)
        pixels.append(to_pixels(picture))
        labels.append(label_patches(scene, owners_from_pixels(owner)))
    return torch.stack(pixels), stack_labels(labels)
