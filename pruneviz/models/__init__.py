"""Model families: how to load them, what to feed them, where tokens lie on the image."""

from pruneviz.geometry import PatchGrid
from pruneviz.models.base import Adapter
from pruneviz.models.decoder import Decoder
from pruneviz.models.loading import LoadedModel, assets_dir, load_model
from pruneviz.models.registry import find_adapter, supported_models
from pruneviz.models.words import content_tokens, tokenizer_of

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
