"""Statistics of the training pictures, by which a strange picture is told."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pruneviz.models.core.knowledge import STATISTICS, Knowledge
from pruneviz.scenes.render import render
from pruneviz.scenes.scene import sample_scene
from pruneviz.scenes.variation import squash_of
from training.pictures import to_pixels
from training.settings import Settings
from training.whole import WholeModel

FIRST_SEED = 950_000_000
SCENES, CHECKED = 1000, 500
# The limit: this quantile of the checked training pictures, and room above it.
_QUANTILE, _ROOM = 0.99, 1.05


@torch.inference_mode()
def _see(model: WholeModel, settings: Settings, first: int, count: int) -> Tensor:
    """Return the visual tokens of some scenes, float32 [count, 256, width]."""
    found = []
    for start in range(first, first + count, 20):
        scenes = [sample_scene(seed, settings.rules) for seed in range(start, start + 20)]
        side = settings.model.image_size
        # What is uploaded comes squashed as often as not.
        drawn = [render(s, side, squash=squash_of(s.seed))[0] for s in scenes]
        pixels = torch.stack([to_pixels(picture) for picture in drawn])
        found.append(model.see(pixels)[2].float())
    return torch.cat(found)[:count]


def save_statistics(
    model: WholeModel,
    settings: Settings,
    folder: Path,
    scenes: int = SCENES,
    checked: int = CHECKED,
) -> None:
    """Write ``familiar.safetensors``.

    Parameters
    ----------
    model : WholeModel
        Trained, on the CPU.
    settings : Settings
        Its settings.
    folder : Path
        The model's folder.
    scenes, checked : int
        Pictures that the statistics are taken of, and that the limit is set by.
    """
    model.eval()
    seen = _see(model, settings, FIRST_SEED, scenes)
    mean = seen.mean(0)
    off = (seen - mean).flatten(0, 1)
    spread = off.T @ off / len(off)
    # Shrunk a little, so that directions that hardly vary do not decide alone.
    spread += 0.01 * spread.diagonal().mean() * torch.eye(len(spread))
    whiten = torch.linalg.cholesky(torch.linalg.inv(spread))
    half = {"mean": mean.half(), "whiten": whiten.half().contiguous()}
    draft = Knowledge(frozenset(), {}, half["mean"].float(), half["whiten"].float(), 0.0)
    others = _see(model, settings, FIRST_SEED + scenes, checked)
    found = torch.tensor([draft.strangeness(visual) for visual in others])
    save_file({**half, "limit": _ROOM * found.quantile(_QUANTILE)}, folder / STATISTICS)
