"""How much memory a model's weights take, read from the headers of its files before any loading."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError, safe_open

from pruneviz.errors import ModelLoadError
from pruneviz.models.core.reading import weight_files
from pruneviz.shipped import EMBEDDED, assets_dir

FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def local_folder(name: str) -> Path | None:
    """Folder of a model on this machine, a hub id's downloaded files included; else None."""
    if name == EMBEDDED:
        return assets_dir() / "embedded"
    if os.path.isfile(os.path.join(name, "config.json")):
        return Path(name)
    if os.path.isdir(name):
        return None
    try:
        found = try_to_load_from_cache(name, "config.json")
    except ValueError:  # not a name that the hub allows
        return None
    return Path(found).parent if isinstance(found, str) else None


def weight_bytes(name: str, dtype: Any = "auto") -> int | None:
    """Memory that a model's weights take once loaded.

    Parameters
    ----------
    name : str
        As for :func:`pruneviz.load_model`.
    dtype : torch.dtype or "auto"
        In which they are loaded; ``"auto"`` is the stored one.

    Returns
    -------
    int or None
        Bytes; None where the weights are not on this machine or not in safetensors files.
    """
    folder = local_folder(name)
    if folder is None:
        return None
    try:
        return sum(_file_bytes(file, dtype) for file in weight_files(folder)) or None
    except (OSError, ValueError, SafetensorError, ModelLoadError):
        return None


def _file_bytes(file: Path, dtype: Any) -> int:
    total = 0
    with safe_open(file, "pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - not a dict, it cannot be iterated over
            entry = tensors.get_slice(key)
            stored = FLOATS.get(entry.get_dtype())
            wanted = dtype.itemsize if stored and isinstance(dtype, torch.dtype) else stored
            total += math.prod(entry.get_shape()) * (wanted or 1)
    return total


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where that cannot be told."""
    if device.type == "cuda":
        return _free_on_gpu(device)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    except (OSError, ValueError, LookupError, StopIteration):
        return None


def _free_on_gpu(device: torch.device) -> int | None:
    try:
        free = torch.cuda.mem_get_info(device)[0]
        # PyTorch keeps what was given back to it: that can be used, too.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    except (RuntimeError, AssertionError, ValueError):  # no such device: loading says so
        return None
    return int(free + kept)
