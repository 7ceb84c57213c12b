"""Load a model, its processor and its adapter together."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers
from transformers.utils import is_torchvision_available

from pruneviz.errors import ModelLoadError, UnsupportedModelError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.knowledge import Knowledge, load_knowledge
from pruneviz.models.core.placing import (
    DTYPES,
    out_of_memory,
    pick_device,
    pick_dtype,
    quantised,
    to_device,
    too_large,
)
from pruneviz.models.core.reading import AS_DATA, check_weight_files, read_config, told_as
from pruneviz.models.core.sizing import check_configuration, check_stack
from pruneviz.models.core.whole import (
    check_finite,
    check_generation,
    check_keys,
    check_together,
)
from pruneviz.models.core.words import remember_tokenizer
from pruneviz.models.registry import LOADABLE, supported_models
from pruneviz.shipped import EMBEDDED, assets_dir

logger = logging.getLogger("pruneviz")


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
    notes : tuple of str
        What of its folder could not be used, for people; answers are not changed by that.
    """

    name: str
    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    adapter: Adapter = field(repr=False)
    knowledge: Knowledge | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

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
        with told_as(lambda text, error: _failure(name, where, text, error)):
            if Path(source).is_dir():
                check_weight_files(Path(source))
            settings |= adapter.load_settings(read_config(source))
            model, report = architecture.model_class.from_pretrained(
                source,
                output_loading_info=True,
                # Else the error says nothing but that there is one.
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                **AS_DATA,
                **settings,
            )
            processor = _processor(architecture, source)
    finally:
        transformers.utils.logging.enable_progress_bar()
    check_keys(name, report)
    check_finite(name, model)
    check_generation(name, model.generation_config)
    if quantisation is None:
        model = to_device(model, where, name)
    model.eval()
    adapter.decoder(model)
    with told_as(lambda text, error: _failure(name, where, text, error)):
        adapter.complete(processor, model)
    check_together(name, model, processor, adapter)
    remember_tokenizer(model, processor.tokenizer)
    return LoadedModel(name, model, processor, adapter, *_known(Path(source)))


def _failure(name: str, where: Any, text: str, error: Exception) -> ModelLoadError:
    if out_of_memory(error):
        return too_large(name, where)
    return ModelLoadError(f"Could not load {name!r}: {text}")


def _known(folder: Path) -> tuple[Knowledge | None, tuple[str, ...]]:
    """What a model was taught, and a note where that cannot be read."""
    try:
        return load_knowledge(folder), ()
    except ModelLoadError as error:
        logger.warning("%s", error)
        return None, (str(error),)


def _processor(architecture: Architecture, source: str) -> Any:
    whole = is_torchvision_available() and all(map(find_spec, architecture.needs))
    if architecture.stand_in is not None and not whole:
        return architecture.stand_in.from_pretrained(source)
    return transformers.AutoProcessor.from_pretrained(source, **AS_DATA)


def where_is(name: str) -> str:
    """What transformers is given for a name."""
    return str(assets_dir() / "embedded") if name == EMBEDDED else name


def model_type(name: str) -> str:
    """Kind of a model, from its configuration alone.

    Raises
    ------
    ModelLoadError
        If there is no model of that name, or its weights are of a far smaller one.
    UnsupportedModelError
        If its family is not supported.
    """
    source = where_is(name)
    with told_as(lambda text, _: _unknown(source, text)):
        config = read_config(source)
    if config.model_type not in LOADABLE:
        raise UnsupportedModelError(
            f"{source!r} is a {config.model_type!r} model, which is not supported. Supported "
            f"models:\n{supported_models(by_name=True)}"
        )
    check_stack(source, config)
    return str(config.model_type)


def _unknown(source: str, text: str) -> ModelLoadError:
    return ModelLoadError(
        f"No model found at {source!r}. Give 'embedded', a folder with config.json, or a hub id "
        f"(its download needs a network). {text}"
    )


__all__ = [
    "DTYPES",
    "EMBEDDED",
    "LoadedModel",
    "load_model",
    "model_type",
]
