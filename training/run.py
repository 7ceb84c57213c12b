"""A run of the trainer: its stages in order, what each takes over, and the folder it ends with."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from training.align import train_align
from training.familiar import save_statistics
from training.folders import renewed
from training.joint import train_joint
from training.loop import Optimizers, save_checkpoint
from training.record import start_record
from training.settings import Settings, for_gpu, within
from training.symbolic import train_symbolic
from training.tower import LabelledTower, fit_heads, train_tower
from training.whole import WholeModel, export

logger = logging.getLogger(__name__)
STAGES = ("tower", "symbolic", "align", "joint", "export")
WORK = Path("runs/embedded")
# What a stage takes over, and what a new result of it leaves outdated.
_BEFORE = {"align": ("tower", "symbolic"), "joint": ("align",), "export": ("joint",)}
_AFTER = {"tower": ("align", "joint"), "symbolic": ("align", "joint"), "align": ("joint",)}


def train(options: argparse.Namespace) -> None:
    """Run one stage or all of them."""
    torch.set_num_threads(options.threads)
    work: Path = options.work
    stages = chosen_stages(options)
    settings = _settings(options, stages)
    try:
        _start(options, settings, stages)
        for name in stages:
            _run(name, settings, options)
    except KeyboardInterrupt:
        held = ", ".join(path.name for path in _results(work))
        on = f"{work} holds {held}: the same command with --resume goes on from there"
        logger.info("stopped; %s", on if held else "no step was done yet, nothing is saved")
        raise SystemExit(130) from None


def chosen_stages(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the stages to run; what a given model has learned is not learned again."""
    left_out = _given(options)
    if options.stage in left_out:
        given = "--begin" if options.begin else "--tower"
        raise SystemExit(f"{given} stands in for the stage {options.stage}: choose another one.")
    chosen = STAGES if options.stage == "all" else (options.stage,)
    return tuple(name for name in chosen if name not in left_out)


def _given(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the stages that a given model or tower stands in for."""
    if options.begin:
        return ("tower", "symbolic", "align")
    return ("tower",) if options.tower else ()


def _settings(options: argparse.Namespace, stages: tuple[str, ...]) -> Settings:
    settings = replace(Settings(), workers=options.workers)
    if options.device.type == "cuda":
        settings = for_gpu(settings)
    if options.begin:
        # The symbols that it learned from are not in a model folder.
        settings = replace(settings, imitation=0.0, rehearsal_every=0)
    return within(settings, options.minutes, stages) if options.minutes else settings


def _results(work: Path) -> list[Path]:
    """Return the checkpoints in a work folder, in the order of their stages."""
    return [path for name in STAGES if (path := work / f"{name}.pt").is_file()]


def _start(options: argparse.Namespace, settings: Settings, stages: tuple[str, ...]) -> None:
    """Go on from the checkpoints, or see to it that no older ones are taken for this run's."""
    work: Path = options.work
    found = _results(work) if options.resume else []
    if found:
        logger.info("%s: going on from %s", work, ", ".join(path.name for path in found))
        return
    given = _given(options)
    _demand(work, stages[0], given)
    if options.resume:
        logger.info("%s: no checkpoint yet, beginning anew", work)
    _set_aside(work, _outdated(options, stages))
    if given:
        _begin(options, settings)


def _demand(work: Path, stage: str, given: Collection[str] = ()) -> None:
    """Refuse a stage that lacks the result of one before it."""
    for name in _BEFORE.get(stage, ()):
        if name not in given and not (work / f"{name}.pt").is_file():
            _demand(work, name, given)
            raise SystemExit(f"{work} has no result of the stage {name}: run that stage first.")


def _outdated(options: argparse.Namespace, stages: Iterable[str]) -> set[str]:
    """Return the stages whose older results do not belong to a run that begins with these."""
    if options.begin:
        return set(STAGES)
    anew = {*stages, "tower"} if options.tower else set(stages)
    return anew.union(*(_AFTER.get(name, ()) for name in stages))


def _set_aside(work: Path, names: Iterable[str]) -> None:
    for path in _results(work):
        if path.stem in names:
            kept = path.with_suffix(".before.pt")
            path.replace(kept)
            logger.info("%s, of an earlier run, is now %s", path, kept.name)


def _begin(options: argparse.Namespace, settings: Settings) -> None:
    """Put the weights of a given model where the stages to come look for them."""
    folder, whole = (options.begin, True) if options.begin else (options.tower, False)
    device: torch.device = options.device
    logger.info(
        "beginning with %s: what reads its tower learns from %d pictures first, minutes on a CPU",
        folder,
        settings.frozen_scenes,
    )
    model = WholeModel(settings)
    (model.take if whole else model.take_tower)(folder)
    model.to(device).eval()
    fit_heads(model.heads, lambda pixels: model.see(pixels)[:2], settings, device)
    if whole:
        save_checkpoint(options.work / "align.pt", model, Optimizers(model, settings.align), 0)
        return
    tower = LabelledTower(settings)
    tower.tower.load_state_dict(model.llava.model.vision_tower.state_dict())
    tower.heads.load_state_dict(model.heads.state_dict())
    save_checkpoint(options.work / "tower.pt", tower, Optimizers(tower, settings.tower), 0)


def _run(name: str, settings: Settings, options: argparse.Namespace) -> None:
    """Run one stage."""
    work, device = options.work, options.device
    common = (work, device, options.resume)
    logger.info("stage %s on %s", name, device)
    if name == "tower":
        if (work / "align.pt").is_file() and not (work / "tower.pt").is_file():
            # Checkpoints of --begin are no part of a run that begins with nothing.
            raise SystemExit(f"{work} began with a model: give --begin again.")
        train_tower(settings, *common)
    elif name == "symbolic":
        train_symbolic(settings, *common)
    elif name == "align":
        train_align(_whole(name, settings, work).to(device), settings, *common)
    elif name == "joint":
        train_joint(_whole(name, settings, work).to(device), settings, *common)
    else:
        write(_whole(name, settings, work), settings, options.out or work / "model")


def _whole(stage: str, settings: Settings, work: Path) -> WholeModel:
    """Return the model with the results that a stage takes over, and no later ones."""
    _demand(work, stage)
    model = WholeModel(settings)
    if stage == "align":
        model.load_stages(work)
        return model
    path = work / f"{_BEFORE[stage][0]}.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["module"])
    logger.info("took %s, step %d", path.name, state["step"])
    if stage == "joint" and (work / "symbolic.pt").is_file():
        # The layers of the decoder may have gone on learning beside the alignment.
        model.load_symbols(work)
    return model


def write(model: WholeModel, settings: Settings, folder: Path) -> None:
    """Write weights, statistics of pictures and record: all of them, or nothing.

    Parameters
    ----------
    model : WholeModel
        Trained, on the CPU.
    settings : Settings
        Its settings.
    folder : Path
        The model's folder, which may hold an older model and other files; these stay.
    """
    with renewed(folder) as new:
        export(model, settings, new)
        logger.info("taking the statistics of familiar pictures: minutes on a CPU")
        save_statistics(model, settings, new)
        start_record(new)
    logger.info("wrote %s; python -m training evaluate --model %s measures it", folder, folder)
