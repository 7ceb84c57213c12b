"""Load a model, its processor and its adapter together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from transformers.utils import is_torchvision_available

from pruneviz.errors import ModelLoadError, UnsupportedModelError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.knowledge import Knowledge, load_knowledge
from pruneviz.models.core.placing import (
    DTYPES,
    pick_device,
    pick_dtype,
    quantised,
    to_device,
    too_large,
)
from pruneviz.models.core.sizing import check_configuration
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import LOADABLE, supported_models
from pruneviz.shipped import EMBEDDED, assets_dir

UNREADABLE = (
    OSError,
    ValueError,
    ImportError,
    RuntimeError,
    MemoryError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SafetensorError,
)
"""What transformers raises on files that are missing, damaged or do not belong together."""


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
    where = pick_device(device)
    settings: dict[str, Any] = {"dtype": pick_dtype(dtype, where)}
    check_configuration(name)
    source, kind = where_is(name), model_type(name)
    adapter = LOADABLE[kind]()
    architecture = adapter.architecture(kind)
    if quantisation is not None:
        settings |= quantised(quantisation, where, adapter.exact())
    if name == EMBEDDED:
        # Loaded in a blink: a progress bar would only be noise.
        transformers.utils.logging.disable_progress_bar()
    try:
        settings |= adapter.load_settings(transformers.AutoConfig.from_pretrained(source))
        model, report = architecture.model_class.from_pretrained(
            source, output_loading_info=True, **settings
        )
        processor = _processor(architecture, source)
    except UNREADABLE as error:
        if _memory(error):
            raise too_large(name, where) from error
        raise ModelLoadError(f"Could not load {name!r}: {error}") from error
    finally:
        transformers.utils.logging.enable_progress_bar()
    _check_complete(name, report["missing_keys"])
    if quantisation is None:
        model = to_device(model, where, name)
    model.eval()
    adapter.decoder(model)
    adapter.complete(processor, model)
    remember_tokenizer(model, processor.tokenizer)
    return LoadedModel(name, model, processor, adapter, load_knowledge(Path(source)))


def _check_complete(name: str, missing: Collection[str]) -> None:
    """Refuse a model that would answer with some of its weights at random."""
    if missing:
        first = ", ".join(sorted(missing)[:3]) + (" and others" if len(missing) > 3 else "")
        raise ModelLoadError(
            f"Could not load {name!r}: its files lack weights that the model has ({first}). Give a "
            "complete copy; if only the head (lm_head) is missing because it is the embedding, its "
            "config.json must say so with tie_word_embeddings."
        )


def _processor(architecture: Architecture, source: str) -> Any:
    whole = is_torchvision_available() and all(map(find_spec, architecture.needs))
    if architecture.stand_in is not None and not whole:
        return architecture.stand_in.from_pretrained(source)
    return transformers.AutoProcessor.from_pretrained(source)


def where_is(name: str) -> str:
    """What transformers is given for a name."""
    return str(assets_dir() / "embedded") if name == EMBEDDED else name


def model_type(name: str) -> str:
    """Kind of a model, from its configuration alone.

    Raises
    ------
    ModelLoadError
        If there is no model of that name.
    UnsupportedModelError
        If its family is not supported.
    """
    source = where_is(name)
    try:
        config = transformers.AutoConfig.from_pretrained(source)
    except UNREADABLE as error:
        raise ModelLoadError(
            f"No model found at {source!r}. Give 'embedded', a folder with config.json, or a hub "
            f"id (its download needs a network). {error}"
        ) from error
    if config.model_type not in LOADABLE:
        raise UnsupportedModelError(
            f"{source!r} is a {config.model_type!r} model, which is not supported. Supported "
            f"models:\n{supported_models(by_name=True)}"
        )
    return str(config.model_type)


def _memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


__all__ = [
    "DTYPES",
    "EMBEDDED",
    "LoadedModel",
    "load_model",
    "model_type",
]
