"""The optimisation loop that all stages share: schedule, log, checkpoint, resume."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.muon import StackedMuon
from training.settings import StageSettings
from training.stopping import stopping

logger = logging.getLogger(__name__)
Figures = Mapping[str, tuple[Tensor, Tensor]]
"""Sums and counts by name, left on the device: reading one would make it wait."""
LossAt = Callable[[Any, int, float], tuple[Tensor, Figures]]
LOG_SECONDS = 30.0
"""A line of the log is due after this time at the latest, however slow the steps are."""


def rate_at(step: int, done: float, stage: StageSettings) -> float:
    """Return the learning rate: linear warm-up by steps, a half cosine by the share done."""
    warm = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return stage.rate * warm * (stage.floor + (1 - stage.floor) * fall)


def one(value: Tensor) -> tuple[Tensor, Tensor]:
    """Return a figure that stands for itself, as a sum of one."""
    value = value.detach().float()
    return value, torch.ones_like(value)


def _share(name: str, stage: StageSettings) -> float:
    """Share of the rate for a parameter; less than 1 for parts that have learned before."""
    if "tower." in name:
        return stage.tower_rate
    return stage.projector_rate if "projector." in name else 1.0


class Optimizers:
    """Muon for the weight matrices inside layers, AdamW for everything else.

    Muon turns every update of a matrix into an orthogonal one; on these small models it
    reaches the same loss in far fewer steps than AdamW alone.

    Parameters
    ----------
    module : nn.Module
        Whose trainable parameters are optimised.
    stage : StageSettings
        Rates, weight decay and whether Muon is used.
    """

    def __init__(self, module: nn.Module, stage: StageSettings) -> None:
        inner: list[Tensor] = []
        learned: dict[float, list[Tensor]] = defaultdict(list)
        tables: list[Tensor] = []
        vectors: list[Tensor] = []
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            share = _share(name, stage)
            if share != 1:
                learned[share].append(parameter)
            elif parameter.ndim == 2 and ".layers." in name and stage.muon:
                inner.append(parameter)
            else:
                (tables if parameter.ndim > 1 else vectors).append(parameter)
        groups = [
            {"params": tables, "weight_decay": stage.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        for share, parameters in learned.items():
            # Small steps keep what they know.
            decay = stage.weight_decay
            groups.append({"params": parameters, "weight_decay": decay, "share": share})
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98))
        ]
        if inner:
            self.parts.append(StackedMuon(inner, stage.rate, stage.weight_decay))

    def step(self, rate: float) -> None:
        """Update all parameters with this learning rate and drop the gradients."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        """Return the states of both."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        """Take over the states of both."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def save_checkpoint(
    path: Path, module: nn.Module, optimizers: Optimizers, step: int, seconds: float = 0.0
) -> None:
    """Write a checkpoint so that a kill at any moment leaves a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {
        "module": module.state_dict(),
        "optimizer": optimizers.state_dict(),
        "step": step,
        "seconds": seconds,
    }
    torch.save(state, partial)
    partial.replace(path)


class Clock:
    """How far a stage has come: by steps, or by the time spent on it, interruptions left out.

    Parameters
    ----------
    stage : StageSettings
        Its steps and seconds.
    spent : float
        Seconds that earlier runs spent on it.
    """

    def __init__(self, stage: StageSettings, spent: float = 0.0) -> None:
        self._stage = stage
        self._begun = time.monotonic() - spent

    @property
    def seconds(self) -> float:
        """Seconds spent on the stage."""
        return time.monotonic() - self._begun

    def done(self, step: int) -> float:
        """Return the share done before a step, from 0 to 1."""
        if self._stage.seconds:
            return min(1.0, self.seconds / self._stage.seconds)
        return step / self._stage.steps

    def steps(self, first: int, until: int | None) -> Iterator[tuple[int, float]]:
        """Yield steps with the share done before each, from `first` to the end of the stage."""
        step = first
        while (done := self.done(step)) < 1 and (until is None or step < until):
            yield step, done
            step += 1


class _Log:
    """Adds figures up on the device and reads them only when a line is due."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name, self._clock = name, clock
        self._sums: dict[str, list[Tensor]] = {}
        self._told = clock.seconds

    def due(self, step: int, every: int) -> bool:
        """Whether a line is due after this many steps."""
        return step % every == 0 or self._clock.seconds - self._told > LOG_SECONDS

    def add(self, figures: Figures) -> None:
        """Take the figures of one step."""
        for key, (value, count) in figures.items():
            if key in self._sums:
                value, count = self._sums[key][0] + value, self._sums[key][1] + count
            self._sums[key] = [value, count]

    def tell(self, step: int, done: float) -> None:
        """Log a line and begin anew."""
        found = {key: float(v) / max(float(n), 1e-9) for key, (v, n) in self._sums.items()}
        text = " ".join(f"{key} {value:.3f}" for key, value in found.items())
        minutes = self._clock.seconds / 60
        logger.info("%s %d, %.0f %%, %.1f min: %s", self._name, step, 100 * done, minutes, text)
        self._sums.clear()
        self._told = self._clock.seconds


def run_stage(
    name: str,
    module: nn.Module,
    loss_at: LossAt,
    stage: StageSettings,
    data: Callable[[int], Iterator[Any]],
    *,
    folder: Path,
    resume: bool,
    log_every: int = 20,
    save_every: float = 120.0,
    until: int | None = None,
) -> int:
    """Optimise a module, or go on where an earlier run stopped.

    Parameters
    ----------
    name : str
        Name of the stage and of its checkpoint.
    module : nn.Module
        What is trained and saved.
    loss_at : callable
        Gives the loss (a scalar with gradient) and figures to log, for the data of a step, its
        number and the share of the stage that is done.
    stage : StageSettings
        Steps or seconds, rate and so on.
    data : callable
        Gives the data of all steps from one on. They must follow from the step alone, so that
        a resumed run sees what it would have.
    folder : Path
        Where the checkpoint lies.
    resume : bool
        Whether to start from an existing checkpoint.
    log_every : int
        Steps between log lines; see also :data:`LOG_SECONDS`.
    save_every : float
        Seconds between checkpoints.
    until : int, optional
        Stop after this step although the schedule goes on.

    Returns
    -------
    int
        The step reached.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl+C, when the step is done and saved.
    """
    path = folder / f"{name}.pt"
    optimizers = Optimizers(module, stage)
    first, spent = 0, 0.0
    if resume and path.is_file():
        state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state["module"])
        optimizers.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["seconds"]
        logger.info("%s: resumed at step %d", name, first)
    module.train()
    clock, step = Clock(stage, spent), first
    log, saved = _Log(name, clock), clock.seconds
    with stopping() as stop:
        for (step, done), given in zip(clock.steps(first, until), data(first), strict=False):
            loss, figures = loss_at(given, step, done)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), stage.clip)
            optimizers.step(rate_at(step, done, stage))
            log.add({"loss": one(loss), **figures})
            if log.due(step + 1, log_every):
                log.tell(step + 1, done)
            if clock.seconds - saved > save_every:
                saved = clock.seconds
                save_checkpoint(path, module, optimizers, step + 1, saved)
            step += 1
            if stop.asked:
                break
        if step > first:
            save_checkpoint(path, module, optimizers, step, clock.seconds)
    if stop.asked:
        raise KeyboardInterrupt
    return step
