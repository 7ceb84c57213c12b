"""Plain causal language models: Llama, Qwen2 and models built like them."""

from __future__ import annotations

from typing import Any, ClassVar

from pruneviz.errors import UnsupportedModelError
from pruneviz.models.core.adapter import Adapter
from pruneviz.models.core.architecture import Architecture
from pruneviz.models.core.decoder import Decoder


class CausalLMAdapter(Adapter):
    """A ``*ForCausalLM`` (or its inner stack) with visual tokens marked by a `visual_mask`."""

    architectures: ClassVar[tuple[Architecture, ...]] = ()
    loadable: ClassVar[bool] = False
    example: ClassVar[str] = "LlamaForCausalLM, Qwen2ForCausalLM, with visual_mask given"

    @classmethod
    def described(cls) -> str:
        """What it must be like, and examples."""
        return f"Causal LM (Llama- or Qwen2-like), e.g. {cls.example}"

    @classmethod
    def matches(cls, model: Any) -> bool:
        """Whether it looks like a decoder-only language model."""
        try:
            cls().decoder(model)
        except UnsupportedModelError:
            return False
        return True

    def decoder(self, model: Any) -> Decoder:
        """The stack under ``.model``, or the model itself."""
        inner = getattr(model, "model", model)
        return Decoder.of(inner, type(model).__name__)
