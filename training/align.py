"""Third stage: the projector learns to give the symbols."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from training.frozen import FrozenPictures, fit
from training.loop import Optimizers, save_checkpoint
from training.settings import Settings
from training.whole import WholeModel

logger = logging.getLogger(__name__)


def imitation_loss(model: WholeModel, visual: Tensor, labels: dict[str, Tensor]) -> Tensor:
    """Return how far projected patches are from their symbols.

    Two terms: the squared error, and the cross entropy of choosing the nearest symbol. The
    error alone is content with blurred mixtures of symbols, which the decoder cannot read.

    Parameters
    ----------
    model : WholeModel
        Holds the symbols.
    visual : Tensor, shape (batch, 256, width)
        Projected patches.
    labels : dict of str to Tensor
        Patch labels, shape (batch, 256).

    Returns
    -------
    Tensor
        Scalar. Patches of things weigh more than the background, their centres most.
    """
    symbols = model.symbols
    with torch.no_grad():
        target = symbols.embed(labels).float()
        words = symbols.decoder.embed_tokens.weight.float()
        weight = 0.15 + 0.85 * (labels["kind"] > 0) + 2.0 * labels["centre"]
    visual = visual.float()
    error = (visual - target).square().mean(-1) / target.var()
    total = (error * weight).sum() / weight.sum()
    tables = (
        ("kind", symbols.kind_ids),
        ("text", symbols.text_ids),
        ("colour", symbols.colour_ids),
    )
    for field, ids in tables:
        table = words[ids]
        chosen = labels[field] > 0
        if not chosen.any():
            continue
        # What remains when everything but this word is taken away is compared with all words.
        own = labels[field][chosen]
        rest = visual[chosen] - target[chosen] + table[own]
        first = 0 if field == "kind" else 1
        distance = torch.cdist(rest, table[first:]).square()
        scale = torch.cdist(table[first:], table[first:]).square().mean() / 12
        total = total + torch.nn.functional.cross_entropy(-distance / scale, own - first)
    return total


def train_align(
    model: WholeModel,
    settings: Settings,
    folder: Path,
    device: torch.device,
    resume: bool,
) -> None:
    """Train the projector to give the symbols, on fixed features; all else stays as it is.

    Parameters
    ----------
    model : WholeModel
        Holds the results of the first two stages.
    settings : Settings
        Settings of the run.
    folder : Path
        Where the checkpoint ``align.pt`` lies.
    device : torch.device
        Where to compute.
    resume : bool
        Whether a finished checkpoint is enough: the stage is short and starts anew otherwise.
    """
    path = folder / "align.pt"
    if resume and path.is_file():
        logger.info("align: done")
        return
    torch.manual_seed(settings.seed + 2)
    projector = model.llava.model.multi_modal_projector
    model.requires_grad_(False)
    projector.requires_grad_(True)

    def loss_of(patches: Tensor, _: Tensor, labels: dict[str, Tensor]) -> Tensor:
        return imitation_loss(model, projector(patches), labels)

    pictures = FrozenPictures(lambda pixels: model.eval().see(pixels)[:2], settings, device)
    fit(projector, loss_of, pictures, settings.align.steps, settings.align.rate)
    model.requires_grad_(True)
    save_checkpoint(path, model, Optimizers(model, settings.align), settings.align.steps)
