"""What the trainer's command line accepts: each says what is wrong with a value."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from pathlib import Path

import torch

from pruneviz.scenes.held_out import MAX_SEED
from training.openmoji import LISTED
from training.pictures import picture_files


def device(name: str) -> torch.device:
    """Return the device to compute on; ``auto`` takes a GPU where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise ArgumentTypeError(f"auto, cpu or cuda, not {name!r}")
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ArgumentTypeError("this machine or this build of torch has no CUDA device")
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def minutes(text: str) -> float:
    """Return a length of time above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"a number of minutes above zero, not {text!r}")
    return value


def count(text: str) -> int:
    """Return a whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number of at least 1, not {text!r}")
    return int(text)


def processes(text: str) -> int:
    """Return a number of processes; with none the lessons are made where it trains."""
    if not text.isdecimal() or int(text) > 256:
        raise ArgumentTypeError(f"a whole number from 0 to 256, not {text!r}")
    return int(text)


def share(text: str) -> float:
    """Return a keep ratio."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"a keep ratio above 0 and up to 1, not {text!r}")
    return value


def model_folder(text: str) -> Path:
    """Return a folder that holds a model."""
    folder = Path(text)
    missing = [n for n in ("config.json", "model.safetensors") if not (folder / n).is_file()]
    if missing:
        raise ArgumentTypeError(f"{text} is no model folder: it has no {missing[0]}")
    return folder


def seed(text: str) -> int:
    """Return which held-out scenes: others would be those of another seed, or of the training."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise ArgumentTypeError(f"a whole number from 0 to {MAX_SEED}, not {text!r}")
    return int(text)


def openmoji_folder(text: str) -> Path:
    """Return a folder that holds OpenMoji's package."""
    if not (Path(text) / LISTED).is_file():
        raise ArgumentTypeError(f"{text} is not OpenMoji's package: it has no {LISTED}")
    return Path(text)


def picture_folder(text: str) -> Path:
    """Return a folder with pictures in it, at any depth."""
    if not any(picture_files(Path(text))):
        raise ArgumentTypeError(f"there are no pictures in {text}")
    return Path(text)
