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

from pruneviz.training.settings import StageSettings

logger = logging.getLogger(__name__)
LossAt = Callable[[int], tuple[Tensor, dict[str, float]]]


def rate_at(step: int, stage: StageSettings) -> float:
    """Return the learning rate of a step: linear warm-up, then a half cosine."""
    if step < stage.warmup:
        return stage.rate * (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def make_optimizer(module: nn.Module, stage: StageSettings) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only."""
    matrices = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": stage.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98))


def save_checkpoint(
    path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Write a checkpoint so that a kill at any moment leaves a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
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
    optimizer = make_optimizer(module, stage)
    first = 0
    if resume and path.is_file():
        state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        logger.info("%s: resumed at step %d", name, first)
    last = stage.steps if until is None else min(until, stage.steps)
    module.train()
    figures: dict[str, list[float]] = defaultdict(list)
    begun = time.monotonic()
    for step in range(first, last):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, stage)
        loss, shown = loss_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), stage.clip)
        optimizer.step()
        for key, value in {"loss": float(loss.detach()), **shown}.items():
            figures[key].append(value)
        if (step + 1) % log_every == 0 or step + 1 == last:
            text = " ".join(f"{k} {sum(v) / len(v):.3f}" for k, v in figures.items())
            minutes = (time.monotonic() - begun) / 60
            logger.info("%s %d/%d %.1f min: %s", name, step + 1, stage.steps, minutes, text)
            figures.clear()
        if (step + 1) % save_every == 0:
            save_checkpoint(path, module, optimizer, step + 1)
    if last > first:
        save_checkpoint(path, module, optimizer, last)
    return max(first, last)
