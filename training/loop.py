"""The optimisation loop that all stages share: schedule, log, checkpoint, resume."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from training.settings import StageSettings

logger = logging.getLogger(__name__)
LossAt = Callable[[int], tuple[Tensor, dict[str, float]]]


def rate_at(step: int, stage: StageSettings) -> float:
    """Return the learning rate of a step: linear warm-up, then a half cosine."""
    if step < stage.warmup:
        return stage.rate * (step + 1) / stage.warmup
    fall = (stage.horizon or stage.steps) - stage.warmup
    done = (step - stage.warmup) / max(1, fall)
    return stage.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


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
            muon = torch.optim.Muon(
                inner,
                lr=stage.rate,
                weight_decay=stage.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
            self.parts.append(muon)

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


def save_checkpoint(path: Path, module: nn.Module, optimizers: Optimizers, step: int) -> None:
    """Write a checkpoint so that a kill at any moment leaves a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {"module": module.state_dict(), "optimizer": optimizers.state_dict(), "step": step}
    torch.save(state, partial)
    partial.replace(path)


def run_stage(
    name: str,
    module: nn.Module,
    loss_at: LossAt,
    stage: StageSettings,
    *,
    folder: Path,
    resume: bool,
    log_every: int = 20,
    save_every: int = 200,
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
        Gives the loss (a scalar with gradient) and figures to log for a step number. Its
        data must follow from the step alone, so that a resumed run sees what it would have.
    stage : StageSettings
        Steps, rate and so on.
    folder : Path
        Where the checkpoint lies.
    resume : bool
        Whether to start from an existing checkpoint.
    log_every, save_every : int
        Steps between log lines and between checkpoints.
    until : int, optional
        Stop after this step although the schedule goes on.

    Returns
    -------
    int
        The step reached.
    """
    path = folder / f"{name}.pt"
    optimizers = Optimizers(module, stage)
    first = 0
    if resume and path.is_file():
        state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state["module"])
        optimizers.load_state_dict(state["optimizer"])
        first = state["step"]
        logger.info("%s: resumed at step %d", name, first)
    last = stage.steps if until is None else min(until, stage.steps)
    module.train()
    figures: dict[str, list[float]] = defaultdict(list)
    begun = time.monotonic()
    for step in range(first, last):
        loss, shown = loss_at(step)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), stage.clip)
        optimizers.step(rate_at(step, stage))
        for key, value in {"loss": float(loss.detach()), **shown}.items():
            figures[key].append(value)
        if (step + 1) % log_every == 0 or step + 1 == last:
            text = " ".join(f"{k} {sum(v) / len(v):.3f}" for k, v in figures.items())
            minutes = (time.monotonic() - begun) / 60
            logger.info("%s %d/%d %.1f min: %s", name, step + 1, stage.steps, minutes, text)
            figures.clear()
        if (step + 1) % save_every == 0:
            save_checkpoint(path, module, optimizers, step + 1)
    if last > first:
        save_checkpoint(path, module, optimizers, last)
    return max(first, last)
