"""Where a model's weights go and in what form: device, dtype, quantisation."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
import transformers

from pruneviz.errors import ModelLoadError, UnsupportedModelError

DTYPES = ("auto", "float32", "float16", "bfloat16")
WAITING = ("cpu", "disk")
"""Places of a ``device_map`` from which weights are brought when their layer runs."""
QUANTISATIONS = (None, "4bit", "8bit")


def pick_device(device: str) -> torch.device:
    """The torch device of a name; ``"auto"`` takes CUDA, else MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ModelLoadError(
            f"Unknown device {device!r}; use auto, cpu, cuda, cuda:1 or mps."
        ) from error


def pick_dtype(dtype: str, device: torch.device) -> Any:
    """The torch dtype of a name, or ``"auto"`` for that which the weights are stored in."""
    if dtype not in DTYPES:
        raise ModelLoadError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}.")
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    return getattr(torch, dtype)


def quantised(
    quantisation: str, device: torch.device, exact: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Settings of ``from_pretrained`` for bitsandbytes; modules named in `exact` stay exact."""
    if quantisation not in QUANTISATIONS:
        raise ModelLoadError(f"quantisation must be '4bit' or '8bit', not {quantisation!r}.")
    missing = [m for m in ("bitsandbytes", "accelerate") if not importlib.util.find_spec(m)]
    if missing:
        raise ModelLoadError(
            f"Quantised loading needs {' and '.join(missing)}: pip install {' '.join(missing)}."
        )
    if device.type != "cuda":
        raise ModelLoadError("Quantised loading needs a CUDA device; leave quantisation out.")
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=quantisation == "4bit",
        load_in_8bit=quantisation == "8bit",
        bnb_4bit_compute_dtype=torch.float16,
        llm_int8_skip_modules=[*exact, "lm_head"],
    )
    return {"quantization_config": config, "device_map": {"": device}}


def to_device(model: Any, device: torch.device, name: str) -> Any:
    """Move a model; errors say what to do."""
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise too_large(name, device) from error
    except (AssertionError, RuntimeError) as error:
        raise ModelLoadError(f"Device {device} cannot be used: {error}") from error


def check_one_device(model: Any) -> None:
    """Refuse a model whose layers run on several devices.

    Weights that only wait on the host or on disk, as with accelerate's offload, do not matter.

    Raises
    ------
    UnsupportedModelError
        If ``device_map`` has split it.
    """
    places = getattr(model, "hf_device_map", None) or {}
    running = {
        f"cuda:{place}" if isinstance(place, int) else str(place)
        for place in places.values()
        if str(place) not in WAITING
    }
    if len(running) > 1:
        raise UnsupportedModelError(
            f"{type(model).__name__} is split over several devices ({', '.join(sorted(running))}), "
            "which was never tried with pruning. Load it on one: device_map={'': 0}, with the rest "
            "offloaded to the host if it does not fit, or quantised."
        )


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory is short."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


def too_large(name: str, device: torch.device | str, why: str = "") -> ModelLoadError:
    """The error for a model that the memory cannot hold."""
    return ModelLoadError(
        f"{name!r} does not fit into the memory of {device}{why}. Try quantisation='4bit' (CUDA), "
        "dtype='float16' or device='cpu'; at the start of the app these are --quantisation, "
        "--dtype and --device."
    )
