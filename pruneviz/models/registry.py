"""Which adapter handles which model."""

from __future__ import annotations

from typing import Any

from pruneviz.errors import UnsupportedModelError
from pruneviz.models.causal_lm import CausalLMAdapter
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.idefics.adapter import IdeficsAdapter
from pruneviz.models.internvl.adapter import InternVLAdapter
from pruneviz.models.llava import LlavaAdapter
from pruneviz.models.llava_next.adapter import LlavaNextAdapter
from pruneviz.models.llava_onevision.adapter import LlavaOnevisionAdapter
from pruneviz.models.qwen_vl.adapter import QwenVLAdapter
from pruneviz.models.qwen_vl.qwen3 import Qwen3VLAdapter
from pruneviz.models.video_llava import VideoLlavaAdapter

ADAPTERS: tuple[type[Adapter], ...] = (
    LlavaAdapter,
    LlavaNextAdapter,
    LlavaOnevisionAdapter,
    QwenVLAdapter,
    Qwen3VLAdapter,
    IdeficsAdapter,
    InternVLAdapter,
    VideoLlavaAdapter,
    CausalLMAdapter,
)


def supported_models(by_name: bool = False) -> str:
    """One line per supported family, for error messages and pages.

    `by_name` leaves out those that :func:`pruneviz.load_model` does not load.
    """
    return "\n".join(
        f"- {adapter.family}, e.g. {adapter.example}"
        for adapter in ADAPTERS
        if adapter.loadable or not by_name
    )


def find_adapter(model: Any) -> Adapter:
    """Adapter of a model.

    Raises
    ------
    UnsupportedModelError
        If no family matches; the message lists the supported ones.
    """
    for adapter in ADAPTERS:
        if adapter.matches(model):
            return adapter()
    raise UnsupportedModelError(
        f"{type(model).__name__} is not supported.{_reason(model)} Supported models:\n"
        f"{supported_models()}"
    )


def _reason(model: Any) -> str:
    """Why a language model that has decoder layers was refused; empty for other models."""
    if not hasattr(getattr(model, "model", model), "layers"):
        return ""
    try:
        CausalLMAdapter().decoder(model)
    except UnsupportedModelError as error:
        return f" {error}"
    return ""
