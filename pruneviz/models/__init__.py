"""Model families: how to load them, what to feed them, where tokens lie on the image."""

from pruneviz.geometry import PatchGrid
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.decoder import Decoder
from pruneviz.models.core.loading import LoadedModel, load_model
from pruneviz.models.core.words import content_tokens, tokenizer_of
from pruneviz.models.registry import find_adapter, supported_models
from pruneviz.shipped import assets_dir

__all__ = [
    "Adapter",
    "Decoder",
    "LoadedModel",
    "PatchGrid",
    "assets_dir",
    "content_tokens",
    "find_adapter",
    "load_model",
    "supported_models",
    "tokenizer_of",
]
