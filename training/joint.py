"""Third and fourth stage: align the projector with the symbols, then train all together."""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from pruneviz.scenes.questions import ask_many
from pruneviz.scenes.scene import sample_scene
from training.answering import answer_loss, by_kind
from training.frozen import FrozenPictures, fit
from training.loop import Optimizers, run_stage, save_checkpoint
from training.packing import NUM_PATCHES, pack
from training.pictures import draw_batch
from training.settings import Settings
from training.symbolic import symbolic_loss
from training.tower import accuracy
from training.whole import WholeModel

logger = logging.getLogger(__name__)
JOINT_SEED = 600_000_000


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


def _pictures(
    model: WholeModel, settings: Settings, start: int, batch: int, device: torch.device
) -> tuple:
    scenes = [sample_scene(start + i, settings.rules) for i in range(batch)]
    pixels, labels = draw_batch(scenes, settings.model.image_size)
    labels = {key: value.to(device) for key, value in labels.items()}
    return scenes, labels, model.see(pixels.to(device))


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


def train_joint(
    model: WholeModel,
    settings: Settings,
    folder: Path,
    device: torch.device,
    resume: bool,
    until: int | None = None,
) -> None:
    """Train everything on questions about pictures.

    Parameters
    ----------
    model : WholeModel
        The aligned model.
    settings : Settings
        Settings of the run.
    folder : Path
        Where the checkpoint ``joint.pt`` lies.
    device : torch.device
        Where to compute.
    resume : bool
        Whether to go on from the checkpoint.
    until : int, optional
        Stop early after this step.
    """
    torch.manual_seed(settings.seed + 3)
    stage = settings.joint
    decoder = model.llava.model.language_model

    def loss_at(step: int) -> tuple[Tensor, dict[str, float]]:
        start = JOINT_SEED + step * stage.batch
        rng = Random(start)  # noqa: S311 - questions, not secrets
        with torch.autocast(device.type, torch.bfloat16):
            scenes, labels, seen = _pictures(model, settings, start, stage.batch, device)
            patches, pooled, visual = seen
            questions = [ask_many(s, stage.questions, rng, settings.joint_kinds) for s in scenes]
            kept = torch.arange(NUM_PATCHES).expand(stage.batch, -1)
            answers, right = answer_loss(decoder, visual, kept, pack(questions))
            loss = answers + 0.4 * model.heads.loss(patches, pooled, labels)
        # Symbolic scenes cost little and keep teaching the hard kinds.
        begin = JOINT_SEED + 100_000_000 + step * settings.rehearsal_batch
        rehearsed = [
            sample_scene(begin + i, settings.rules) for i in range(settings.rehearsal_batch)
        ]
        symbolic, _ = symbolic_loss(
            model.symbols, rehearsed, settings.rehearsal_tokens, 3, settings.hard_kinds
        )
        loss = loss + symbolic
        found = accuracy(model.heads, patches, labels)
        shown = {
            "answers": float(answers.detach()),
            "symbolic": float(symbolic.detach()),
            "object": found.get("object", 0.0),
        }
        return loss, {**shown, **by_kind(questions, right)}

    run_stage(
        "joint",
        model,
        loss_at,
        stage,
        folder=folder,
        resume=resume,
        log_every=settings.log_every,
        save_every=settings.save_every,
        until=until,
    )
