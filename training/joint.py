"""Fourth stage: train everything together, on questions about pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pruneviz.scenes.questions import KINDS
from training.align import imitation_loss
from training.answering import answer_loss, by_kind
from training.lessons import Alike, Lesson, Plan, stream
from training.loop import Figures, one, run_stage
from training.packing import NUM_PATCHES
from training.pictures import normalise
from training.settings import Settings
from training.symbolic import symbolic_loss
from training.tower import accuracy
from training.watching import Watching, watch
from training.whole import WholeModel

JOINT_SEED = 600_000_000


def alike_loss(visual: Tensor, thing: Tensor) -> Tensor:
    """Return how much the background tells beyond its place, as a share of all variance.

    A patch of the background that looks the same in every picture cannot tell what lies beside
    it: what is to be known of a thing is in its own patches.

    Parameters
    ----------
    visual : Tensor, shape (batch, 256, width)
        Projected patches.
    thing : Tensor, bool, shape (batch, 256)
        Patches that show a thing.
    """
    visual = visual.float()
    weight = (~thing).float().unsqueeze(-1)
    mean = (visual * weight).sum(0) / weight.sum(0).clamp_min(1)
    off = ((visual - mean).square() * weight).sum() / weight.sum().clamp_min(1)
    return off / (visual.shape[-1] * visual.detach().var())


@dataclass(frozen=True)
class Sight:
    """Which visual tokens a step's questions see, and where they stand.

    Attributes
    ----------
    seen : Tensor, bool, shape (batch, 256)
        All things, and what is left of the background.
    places : Tensor, int64, shape (batch, 256)
        Patches' own places, or in some pictures their numbers among those seen.
    after : Tensor, int64, shape (batch, 1)
        Place of the text after the picture.
    """

    seen: Tensor
    places: Tensor
    after: Tensor


def hide(thing: Tensor, chance: torch.Generator) -> Sight:
    """Hide background of some pictures, as pruning does; half of these are renumbered.

    Parameters
    ----------
    thing : Tensor, bool, shape (batch, 256)
        Patches that show a thing; they are never hidden.
    chance : torch.Generator
        Of the CPU.
    """
    rows = len(thing)
    draws = torch.rand(rows, 3, generator=chance)
    rate = torch.where(draws[:, 0] < 0.5, torch.zeros(rows), draws[:, 1])[:, None]
    kept = (torch.rand(thing.shape, generator=chance) >= rate).to(thing.device)
    seen = thing | kept
    own = torch.arange(NUM_PATCHES, device=thing.device).expand(rows, -1)
    renumbered = (draws[:, 2:] < 0.5).to(thing.device)
    places = torch.where(renumbered, seen.long().cumsum(1).sub(1).clamp_min(0), own)
    after = torch.where(renumbered, seen.sum(1, keepdim=True), NUM_PATCHES)
    return Sight(seen, places, after)


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
    run_stage(
        "joint",
        model,
        _Joint(model, settings, device),
        settings.joint,
        lambda first: _lessons(settings, first),
        folder=folder,
        resume=resume,
        log_every=settings.log_every,
        save_every=settings.save_every,
        until=until,
    )


def _lessons(settings: Settings, first: int) -> Iterator[tuple[Lesson, Lesson | None]]:
    """Yield drawn lessons, with symbolic ones in some steps: they cost little."""
    stage, rules = settings.joint, settings.joint_rules
    side, kinds = settings.model.image_size, settings.joint_kinds
    typos = settings.typos
    drawn = Plan(JOINT_SEED, stage.batch, stage.batch, rules, stage.questions, kinds, side, typos)
    pictures = stream(Alike(drawn), first, settings)
    size, every = settings.rehearsal_batch, settings.rehearsal_every
    if not every:
        yield from ((lesson, None) for lesson in pictures)
        return
    begin = JOINT_SEED + 100_000_000
    rules, kinds = settings.rules, settings.hard_kinds
    symbols = Plan(begin, size, size, rules, stage.questions, kinds, typos=typos)
    rehearsed = stream(Alike(symbols), -(-first // every), settings)
    for step, lesson in enumerate(pictures, first):
        yield lesson, next(rehearsed) if step % every == 0 else None


class _Joint:
    """The loss of a step of the joint stage."""

    def __init__(self, model: WholeModel, settings: Settings, device: torch.device) -> None:
        self.model, self.settings, self.device = model, settings, device
        self.decoder = model.llava.model.language_model
        layers = settings.model.text_layers
        self.early = 3 * layers // 8
        # Methods that act inside the decoder decide in its second quarter, some still later.
        self.moves = range(max(1, layers // 8), layers // 2 + 1)
        self.looks = range(3 * layers // 4 + 1)

    def __call__(
        self, data: tuple[Lesson, Lesson | None], step: int, done: float
    ) -> tuple[Tensor, Figures]:
        """Return loss and figures."""
        lesson, rehearsed = data
        settings, model, device = self.settings, self.model, self.device
        chance = torch.Generator().manual_seed(lesson.seed)
        labels = {key: value.to(device) for key, value in lesson.labels.items()}
        thing = labels["kind"] > 0
        blind = range(self.early if torch.rand((), generator=chance) < settings.blind else 0)
        sight = hide(thing, chance)
        with ExitStack() as block:
            block.enter_context(torch.autocast(device.type, torch.bfloat16))
            patches, pooled, visual = model.see(normalise(lesson.values.to(device)))
            first, rows = len(lesson.packed.head), settings.look_rows
            plan = Watching(first, NUM_PATCHES, self.moves, self.looks, rows)
            watched = block.enter_context(watch(self.decoder, plan))
            answers, right = answer_loss(
                self.decoder,
                visual,
                sight.places,
                lesson.packed,
                seen=sight.seen,
                after=sight.after,
                blind=blind,
            )
            loss = answers + settings.heads * model.heads.loss(patches, pooled, labels)
        parts = {
            "alike": settings.alike * alike_loss(visual, thing),
            "quiet": settings.quiet * watched.quiet_loss(thing, sight.seen),
            "norm": settings.norm * watched.norm_loss(),
        }
        text = (lesson.packed.segment[:rows] > 0).to(device)
        looked = watched.look_loss(self.early, thing[:rows], sight.seen[:rows], text)
        parts["look"] = settings.look * looked
        fade = settings.imitation * max(0.0, 1 - done / settings.imitated_until)
        if fade:
            parts["imitation"] = fade * imitation_loss(model, visual, labels)
        if rehearsed is not None:
            parts["symbolic"], _ = symbolic_loss(
                model.symbols, rehearsed, settings.rehearsal_tokens
            )
        loss = loss + sum(parts.values())
        shown = {name: one(part) for name, part in {"answers": answers, **parts}.items()}
        kinds = by_kind(lesson.kinds, right, KINDS)
        return loss, {**shown, **accuracy(model.heads, patches, labels), **kinds}
