"""Load a model, its processor and its adapter together."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers.utils import is_torchvision_available

from pruneviz.errors import ModelLoadError, UnsupportedModelError
from pruneviz.models.base import Adapter
from pruneviz.models.knowledge import Knowledge, load_knowledge
from pruneviz.models.qwen_processor import StillImageProcessor
from pruneviz.models.registry import ADAPTERS, find_adapter, supported_models
from pruneviz.models.words import remember_tokenizer

EMBEDDED = "embedded"
DTYPES = ("auto", "float32", "float16", "bfloat16")
QUANTISATIONS = (None, "4bit", "8bit")
CLASSES = {
    "llava": transformers.LlavaForConditionalGeneration,
    "llava_next": transformers.LlavaNextForConditionalGeneration,
    "qwen2_vl": transformers.Qwen2VLForConditionalGeneration,
    "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
}


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be asked.

    Attributes
    ----------
    name : str
        As given to :func:`load_model`.
    model, processor
        The transformers objects.
    adapter : Adapter
        What the library knows about the family.
    knowledge : Knowledge or None
        What the model was taught, where its folder says so.
    """

    name: str
    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    adapter: Adapter = field(repr=False)
    knowledge: Knowledge | None = field(default=None, repr=False)

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @property
    def num_layers(self) -> int:
        """Decoder layers."""
        return self.adapter.decoder(self.model).num_layers


def assets_dir() -> Path:
    """Folder of the files that ship with the project.

    Raises
    ------
    ModelLoadError
        If neither the checkout nor the installed package has it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / "embedded" / "config.json").is_file():
            return folder
    raise ModelLoadError("The embedded model's files (assets/embedded) are missing; reinstall.")


def load_model(
    name: str = EMBEDDED,
    device: str = "auto",
    dtype: str = "auto",
    quantisation: str | None = None,
) -> LoadedModel:
    """Load a model by name.

    Parameters
    ----------
    name : str
        ``"embedded"`` (ships with the project, works offline), a local folder, or a hub id.
    device : str
        ``"auto"`` (CUDA, else MPS, else CPU) or a torch device.
    dtype : {"auto", "float32", "float16", "bfloat16"}
        ``"auto"``: float32 on the CPU, else the dtype the weights are stored in.
    quantisation : {None, "4bit", "8bit"}
        Load the language model's weights with bitsandbytes (CUDA only).

    Returns
    -------
    LoadedModel

    Raises
    ------
    ModelLoadError
        If the model cannot be found or loaded; the message says what to do.
    UnsupportedModelError
        If its family is not supported; the message lists those that are.
    """
    where = _device(device)
    if dtype not in DTYPES:
        raise ModelLoadError(f"dtype must be one of {', '.join(DTYPES)}, not {dtype!r}.")
    source = str(assets_dir() / "embedded") if name == EMBEDDED else name
    kind = _model_type(source)
    settings: dict[str, Any] = {"dtype": _dtype(dtype, where)}
    if quantisation is not None:
        settings |= _quantised(quantisation, where)
    if name == EMBEDDED:
        # Loaded in a blink: a progress bar would only be noise.
        transformers.utils.logging.disable_progress_bar()
    try:
        model = CLASSES[kind].from_pretrained(source, **settings)
        processor = _processor(kind, source)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise ModelLoadError(f"Could not load {name!r}: {error}") from error
    finally:
        transformers.utils.logging.enable_progress_bar()
    if quantisation is None:
        model = _to_device(model, where, name)
    model.eval()
    adapter = find_adapter(model)
    adapter.decoder(model)
    remember_tokenizer(model, processor.tokenizer)
    return LoadedModel(name, model, processor, adapter, load_knowledge(Path(source)))


def _processor(kind: str, source: str) -> Any:
    if kind.startswith("qwen") and not is_torchvision_available():
        return StillImageProcessor.from_pretrained(source)
    return transformers.AutoProcessor.from_pretrained(source)


def _device(device: str) -> torch.device:
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


def _dtype(dtype: str, device: torch.device) -> Any:
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    return getattr(torch, dtype)


def _model_type(source: str) -> str:
    try:
        config = transformers.AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"No model found at {source!r}. Give 'embedded', a folder with config.json, or a hub "
            f"id (its download needs a network). {error}"
        ) from error
    if config.model_type not in CLASSES:
        raise UnsupportedModelError(
            f"{source!r} is a {config.model_type!r} model, which is not supported. Supported "
            f"models:\n{supported_models()}"
        )
    return str(config.model_type)


def _quantised(quantisation: str, device: torch.device) -> dict[str, Any]:
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
        # The encoder is small and decides which patches matter: it stays exact.
        llm_int8_skip_modules=["vision_tower", "multi_modal_projector", "visual", "lm_head"],
    )
    return {"quantization_config": config, "device_map": {"": device}}


def _to_device(model: Any, device: torch.device, name: str) -> Any:
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise ModelLoadError(
            f"{name!r} does not fit into the memory of {device}. Try quantisation='4bit', "
            "dtype='float16' or device='cpu'."
        ) from error
    except (AssertionError, RuntimeError) as error:
        raise ModelLoadError(f"Device {device} cannot be used: {error}") from error


__all__ = ["ADAPTERS", "EMBEDDED", "LoadedModel", "assets_dir", "load_model"]
